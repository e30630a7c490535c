// What people do: whom it is told.

import MatrixCore
import Persistence
import Rooms

extension FederationSender {
    // MARK: Devices

    /// Changes of the devices and keys of this server's users, for every server that shares a room with them.
    func readDeviceUpdates(_ changes: [Change], _ batch: inout Batch) async throws {
        let positions = changes.compactMap { change -> StreamPosition? in
            guard case .deviceList(let user) = change.kind, user.belongs(to: environment.serverName) else { return nil }
            return change.position
        }
        guard let first = positions.first else { return }
        let deviceUpdates = deviceUpdates
        let (announcements, updates) = try await environment.database.read { connection in
            let announcements = try DeviceListStore.announcements(at: positions, on: connection)
            return (announcements, try deviceUpdates.updates(for: announcements, from: first, on: connection))
        }
        for (announcement, update) in zip(announcements, updates) where !update.edus.isEmpty {
            let servers = try await servers(sharingRoomWith: announcement.user)
            batch.deviceUpdates.append((update, servers, atOnce: true))
        }
    }

    /// Who comes into a room with servers that do not follow them yet becomes known to these, and a server that comes into a room gets to
    /// know who is there.
    func readArrivals(_ batch: inout Batch) async throws {
        for route in batch.routes where route.event.position > startPosition {
            let event = route.event
            if event.membership == .join, event.moves, let user = event.member, user.belongs(to: environment.serverName) {
                try await readArrival(of: user, route, &batch)
            }
            if !route.arrivals.isEmpty { try await readPresences(inRoomOf: event, for: route.arrivals, &batch) }
        }
    }

    private func readArrival(of user: UserID, _ route: EventRoute, _ batch: inout Batch) async throws {
        let event = route.event
        guard let room = try await environment.rooms.room(event.roomID)?.current else { return }
        let servers = room.servers.keys.filter { $0 != environment.serverName }
        guard !servers.isEmpty else { return }
        let deviceUpdates = deviceUpdates
        let (known, update) = try await environment.database.read { connection in
            (
                try FederationSendingStore.servers(sharingRoomWith: user, except: event.roomNID, on: connection),
                try deviceUpdates.last(of: user, at: event.position, on: connection)
            )
        }
        let strangers = Set(servers).subtracting(known)
        if let update, !strangers.isEmpty { batch.deviceUpdates.append((update, Array(strangers), atOnce: false)) }
        if !environment.source.roomsWithoutPresence.contains(event.roomID) {
            for presence in try await environment.source.presences(of: [user]) { batch.presences.append((presence, Array(servers))) }
        }
    }

    private func readPresences(inRoomOf event: TimelineEvent, for servers: [ServerName], _ batch: inout Batch) async throws {
        guard !environment.source.roomsWithoutPresence.contains(event.roomID) else { return }
        let nid = event.roomNID
        let members = try await environment.database.read { try MembershipStore.users(in: nid, membership: .join, on: $0) }
        for presence in try await environment.source.presences(of: members) where presence.presence != "offline" {
            batch.presences.append((presence, servers))
        }
    }

    // MARK: Presence

    func readPresences(_ changes: [Change], _ batch: inout Batch) async throws {
        var users: Set<UserID> = []
        for case .presence(let user) in changes.lazy.map(\.kind) where user.belongs(to: environment.serverName) { users.insert(user) }
        var told: [UserID: [ServerName]] = [:]
        for user in users {
            let servers = try await servers(seeingPresenceOf: user)
            if !servers.isEmpty { told[user] = servers }
        }
        guard !told.isEmpty else { return }
        for presence in try await environment.source.presences(of: Array(told.keys)) {
            batch.presences.append((presence, told[presence.user] ?? []))
        }
    }

    /// Remembered until somebody comes or goes anywhere: presence changes often.
    private func servers(seeingPresenceOf user: UserID) async throws -> [ServerName] {
        if let known = companions.value(for: user) { return known }
        let excluded = environment.source.roomsWithoutPresence
        let servers = try await environment.database.read { connection in
            try FederationSendingStore.servers(sharingRoomWith: user, excluded: excluded, on: connection)
        }
        companions.insert(servers, for: user)
        return servers
    }

    func servers(sharingRoomWith user: UserID) async throws -> [ServerName] {
        try await environment.database.read { try FederationSendingStore.servers(sharingRoomWith: user, on: $0) }
    }

    // MARK: Receipts

    /// In a room of many servers, receipts for what was said some time ago go with other things: only the server of the event's sender
    /// hears of them at once (as in Synapse). Everybody's receipts, at once, to everybody would be most of the traffic.
    func readReceipts(_ changes: [Change], _ batch: inout Batch) async throws {
        let positions = changes.compactMap { change -> StreamPosition? in
            guard case .receipt(_, let user) = change.kind, user.belongs(to: environment.serverName) else { return nil }
            return change.position
        }
        guard let first = positions.first, let last = positions.last else { return }
        for receipt in environment.source.receipts(after: first.predecessor, upTo: last) {
            let servers = try await otherServers(in: receipt.room)
            guard !servers.isEmpty else { continue }
            var atOnce = servers
            if servers.count >= Self.manyServers, let event = try await environment.events.event(receipt.event, in: receipt.room),
                Timestamp.now.milliseconds(since: event.timestamp) > Self.recentMilliseconds
            {
                let sender = event.sender.server
                atOnce = servers.filter { $0 == sender }
            }
            let now = Set(atOnce)
            batch.receipts.append((receipt, atOnce, servers.filter { !now.contains($0) }))
        }
    }

    private static let manyServers = 10
    private static let recentMilliseconds: Int64 = 60_000

    // MARK: Typing

    func readTyping(_ changes: [Change], _ batch: inout Batch) async throws {
        var rooms: Set<RoomID> = []
        for case .typing(let room) in changes.lazy.map(\.kind) { rooms.insert(room) }
        for room in rooms {
            let servers = try await otherServers(in: room)
            guard !servers.isEmpty else { continue }
            let users = environment.source.typingUsers(in: room)
            for news in typing.update(room, users, at: Timestamp.now.milliseconds) { batch.typing.append((news, servers)) }
        }
    }

    /// Says again who goes on typing.
    func tellAgain(_ now: Timestamp) async {
        guard !typing.isEmpty else { return }
        for news in typing.takeDue(at: now.milliseconds) {
            do {
                registry.tell(try await otherServers(in: news.room), .typing(news))
            } catch {
                environment.logger.debug("other servers are not told who goes on typing", metadata: ["error": "\(error)"])
            }
        }
        registry.start()
    }

    func otherServers(in room: RoomID) async throws -> [ServerName] {
        guard let room = try await environment.rooms.room(room)?.current else { return [] }
        return room.servers.keys.filter { $0 != environment.serverName }
    }
}
