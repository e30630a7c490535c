// Gathers what one response says. Client-Server API §Syncing.

import Logging
import MatrixCore
import Persistence
import Rooms
import Synchronization

/// Answers one request for one moment of the stream. It reads; what it finds out is kept by `SyncEngine`.
struct SyncReader: Sendable {
    let engine: SyncEngine
    let request: SyncRequest
    /// nil for an initial sync.
    let since: StreamPosition?
    /// The end of the response.
    private(set) var upTo: StreamPosition
    private(set) var scope: SyncScope
    private(set) var forgotten: Set<RoomNID> = []

    var filter: SyncFilter { request.filter }
    var events: EventReader { engine.events }

    init(engine: SyncEngine, request: SyncRequest, scope: SyncScope) {
        self.engine = engine
        self.request = request
        self.scope = scope
        since = scope.since
        upTo = scope.upTo
    }

    /// To-device messages in one response; the next response follows at once with more.
    static let toDeviceLimit = 100

    mutating func answer() async throws -> SyncAnswer {
        var answer = SyncAnswer(nextBatch: upTo)
        // First, as it decides where the response ends.
        try await readToDevice(&answer)
        var roomData = try await readAccountData(&answer)
        let receipts = try await readReceipts()
        forgotten = try await forgottenRooms()
        for room in scope.rooms where filter.filter.room.rooms.passes(room.room.room) {
            let data = roomData.removeValue(forKey: room.room.room) ?? []
            do {
                try await read(room, data, receipts: receipts[room.room.room], &answer)
            } catch let error as MatrixError where error.status == 404 {
                // A room that cannot be opened must not take the others with it.
                engine.logger.warning("a room was left out of a sync", metadata: ["room": "\(room.room.room)", "error": "\(error)"])
            }
        }
        if !answer.invited.isEmpty, try await refusesInvites() { answer.invited = [] }
        try await readAggregations(&answer)
        try await readUnread(&answer)
        try await readPresence(&answer)
        try await readDevices(&answer)
        if filter.filter.eventFormat == .federation { try await readPDUs(&answer) }
        return answer
    }

    // MARK: What belongs to no room

    /// Messages that came in while the client was away may be more than fit: then the whole response ends where they end.
    private mutating func readToDevice(_ answer: inout SyncAnswer) async throws {
        guard scope.hasToDevice, let device = request.device else { return }
        var position = since ?? .zero
        repeat {
            let page = try await engine.toDevice.pending(
                for: request.user, device: device, after: position, upTo: upTo, limit: SyncReader.toDeviceLimit)
            answer.toDevice += page.events
            position = page.next
            // An initial sync has to show the rooms as they are now, so it takes all that wait.
        } while since == nil && position < upTo
        if position < upTo { cut(to: position) }
        answer.nextBatch = upTo
    }

    private mutating func cut(to position: StreamPosition) {
        upTo = position
        scope.upTo = position
        for index in scope.rooms.indices { scope.rooms[index].timeline.cut(to: position) }
    }

    /// Reads the account data, and adds the rooms to the scope in which nothing else is new.
    ///
    /// - Returns: what belongs to rooms.
    private mutating func readAccountData(_ answer: inout SyncAnswer) async throws -> [RoomID: [AccountDataItem]] {
        guard scope.hasAccountData else { return [:] }
        let items = try await engine.accountData.changes(
            for: request.user, after: request.wantsFullState ? nil : since, upTo: upTo)
        var byRoom: [RoomID: [AccountDataItem]] = [:]
        for item in items {
            if let room = item.room {
                let passes = filter.filter.room.accountData.passes(type: item.type, sender: nil, room: room, content: nil)
                if passes { byRoom[room, default: []].append(item) }
            } else if filter.filter.accountData.passes(type: item.type, sender: nil) {
                answer.accountData.append(item)
            }
        }
        let known = Set(scope.rooms.map(\.room.room))
        let others = byRoom.keys.filter { !known.contains($0) }
        if !others.isEmpty { scope.rooms += engine.quietRooms(others, of: request, since: since) }
        return byRoom
    }

    private mutating func readDevices(_ answer: inout SyncAnswer) async throws {
        if let since, scope.hasDeviceLists {
            (answer.devicesChanged, answer.devicesLeft) = try await engine.deviceLists.changes(
                for: request.user, after: since, upTo: upTo)
        }
        if let device = request.device {
            answer.keyCounts = try await engine.keys.keyCounts(of: DeviceAddress(user: request.user, device: device))
            answer.keysChanged = scope.hasKeys
        }
    }

    // MARK: Rooms

    /// The receipts of all rooms at once. A room that the client does not know yet gets all of its receipts.
    private func readReceipts() async throws -> [RoomID: [UInt8]] {
        var known: [RoomID] = []
        var unknown: [RoomID] = []
        for room in scope.rooms where room.hasReceipts && room.room.membership == .join {
            guard filter.passesEphemeral(SyncAnswer.receiptType, in: room.room.room) else { continue }
            if let since, room.room.position <= since, !request.wantsFullState, !isNewlyShown(room) {
                known.append(room.room.room)
            } else {
                unknown.append(room.room.room)
            }
        }
        var receipts: [RoomID: [UInt8]] = [:]
        if !known.isEmpty {
            receipts = try await engine.receipts.receipts(in: known, for: request.user, after: since, upTo: upTo)
        }
        if !unknown.isEmpty {
            let all = try await engine.receipts.receipts(in: unknown, for: request.user, after: nil, upTo: upTo)
            receipts.merge(all) { _, new in new }
        }
        return receipts
    }

    /// Whether the client sees the room now for the first time, because not all its members had been known before.
    func isNewlyShown(_ room: RoomScope) -> Bool { hasBecomeWhole(room) && !filter.lazyLoadsMembers }

    /// Whether it is news that all members of the room are known.
    func hasBecomeWhole(_ room: RoomScope) -> Bool { room.wholeAt.map { $0 <= upTo } ?? false }

    private func read(_ room: RoomScope, _ data: [AccountDataItem], receipts: [UInt8]?, _ answer: inout SyncAnswer) async throws {
        let standing = try await standing(in: room.room)
        switch standing.membership {
        case .join:
            guard let found = try await joinedRoom(room, standing, data, receipts: receipts) else { return }
            answer.joined.append(found)
        case .invite:
            guard standing.isNew, let invite = try await strippedRoom(room.room, standing) else { return }
            if !scope.ignoredUsers.contains(invite.membership.sender) { answer.invited.append(invite) }
        case .knock:
            guard standing.isNew, let knock = try await strippedRoom(room.room, standing) else { return }
            answer.knocked.append(knock)
        case .leave, .ban:
            guard standing.isNew, let found = try await leftRoom(room, standing, data) else { return }
            answer.left.append(found)
        case nil:
            return
        }
    }

    /// Client-Server API §Invite permission: invites from before are not shown either.
    private func refusesInvites() async throws -> Bool {
        InvitePermission(stored: try await engine.accountData.content(InvitePermission.type, room: nil, of: request.user)).blocksAll
    }

    /// Asked for only where it matters: when an initial sync may show rooms that the user has left.
    private func forgottenRooms() async throws -> Set<RoomNID> {
        guard since == nil, scope.rooms.contains(where: { $0.room.membership == .leave || $0.room.membership == .ban }) else { return [] }
        let user = request.user
        let rows = try await engine.database.read { try MembershipStore.rooms(of: user, on: $0) }
        return Set(rows.filter(\.forgotten).map(\.roomNID))
    }

    private func readPDUs(_ answer: inout SyncAnswer) async throws {
        let nids = (answer.joined + answer.left).flatMap { room in room.timeline.events.map(\.nid) + room.state.map(\.nid) }
        answer.pdus = try await engine.database.read { try SyncStore.pdus(nids, on: $0) }
    }
}

extension TimelineWindow.Candidates {
    /// Leaves out what came before a gap, and the gap.
    ///
    /// - Parameter gap: its floor, down to which all events are here.
    mutating func cut(above gap: StreamPosition) {
        let rest = events.filter { $0.position > gap }
        self = TimelineWindow.Candidates(events: rest, floor: rest.first?.position.predecessor ?? upTo, upTo: upTo)
    }

    /// Leaves out what came after `position`.
    mutating func cut(to position: StreamPosition) {
        guard position < upTo else { return }
        self = TimelineWindow.Candidates(
            events: events.filter { $0.position <= position }, floor: min(floor, position), upTo: position)
    }
}
