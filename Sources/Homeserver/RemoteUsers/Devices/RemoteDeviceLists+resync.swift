// Stale lists are fetched again, whether or not anybody asks.

import MatrixCore
import Persistence
import Rooms
import ServiceLifecycle

extension RemoteDeviceLists: Service {
    /// How many servers are asked at once, and for how many of their lists in one turn.
    private static let resyncsAtOnce = 16
    private static let turnLimit = 20
    private static let lookInterval = Duration.seconds(30)
    private static let sweepPage = 500

    /// Fetches what is stale, now and whenever something becomes so, until the server stops.
    package func run() async throws {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { [self] in await cancelWhenGracefulShutdown { [self] in await takeTurns() } }
            group.addTask { [self] in await cancelWhenGracefulShutdown { [self] in await look() } }
            await group.waitForAll()
        }
    }

    private func look() async {
        while !Task.isCancelled {
            do {
                try await queueStaleLists()
            } catch {
                logger.warning("could not look for lists of devices to fetch", metadata: ["error": "\(error)"])
            }
            try? await Task.sleep(for: Self.lookInterval)
        }
    }

    private func takeTurns() async {
        await withTaskGroup(of: Void.self) { group in
            var running = 0
            for await server in resyncs.stream {
                if running == Self.resyncsAtOnce { await group.next() } else { running += 1 }
                group.addTask { [self] in await takeTurn(server) }
            }
        }
    }

    /// The stale lists of a server are fetched as soon as it is its turn. Where too many wait, the next look finds them.
    func resync(_ server: ServerName) {
        let isWaiting = state.withLock { state in
            // One that has its turn may have looked already: it gets another.
            if state.resyncing[server] != nil { return state.resyncing.updateValue(true, forKey: server) != nil }
            state.resyncing[server] = false
            return false
        }
        if !isWaiting { enqueue(server) }
    }

    private func enqueue(_ server: ServerName) {
        if case .dropped = resyncs.continuation.yield(server) { state.withLock { _ = $0.resyncing.removeValue(forKey: server) } }
    }

    /// Queues the servers with stale lists whose time has come.
    package func queueStaleLists() async throws {
        let servers = try await database.read { try RemoteDeviceStore.serversWithStaleLists(at: .now, limit: 500, on: $0) }
        for server in servers { resync(server) }
    }

    private func takeTurn(_ server: ServerName) async {
        var isDone = true
        do {
            isDone = try await resyncLists(of: server)
        } catch {
            logger.warning("could not fetch lists of devices", metadata: ["server": "\(server)", "error": "\(error)"])
        }
        let isWantedAgain = state.withLock { state in
            guard state.resyncing[server] == true || !isDone else {
                state.resyncing[server] = nil
                return false
            }
            state.resyncing[server] = false
            return true
        }
        if isWantedAgain { enqueue(server) }
    }

    /// Fetches some of the stale lists of a server, one after the other, until it does not answer.
    ///
    /// - Returns: whether nothing is left that could be fetched now.
    @discardableResult
    package func resyncLists(of server: ServerName) async throws -> Bool {
        let limit = Self.turnLimit
        let lists = try await database.read { try RemoteDeviceStore.staleLists(of: server, at: .now, limit: limit, on: $0) }
        for list in lists {
            // What a fetch brings that is under way may be from before the list became stale. Where it is not, the next one asks nobody.
            _ = await state.withLock { $0.flights[list.user] }?.value()
            for flight in fetch([list.user], at: server) {
                switch await flight.value() {
                case .failure(.paused), .failure(.unreachable), .failure(.notAllowed):
                    try await postpone(lists)
                    return true
                case nil: return true
                case .success, .failure: continue
                }
            }
        }
        return lists.count < limit
    }

    /// The server does not answer: its other lists need not be tried either for now.
    private func postpone(_ lists: [RemoteDeviceListRow]) async throws {
        let retryAt = Timestamp.now.advanced(byMilliseconds: ListBackoff.pause(afterFailures: 0))
        let users = lists.map(\.user)
        try await database.write { try RemoteDeviceStore.postpone(users, until: retryAt, on: $0) }
    }

    /// Forgets the lists of those with whom no room is shared: usually `RemoteDeviceTracking` has done that.
    package func forgetStrangers() async throws {
        var after = ""
        while true {
            let (start, page) = (after, Self.sweepPage)
            let users = try await database.read { try RemoteDeviceStore.followed(after: start, limit: page, on: $0) }
            guard let last = users.last else { return }
            after = last.string
            let strangers = Set(users).subtracting(try await sharedRooms.known(users))
            guard !strangers.isEmpty else { continue }
            try await database.write { connection in
                // Somebody may have come into a room since.
                let known = Set(try SharedRoomStore.known(Array(strangers), on: connection))
                try RemoteDeviceStore.forget(strangers.subtracting(known).sorted(), on: connection)
            }
        }
    }
}
