// The commit stream, taken apart: who is told what.

import MatrixCore
import Persistence
import Rooms

extension FederationSender {
    /// What follows from a run of commits.
    struct Batch {
        var routes: [EventRoute] = []
        var pdus: [EventNID: [UInt8]] = [:]
        var deviceUpdates: [(update: OutboundDeviceUpdate, servers: [ServerName], atOnce: Bool)] = []
        var presences: [(presence: OutboundPresence, servers: [ServerName])] = []
        var receipts: [(receipt: OutboundReceipt, atOnce: [ServerName], later: [ServerName])] = []
        var typing: [(news: OutboundTyping, servers: [ServerName])] = []
        var recipients: Set<ServerName> = []

        var isEmpty: Bool {
            routes.isEmpty && deviceUpdates.isEmpty && presences.isEmpty && receipts.isEmpty && typing.isEmpty
                && recipients.isEmpty
        }
    }

    /// How far the stored position stays behind while nothing is for other servers: so much is looked at again after a crash.
    private static let savingDistance = 5000

    /// Changes that are taken in at once, about.
    private static let batchLimit = 500
    private static let attemptLimit = 3

    /// Takes in what happens, from where the last run stopped, until the server stops.
    func follow() async {
        let commits = environment.journal.commits
        var isPast = true
        var iterator = commits.from(ledger.position).makeAsyncIterator()
        while true {
            if isPast, ledger.position >= startPosition {
                isPast = false
                wakeThoseBehind()
            }
            guard let first = await iterator.next() else { return }
            var batch = [first]
            var count = first.changes.count
            for next in commits.recent(after: first.positions.upperBound) ?? [] {
                count += next.changes.count
                if count > Self.batchLimit { break }
                batch.append(next)
            }
            let end = batch[batch.count - 1].positions.upperBound
            guard await take(batch.flatMap(\.changes)) else { return }
            ledger.advance(to: end)
            if ledger.unsavedDistance > Self.savingDistance { stir.yield() }
            iterator = commits.from(end).makeAsyncIterator()
        }
    }

    /// - Returns: false when the server stops meanwhile.
    private func take(_ changes: [Change]) async -> Bool {
        var attempt = 1
        while !Task.isCancelled {
            do {
                try dispatch(await batch(of: changes))
                return true
            } catch let error as DatabaseError where error.kind == .unavailable || error.kind == .unknownOutcome {
                forget()
                try? await Task.sleep(for: .seconds(1))
            } catch {
                forget()
                environment.logger.error(
                    "what happened could not be passed on to other servers",
                    metadata: ["error": "\(error)", "attempt": "\(attempt)", "position": "\(changes.last?.position ?? .zero)"])
                // One that cannot be taken in is left out: a sender that stands still serves nobody.
                if attempt == Self.attemptLimit { return true }
                attempt += 1
                try? await Task.sleep(for: .milliseconds(100))
            }
        }
        return false
    }

    /// What was worked out of who is where may not be stored: it is read again.
    private func forget() {
        roomServers = RoomServers(serverName: environment.serverName)
        companions = RecentCache(capacity: 2000)
    }

    // MARK: Reading

    /// Works out who is told what. Reads; tells nobody yet, so that it can be done again.
    private func batch(of changes: [Change]) async throws -> Batch {
        var batch = Batch()
        try await readEvents(changes, &batch)
        try await readDeviceUpdates(changes, &batch)
        try await readPresences(changes, &batch)
        try await readReceipts(changes, &batch)
        try await readTyping(changes, &batch)
        for case .outbound(let server) in changes.lazy.map(\.kind) { batch.recipients.insert(server) }
        return batch
    }

    private func readEvents(_ changes: [Change], _ batch: inout Batch) async throws {
        let events = changes.compactMap { change in if case .event(let event) = change.kind { event } else { nil } }
        guard !events.isEmpty else { return }
        for event in events {
            if event.moves { companions = RecentCache(capacity: 2000) }
            if let route = try await route(event) { batch.routes.append(route) }
        }
        try await store(batch.routes.flatMap(\.changes))
        let sent = batch.routes.filter { !$0.servers.isEmpty && $0.event.position > startPosition }.map(\.event.nid)
        if !sent.isEmpty { batch.pdus = try await environment.database.read { try FederationSendingStore.pdus(sent, on: $0) } }
        try await readArrivals(&batch)
    }

    private func route(_ event: TimelineEvent) async throws -> EventRoute? {
        guard roomServers.concerns(event), let room = try await environment.rooms.room(event.roomID)?.current,
            room.federates
        else { return nil }
        let present = RoomServers.Present(room, at: event)
        var stored: [ServerName]?
        if roomServers.needsStored(for: event, present) {
            stored = try await environment.database.read { try FederationSendingStore.servers(in: event.roomNID, on: $0) }
        }
        let route = roomServers.take(event, present, stored: stored)
        return route.isEmpty ? nil : route
    }

    /// Which servers are where must be stored before anybody is told: catching up goes by it.
    private func store(_ changes: [ServerRoomChange]) async throws {
        guard !changes.isEmpty else { return }
        let rows = changes.map { change in
            guard let last = change.lastPosition else { return change }
            return ServerRoomChange(
                server: change.server, room: change.room, lastPosition: max(last, ledger.newestSending(in: change.room) ?? .zero))
        }
        try await environment.database.write { connection in
            for row in rows { try FederationSendingStore.write(row, on: connection) }
        }
    }

    // MARK: Telling

    /// Puts everything into the queues, then starts those who have something to send: what was decided together travels together.
    private func dispatch(_ batch: Batch) {
        for route in batch.routes { dispatch(route, batch.pdus[route.event.nid]) }
        for (update, servers, atOnce) in batch.deviceUpdates { registry.tell(servers, .deviceUpdate(update), atOnce: atOnce) }
        registry.tell(batch.recipients, .messages)
        for (receipt, atOnce, later) in batch.receipts {
            registry.tell(atOnce, .receipt(receipt))
            registry.tell(later, .receipt(receipt), atOnce: false)
        }
        for (presence, servers) in batch.presences { registry.tell(servers, .presence(presence), atOnce: false) }
        for (news, servers) in batch.typing { registry.tell(servers, .typing(news)) }
        registry.start()
        if !batch.isEmpty { stir.yield() }
    }

    private func dispatch(_ route: EventRoute, _ json: [UInt8]?) {
        let position = route.event.position
        for change in route.changes where change.lastPosition != nil { ledger.noteDeparture(of: change.server, at: position) }
        guard !route.servers.isEmpty else { return }
        ledger.noteSending(in: route.event.roomNID, at: position)
        if let json {
            registry.tell(route.servers, .event(OutboundPDU(position: position, json: json)))
        } else {
            // It is of the past.
            registry.note(route.servers, backlog: DestinationBacklogRow(eventsAfter: position.predecessor))
        }
    }
}
