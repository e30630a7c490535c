// Joined rooms and rooms that were left.

import MatrixCore
import Persistence
import Rooms

extension SyncReader {
    // MARK: Joined rooms

    /// nil when there is nothing to tell.
    func joinedRoom(
        _ room: RoomScope, _ standing: RoomStanding, _ data: [AccountDataItem], receipts: [UInt8]?
    ) async throws -> RoomAnswer? {
        let isNew = since != nil && (standing.isNewlyJoined || isNewlyShown(room))
        let isWhole = since == nil || isNew || request.wantsFullState
        var answer = RoomAnswer(
            room: room.room.room, nid: room.room.nid, timeline: TimelineWindow(start: upTo, previousBatch: upTo))
        if room.hasEvents || isWhole {
            let from = isNew ? nil : since
            let needsBase = isWhole || filter.lazyLoadsMembers
            let base = needsBase ? try await base(of: room) : nil
            answer.timeline = try await timeline(of: room, from: from, view: base.map { joinedView($0) })
            // A client that comes into a room has missed something, whether or not all of it fits in.
            if isNew { answer.timeline.isLimited = true }
            // Where the whole room fits in, nothing is left to page back to. As with Synapse the token is one from which a client
            // gets it once more all the same.
            if since == nil, !answer.timeline.isLimited { answer.timeline.previousBatch = upTo }
            try await hideErased(in: &answer, room)
            try await addState(to: &answer, room: room, base: base, isWhole: isWhole)
            answer.rendered = room.rendered
            answer.isShareable = isShareable(answer.timeline, whole: from == nil)
        }
        answer.accountData = isNew ? try await allAccountData(of: room.room.room) : data
        answer.receipts = receipts
        answer.typing = typing(in: room, isWhole: isWhole)
        // How many are in it, clients hear at once.
        answer.isWanted = isWhole || hasBecomeWhole(room)
        answer.isNew = isNew
        return answer.isEmpty ? nil : answer
    }

    /// The room's state, newest.
    func base(of room: RoomScope) async throws -> RoomBase {
        if let base = room.base { return base }
        let base = RoomBase(try await engine.rooms.existing(room.room.room).current)
        engine.keep(base, asOf: scope.upTo)
        return base
    }

    /// The room as its member may read it.
    func joinedView(_ base: RoomBase) -> RoomView {
        RoomView(viewer: request.user, snapshot: base.snapshot, standing: .member)
    }

    private func allAccountData(of room: RoomID) async throws -> [AccountDataItem] {
        try await engine.accountData.changes(for: request.user, after: nil, upTo: upTo).filter { item in
            item.room == room && filter.filter.room.accountData.passes(type: item.type, sender: nil, room: room, content: nil)
        }
    }

    private func typing(in room: RoomScope, isWhole: Bool) -> [UserID]? {
        guard room.hasTyping || isWhole, filter.passesEphemeral(SyncAnswer.typingType, in: room.room.room) else { return nil }
        let (changedAt, users) = engine.typing.state(in: room.room.room)
        // That nobody types any more is said to a client that begins as well, while it is remembered; so does Synapse.
        if isWhole { return changedAt == .zero ? nil : users }
        guard let since, changedAt > since, changedAt <= upTo else { return nil }
        return users
    }

    /// Whether every other reader of these events by this filter gets the same bytes.
    private func isShareable(_ timeline: TimelineWindow, whole: Bool) -> Bool {
        guard !whole, !timeline.isLimited, timeline.memberships.isEmpty, !timeline.events.isEmpty,
            filter.filter.eventFormat == .client
        else { return false }
        return timeline.events.allSatisfy { event in
            event.transaction == nil || event.sender != request.user || event.transaction?.device != request.device
        }
    }

    // MARK: Rooms that were left

    /// nil when there is nothing to tell.
    func leftRoom(_ room: RoomScope, _ standing: RoomStanding, _ data: [AccountDataItem]) async throws -> RoomAnswer? {
        let found: TimelineEvent?
        if let event = standing.event { found = event } else { found = try await events.event(room.room.event) }
        guard let departure = found else { return nil }
        if since == nil, !isShownInitially(room.room, departure) { return nil }
        var answer = RoomAnswer(
            room: room.room.room, nid: room.room.nid,
            timeline: TimelineWindow(start: departure.position, previousBatch: departure.position))
        answer.accountData = data
        answer.isWanted = true
        let wasMember = since == nil ? departure.previousMembership == .join : standing.wasIn
        guard wasMember else {
            // An invite that ended: of the room itself the user has seen nothing.
            if filter.passesTimeline(departure) {
                answer.timeline.events = [departure]
                answer.timeline.memberships = [departure.membership]
                answer.timeline.previousBatch = StreamPosition(departure.position.value - 1)
            }
            return answer
        }
        var ended = room
        ended.timeline.cut(to: departure.position)
        let isWhole = since == nil || standing.before != .join || request.wantsFullState
        answer.timeline = try await timeline(
            of: ended, from: standing.before == .join ? since : nil, view: try await leftView(of: room, departure))
        if since != nil, standing.before != .join { answer.timeline.isLimited = true }
        try await hideErased(in: &answer, room)
        try await addState(to: &answer, leftBy: departure, isWhole: isWhole)
        return answer
    }

    /// Left rooms are in an initial sync only when the client wants them; those from which others removed the user always are, as
    /// with Synapse, and forgotten ones never.
    private func isShownInitially(_ room: FeedRoom, _ departure: TimelineEvent) -> Bool {
        if forgotten.contains(room.nid) { return false }
        return filter.filter.room.includeLeave || departure.membership == .ban || departure.sender != request.user
    }

    /// The room as they may read it who have left it by `departure`.
    func leftView(of room: RoomScope, _ departure: TimelineEvent) async throws -> RoomView {
        RoomView(viewer: request.user, snapshot: try await base(of: room).snapshot, standing: .departed(departure: departure))
    }

    // MARK: Timelines

    /// How many events a response looks at in search of those that pass the filter.
    static let scanLimit = 1000

    /// The part of the timeline that the client gets.
    ///
    /// - Parameters:
    ///   - from: the client has seen everything up to here; nil where it knows nothing of the room. Then what the user may see of
    ///     the room's past depends on its history visibility.
    ///   - view: by which that is found out; not looked at where `from` is given.
    func timeline(of room: RoomScope, from: StreamPosition?, view: RoomView?) async throws -> TimelineWindow {
        var candidates = room.timeline
        // Nothing can pass: the state of the room's end is all there is to tell, and no past has to be read.
        if filter.filter.room.timeline.passesNothing || !filter.filter.room.timeline.rooms.passes(room.room.room) {
            return TimelineWindow(start: candidates.upTo, previousBatch: candidates.upTo)
        }
        let horizon = try await horizon(of: room)
        var sight = from == nil ? view.map { Sight($0) } : nil
        var wish = TimelineWindow.Wish(since: from, limit: filter.timelineLimit)
        // What comes before a gap does not belong to what comes after it: the client pages back, and what is missing is fetched.
        let gap = engine.rooms.environment.gaps.newest(
            in: room.room.nid, from: candidates.upTo, downTo: from ?? .start, asOf: upTo)
        while true {
            if let gap, candidates.floor <= gap.next {
                candidates.cut(above: gap)
                wish.isFinal = true
            }
            try await sight?.extend(to: candidates.events, in: events)
            let related = try await events.related(candidates.events, by: filter.filter.room.timeline)
            let decision =
                if let sight {
                    TimelineWindow.decide(
                        candidates, wish, admit: { sight.showsInSync($0) && isAdmitted($0, related, horizon) },
                        membership: { sight.membership(at: $0) })
                } else {
                    TimelineWindow.decide(candidates, wish, admit: { isAdmitted($0, related, horizon) })
                }
            switch decision {
            case .window(let window): return window
            case .needsOlder:
                wish.isFinal = try await readOlder(&candidates, of: room.room.nid, from: gap?.next ?? from)
            }
        }
    }

    /// Messages from before that time have outlived what the room or the operator allows.
    private func horizon(of room: RoomScope) async throws -> Timestamp? {
        guard engine.retention.isEnabled else { return nil }
        return try await engine.retention.horizon(of: try await base(of: room).snapshot, in: events)
    }

    private func isAdmitted(_ event: TimelineEvent, _ related: Set<EventID>?, _ horizon: Timestamp?) -> Bool {
        if let related, !related.contains(event.id) { return false }
        if event.isBeyond(horizon) { return false }
        // State is told even when an ignored user sets it: the room would look different otherwise.
        if !scope.ignoredUsers.isEmpty, !event.isState, scope.ignoredUsers.contains(event.sender) { return false }
        return filter.passesTimeline(event)
    }

    /// Reads the events before those that are known.
    ///
    /// - Returns: whether no more are to be read, whatever was found.
    private func readOlder(
        _ candidates: inout TimelineWindow.Candidates, of room: RoomNID, from: StreamPosition?
    ) async throws -> Bool {
        let limit = min(max(filter.timelineLimit, 31) + 1, SyncReader.scanLimit)
        let after = from ?? .start
        let older = try await events.timelineBackwards(room, after: after, upTo: candidates.floor, limit: limit)
        let floor = older.count < limit ? after : older.last.map { StreamPosition($0.position.value - 1) } ?? after
        engine.keep(older.reversed(), after: floor, upTo: candidates.floor, of: room, asOf: scope.upTo)
        candidates.events.insert(contentsOf: older.reversed(), at: 0)
        candidates.floor = floor
        return candidates.events.count >= SyncReader.scanLimit
    }

    /// The events behind the end of the response that the room's state has already taken in; nearly always none.
    func newerEvents(in room: RoomNID, than position: StreamPosition, upTo: StreamPosition?) async throws -> [TimelineEvent] {
        guard let upTo, upTo > position else { return [] }
        return try await events.timeline(room, after: position, upTo: upTo, limit: .max)
    }
}
