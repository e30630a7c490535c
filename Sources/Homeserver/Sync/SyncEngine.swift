// The sync engine: answers `/sync`, at once or when something happens. Client-Server API §Syncing.

import Logging
import MatrixCore
import Persistence
import Rooms
import ServiceLifecycle
import Synchronization

/// One for the whole server.
///
/// It reads the commit stream with one task and keeps, for those who sync, what happened lately (`SyncState`). A sync compares
/// positions there; when nothing is new it waits, a suspended continuation among the waiters of its user, with its deadline in
/// one timer for all. What waits costs memory only.
package final class SyncEngine: Sendable {
    let database: any Database
    let journal: Journal
    let rooms: RoomRegistry
    let events: EventReader
    let accountData: AccountDataService
    let storedFilters: FilterService
    let keys: EndToEndKeyService
    let toDevice: ToDeviceService
    let deviceLists: DeviceListService
    let receipts: ReceiptService
    let typing: TypingService
    let unread: UnreadService
    let presence: PresenceService
    let retention: RetentionRules
    let logger: Logger

    let state: Mutex<SyncState>
    let timer = SyncTimer()
    let filters: SyncFilterCache

    /// What the engine is told by.
    package struct Sources: Sendable {
        let accountData: AccountDataService
        let filters: FilterService
        let keys: EndToEndKeyService
        let toDevice: ToDeviceService
        let deviceLists: DeviceListService
        let receipts: ReceiptService
        let typing: TypingService
        let unread: UnreadService
        let presence: PresenceService

        package init(
            accountData: AccountDataService, filters: FilterService, keys: EndToEndKeyService, toDevice: ToDeviceService,
            deviceLists: DeviceListService, receipts: ReceiptService, typing: TypingService, unread: UnreadService,
            presence: PresenceService
        ) {
            self.accountData = accountData
            self.filters = filters
            self.keys = keys
            self.toDevice = toDevice
            self.deviceLists = deviceLists
            self.receipts = receipts
            self.typing = typing
            self.unread = unread
            self.presence = presence
        }
    }

    /// - Parameters:
    ///   - timelineLimit: the most events of one room in a response (`filter_timeline_limit`); negative for no limit.
    ///   - byteLimit: how many bytes of recent events are kept at hand.
    ///   - excludedRooms: rooms that no sync shows (`exclude_rooms_from_sync`).
    ///   - retention: which messages are too old to be shown.
    package init(
        groundwork: Homeserver.Groundwork, sources: Sources, timelineLimit: Int, byteLimit: Int = 8 << 20,
        excludedRooms: Set<RoomID> = [], retention: RetentionRules = .none, logger: Logger
    ) {
        database = groundwork.database
        journal = groundwork.journal
        rooms = groundwork.rooms
        events = groundwork.events
        accountData = sources.accountData
        storedFilters = sources.filters
        keys = sources.keys
        toDevice = sources.toDevice
        deviceLists = sources.deviceLists
        receipts = sources.receipts
        typing = sources.typing
        unread = sources.unread
        presence = sources.presence
        self.retention = retention
        self.logger = logger
        state = Mutex(
            SyncState(
                at: groundwork.journal.position, byteLimit: byteLimit, excludedRooms: excludedRooms,
                partialRooms: groundwork.rooms.environment.partialRooms))
        filters = SyncFilterCache(maximumLimit: timelineLimit)
    }

    // MARK: Filters

    /// The filter that a request names: an id, or a JSON object in place.
    ///
    /// - Throws: `M_INVALID_PARAM` for an id that is none of the user's; `M_NOT_JSON` or `M_BAD_JSON` for what is no filter.
    package func filter(_ parameter: String?, of user: UserID) async throws -> SyncFilter {
        guard let parameter, !parameter.isEmpty else { return filters.everything }
        if parameter.utf8.first == UInt8(ascii: "{") { return try filters.inline(parameter) }
        do {
            return filters.shared(try await storedFilters.filter(parameter, of: user))
        } catch let error as MatrixError where error.status == 404 {
            throw MatrixError.invalidParam("No such filter")
        }
    }

    // MARK: Answering

    /// Answers a request: the whole body of the response, a JSON object.
    ///
    /// Waits up to the request's timeout for something to tell. An initial sync and one for the full state do not wait.
    ///
    /// - Throws: `CancellationError` when the client has gone away; `DatabaseError`.
    package func sync(_ request: SyncRequest) async throws -> [UInt8] {
        var since = try await start(of: request)
        try await acknowledge(request.device, of: request.user, upTo: since)
        let deadline = SyncTimer.deadline(after: SyncEngine.milliseconds(of: request.timeout))
        var isLast = request.timeout <= .zero || request.wantsFullState || since == nil
        while true {
            let seen: StreamPosition
            switch try await look(request, since: since, isLast: isLast) {
            case .answer(let body): return body
            case .nothing(let known, let upTo): (since, seen) = (known, upTo)
            }
            switch await wait(request, seen: seen, deadline: deadline) {
            case .changed: continue
            case .cancelled: throw CancellationError()
            // One more look: a message may have come at the last moment.
            case .timedOut, .stopping: isLast = true
            }
        }
    }

    private enum Look {
        case answer([UInt8])
        /// The client knows everything up to `since`, and of what came then up to `seen` nothing is for it.
        case nothing(since: StreamPosition?, seen: StreamPosition)
    }

    /// Looks once for what there is to tell. A function of its own, so that nothing of it is kept by a request that waits.
    private func look(_ request: SyncRequest, since: StreamPosition?, isLast: Bool) async throws -> Look {
        let scope = try await scope(
            ScopeQuestion(
                user: request.user, device: request.device, since: since, wantsFullState: request.wantsFullState, filter: request.filter))
        if !scope.isEmpty || since == nil {
            var reader = SyncReader(engine: self, request: request, scope: scope)
            let answer = try await reader.answer()
            if !answer.isEmpty || since == nil || isLast { return .answer(render(answer, request)) }
            // Something happened that is nothing to this client: it need not be looked at again.
            return .nothing(since: answer.nextBatch, seen: answer.nextBatch)
        }
        if isLast { return .answer(try await emptyAnswer(request, since: since ?? scope.upTo)) }
        return .nothing(since: since, seen: scope.upTo)
    }

    /// Takes in what is published and has not been taken in yet, so that a client whose request was answered finds what it did in
    /// the sync that follows.
    func catchUp(to position: StreamPosition) async throws {
        while true {
            let reached = state.withLock { $0.position }
            if reached >= position { return }
            guard let commits = journal.commits.recent(after: reached), !commits.isEmpty else {
                // Too far behind for that; `run` reads the rest from the database.
                try await Task.sleep(for: .milliseconds(1))
                continue
            }
            for commit in commits { await take(commit) }
        }
    }

    /// Where the request begins: nil for an initial sync.
    ///
    /// A token from the future is one from before the database was set back to an older state. What that client knows is no longer
    /// true, so it gets everything anew.
    private func start(of request: SyncRequest) async throws -> StreamPosition? {
        try await catchUp(to: journal.position)
        guard let since = request.since?.position else { return nil }
        if since <= state.withLock({ $0.position }) { return since }
        logger.warning(
            "sync token from the future, answering anew",
            metadata: ["user": "\(request.user)", "token": "\(since)", "position": "\(journal.position)"])
        return nil
    }

    static func milliseconds(of timeout: Duration) -> Int64 {
        let day: Int64 = 86_400_000
        let (seconds, attoseconds) = timeout.components
        return seconds >= day / 1000 ? day : max(0, seconds * 1000 + attoseconds / 1_000_000_000_000_000)
    }

    private func scope(_ question: ScopeQuestion) async throws -> SyncScope {
        while true {
            let now = SyncTimer.now
            if let scope = state.withLock({ $0.scope(question, now: now) }) { return scope }
            try await load(question.user)
        }
    }

    /// The device confirms by its token what it was sent.
    private func acknowledge(_ device: DeviceID?, of user: UserID, upTo since: StreamPosition?) async throws {
        guard let device, let since, since > .zero else { return }
        let isDue = state.withLock { state in
            guard let feed = state.feeds[user]?.devices[device] else { return true }
            guard let unconfirmed = feed.unconfirmed, unconfirmed <= since else { return false }
            feed.unconfirmed = nil
            return true
        }
        if isDue { try await toDevice.acknowledge(user, device, upTo: since) }
    }

    private func render(_ answer: SyncAnswer, _ request: SyncRequest) -> [UInt8] {
        var writer = SyncWriter(answer, request)
        let body = writer.write()
        let rendered = writer.rendered
        if rendered.isEmpty, answer.toDevice.isEmpty, !request.filter.lazyLoadsMembers { return body }
        state.withLock { state in
            for (room, timeline) in rendered { state.tails[room]?.keep(timeline) }
            state.didSend(answer, to: request)
        }
        return body
    }

    private func emptyAnswer(_ request: SyncRequest, since: StreamPosition) async throws -> [UInt8] {
        var answer = SyncAnswer(nextBatch: since)
        if let device = request.device {
            answer.keyCounts = try await keys.keyCounts(of: DeviceAddress(user: request.user, device: device))
        }
        var writer = SyncWriter(answer, request)
        return writer.write()
    }

    // MARK: Waiting

    /// Waits until something happens after `seen` that may concern the request.
    private func wait(_ request: SyncRequest, seen: StreamPosition, deadline: Int64) async -> Wakeup {
        await wait(SyncWaiter(device: request.device), of: request.user, seen: seen, deadline: deadline)
    }

    func wait(_ waiter: SyncWaiter, of user: UserID, seen: StreamPosition, deadline: Int64) async -> Wakeup {
        guard SyncTimer.now < deadline else { return .timedOut }
        guard state.withLock({ $0.park(waiter, of: user, seen: seen) }) else { return .changed }
        let ticket = timer.add(waiter, deadline: deadline)
        let wakeup = await waiter.wait()
        if let ticket, wakeup != .timedOut { timer.remove(ticket) }
        if wakeup != .changed { state.withLock { $0.leave(waiter, of: user) } }
        return wakeup
    }
}

// MARK: - Life

extension SyncEngine: Service {
    /// Follows the commit stream and the clock until the server stops; then answers all who wait.
    package func run() async throws {
        let commits = journal.commits.from(state.withLock { $0.position })
        await withGracefulShutdownHandler {
            await withTaskGroup(of: Void.self) { group in
                group.addTask { [self] in await timer.run() }
                group.addTask { [self] in
                    await cancelWhenGracefulShutdown { for await commit in commits { await self.take(commit) } }
                }
                await group.waitForAll()
            }
        } onGracefulShutdown: {
            self.shutdown()
        }
        shutdown()
    }

    /// Answers all who wait, and lets nobody wait any more.
    package func shutdown() {
        timer.stop()
    }

    /// Takes in a commit and wakes whom it concerns, each once. Does nothing for one that was taken in before.
    private func take(_ commit: Commit) async {
        let strangers = state.withLock { $0.strangers(in: commit) }
        let rooms = strangers.isEmpty ? [:] : await joinedRooms(of: strangers)
        let waiters = state.withLock { $0.apply(commit, strangersRooms: rooms) }
        for waiter in waiters { waiter.wake(.changed) }
    }

    /// Users whose rooms cannot be read are left out.
    private func joinedRooms(of users: [UserID]) async -> [UserID: [RoomNID]] {
        let local = users.filter(rooms.environment.isLocal)
        let remote = Set(users).subtracting(local)
        do {
            return try await database.read { connection in
                var rooms = remote.isEmpty ? [:] : try SharedRoomStore.rooms(of: Array(remote), on: connection)
                for user in local {
                    rooms[user] = try MembershipStore.rooms(of: user, on: connection).filter { $0.membership == .join }.map(\.roomNID)
                }
                return rooms
            }
        } catch {
            logger.warning("could not read whom a change concerns, telling everyone", metadata: ["error": "\(error)"])
            return [:]
        }
    }
}
