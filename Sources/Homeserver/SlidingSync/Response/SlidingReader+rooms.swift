// One room of an answer. MSC4186.

import MatrixCore
import Persistence
import Rooms
import Synchronization

extension SlidingReader {
    /// What has to be told of a room; notes it in `updates`. nil where there is nothing.
    mutating func read(_ glance: RoomGlance, _ config: RoomConfig) async throws -> SlidingRoom? {
        let nid = glance.room.nid
        let before = since == nil ? nil : state(of: nid)
        var from = before?.upTo
        let reader = syncReader(config.timelineLimit, since: from)
        let standing = try await reader.standing(in: glance.room)
        var next = before ?? SentRoom(config: config)
        var room = SlidingRoom(room: glance.room.room, nid: nid, membership: glance.room.membership)
        room.isDirect = memo.catalog.direct.contains(glance.room.room)
        switch glance.room.membership {
        case .join:
            // What was sent to somebody who was not in the room is not enough to go on from; nor what was sent before its members were known.
            if standing.isNewlyJoined || hasBecomeWhole(nid, after: from) { from = nil }
            try await readJoined(&room, &next, RoomReading(glance: glance, config: config, from: from, reader: reader))
        case .leave, .ban:
            let reading = RoomReading(glance: glance, config: config, from: from, reader: reader)
            guard try await readLeft(&room, &next, reading, standing) else { return nil }
        case .invite, .knock:
            room.isInitial = from == nil
            if room.isInitial || standing.isNew { try await readStripped(&room, glance, standing, reader) }
        }
        if room.isInitial { next.config = config }
        next.upTo = upTo
        updates[nid] = next
        return room
    }

    private func hasBecomeWhole(_ room: RoomNID, after from: StreamPosition?) -> Bool {
        guard let from, let position = engine.sync.rooms.environment.partialRooms.wholeAt(room) else { return false }
        return position > from && position <= upTo
    }

    /// One look at one room.
    struct RoomReading {
        let glance: RoomGlance
        let config: RoomConfig
        /// The client has seen everything up to here; nil where it knows nothing of the room.
        let from: StreamPosition?
        let reader: SyncReader

        var isInitial: Bool { from == nil }
    }

    /// What reads timelines, as for `/sync`.
    private func syncReader(_ limit: Int, since: StreamPosition?) -> SyncReader {
        let request = SyncRequest(user: request.user, device: request.device, filter: engine.timelineFilter(limit))
        return SyncReader(
            engine: engine.sync, request: request, scope: SyncScope(upTo: upTo, since: since, ignoredUsers: scope.ignoredUsers))
    }

    private func roomScope(_ reading: RoomReading, from: StreamPosition?) -> RoomScope {
        let (room, end, filter) = (reading.glance.room, upTo, reading.reader.filter)
        return engine.sync.state.withLock { $0.roomScope(room, after: from, upTo: end, filter, now: SyncTimer.now) }
    }

    // MARK: Joined rooms

    private mutating func readJoined(_ room: inout SlidingRoom, _ next: inout SentRoom, _ reading: RoomReading) async throws {
        let (config, from, reader) = (reading.config, reading.from, reading.reader)
        room.isInitial = from == nil
        room.isExpanded = from != nil && next.config.timelineLimit < config.timelineLimit
        let timelineFrom = room.isExpanded ? nil : from
        let scope = roomScope(reading, from: timelineFrom)
        let base = try await reader.base(of: scope)
        if config.timelineLimit > 0 {
            try await readTimeline(&room, scope, from: timelineFrom, view: reader.joinedView(base), reader)
        }
        let changed = try await changes(reading, room.timeline, timelineFrom: timelineFrom)
        let current = RoomStateView(base: base)
        try await describe(&room, current, changed, reading)
        room.requiredState = try await requiredState(current, changed, &next, reading, room.timeline)
        let isLimited = room.timeline?.isLimited
        room.bumpStamp = try await bumpStamp(
            room, scope, create: base.snapshot.entry(.create)?.position, isWanted: room.isInitial || isLimited != false)
        if !room.isInitial {
            let known = next.config.timelineLimit
            let limit = room.isExpanded ? config.timelineLimit : isLimited == true ? min(known, config.timelineLimit) : known
            next.config = RoomConfig(timelineLimit: limit, required: next.config.required)
        }
    }

    private func readTimeline(
        _ room: inout SlidingRoom, _ scope: RoomScope, from: StreamPosition?, view: RoomView, _ reader: SyncReader
    ) async throws {
        var answer = RoomAnswer(room: room.room, nid: room.nid, timeline: try await reader.timeline(of: scope, from: from, view: view))
        try await reader.hideErased(in: &answer, scope)
        room.timeline = answer.timeline
        if let since { room.liveCount = answer.timeline.events.reversed().prefix { $0.position > since }.count }
        // What relates to events that are not new may be out of the client's sight.
        guard answer.timeline.isLimited || from == nil, !answer.timeline.events.isEmpty else { return }
        let found = try await events.aggregations(of: answer.timeline.events, for: request.user, ignoring: self.scope.ignoredUsers)
        if !found.isEmpty { room.aggregations = try await reader.visible(found, in: room.room) }
    }

    /// What changed in the room's state since the client last got something of the room: for each key the last event.
    private func changes(
        _ reading: RoomReading, _ timeline: TimelineWindow?, timelineFrom: StreamPosition?
    ) async throws -> [StateKey: EventNID] {
        let glance = reading.glance
        guard let from = reading.from, glance.newest > from else { return [:] }
        if let timeline, timelineFrom == from, !timeline.isLimited {
            var last: [StateKey: EventNID] = [:]
            for event in timeline.passed {
                if let stateKey = event.stateKey { last[StateKey(type: event.type, stateKey: stateKey)] = event.nid }
            }
            return last
        }
        if glance.floor <= from, glance.stateAt <= from { return [:] }
        return try await events.stateChanges(glance.room.nid, after: from, upTo: upTo)
    }

    // MARK: Rooms that were left

    /// - Returns: false where there is nothing to tell.
    private mutating func readLeft(
        _ room: inout SlidingRoom, _ next: inout SentRoom, _ reading: RoomReading, _ standing: RoomStanding
    ) async throws -> Bool {
        let (glance, config, reader) = (reading.glance, reading.config, reading.reader)
        let found: TimelineEvent?
        if let event = standing.event { found = event } else { found = try await events.event(glance.room.event) }
        guard let departure = found else { return false }
        room.isInitial = reading.isInitial
        room.bumpStamp = departure.position
        let isKnown = standing.before == .join || (reading.from.map { departure.position <= $0 } ?? false)
        guard isKnown || standing.wasIn || departure.previousMembership == .join else {
            // An invite that ended: of the room itself the user has seen nothing.
            if config.timelineLimit > 0 {
                var timeline = TimelineWindow(start: departure.position, previousBatch: departure.position.predecessor)
                timeline.events = [departure]
                timeline.memberships = [departure.membership]
                room.timeline = timeline
                if let since, departure.position > since { room.liveCount = 1 }
            }
            if config.required.selects(.member(request.user), for: request.user) { room.requiredState = [departure] }
            return true
        }
        room.isExpanded = !room.isInitial && next.config.timelineLimit < config.timelineLimit
        let from = isKnown ? reading.from : nil
        if config.timelineLimit > 0 {
            let timelineFrom = room.isExpanded ? nil : from
            let scope = roomScope(reading, from: timelineFrom)
            try await readTimeline(&room, scope, from: timelineFrom, view: try await reader.leftView(of: scope, departure), reader)
        }
        var changed: [StateKey: EventNID] = [:]
        if let from, departure.position > from {
            changed = try await events.stateChanges(room.nid, after: from, upTo: departure.position)
            changed[.member(request.user)] = departure.nid
        }
        var past = try await events.state(at: departure.snapshotBefore)
        past[.member(request.user)] = departure.nid
        let view = RoomStateView(past: past)
        try await describe(&room, view, changed, reading)
        room.requiredState = try await requiredState(view, changed, &next, reading, room.timeline)
        if room.isExpanded { next.config = RoomConfig(timelineLimit: config.timelineLimit, required: next.config.required) }
        return true
    }

    // MARK: Invites and knocks

    private func readStripped(
        _ room: inout SlidingRoom, _ glance: RoomGlance, _ standing: RoomStanding, _ reader: SyncReader
    ) async throws {
        room.stripped = try await reader.strippedRoom(glance.room, standing)
        room.bumpStamp = glance.room.position
        guard room.isInitial, let event = room.stripped?.membership else { return }
        let keys: [StateKey] = [.name, .avatar]
        let view = RoomStateView(past: try await events.state(keys, at: event.snapshotBefore))
        room.name = try await text("name", of: .name, in: view)
        room.avatar = try await text("url", of: .avatar, in: view)
    }

    // MARK: Bump stamps

    /// What moves a room up in the clients' lists, as with Synapse.
    private static let bumpTypes: Set<ByteString> = [
        "m.room.create", "m.room.message", "m.room.encrypted", "m.sticker", "m.call.invite", "m.poll.start", "m.beacon_info",
    ]

    /// How many of the newest events of a room are looked at in search of one that moves it.
    private static let bumpDepth = 2000

    /// - Parameters:
    ///   - create: where the create event stands, which counts where nothing newer is found.
    ///   - isWanted: also where none of the new events moves the room.
    private func bumpStamp(
        _ room: SlidingRoom, _ scope: RoomScope, create: StreamPosition?, isWanted: Bool
    ) async throws -> StreamPosition? {
        func newest(_ events: [TimelineEvent]) -> StreamPosition? {
            events.last { SlidingReader.bumpTypes.contains($0.type) }?.position
        }
        if let found = newest(room.timeline?.events ?? []) { return found }
        guard isWanted else { return nil }
        if let found = newest(room.timeline?.passed ?? []) ?? newest(scope.timeline.events) { return found }
        let (nid, end) = (room.nid, upTo)
        let found = try await engine.sync.database.read { connection in
            try SlidingSyncStore.newest(
                of: Array(SlidingReader.bumpTypes), in: nid, upTo: end, depth: SlidingReader.bumpDepth, on: connection)
        }
        return found ?? create ?? scope.room.position
    }
}
