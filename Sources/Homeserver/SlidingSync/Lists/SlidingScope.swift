// What an answer of sliding sync has to look at, taken from memory in one step.

import MatrixCore
import Persistence
import Rooms

/// A room at a glance.
struct RoomGlance: Sendable {
    let room: FeedRoom
    /// Of what lists sort by: the newest event that the user may know of.
    let newest: StreamPosition
    /// Nothing is known of what else happened up to here.
    var floor: StreamPosition
    var stateAt: StreamPosition = .zero
    var receiptAt: StreamPosition = .zero
    var typingAt: StreamPosition = .zero

    func hasReceipts(after since: StreamPosition) -> Bool { floor > since || receiptAt > since }
    func hasTyping(after since: StreamPosition) -> Bool { floor > since || typingAt > since }
}

/// The moment that an answer describes.
struct SlidingScope: Sendable {
    let upTo: StreamPosition
    /// Whether all of the user's rooms are among `glances`; else those in which something happened lately.
    var isWhole: Bool
    var glances: [RoomNID: RoomGlance] = [:]
    let ignoredUsers: Set<UserID>
    let accountDataAt: StreamPosition
    var hasAccountData = true
    var hasDeviceLists = false
    var hasKeys = false
    var hasThreadSubscriptions = true
}

/// Who asks, as far as the scope depends on it.
struct SlidingScopeQuestion: Sendable {
    let user: UserID
    let device: DeviceID?
    /// The client has seen everything up to here; nil on a new connection.
    let since: StreamPosition?
    /// Rooms in which nothing happened after this need not be looked at; nil where all have to be.
    var settled: StreamPosition?
    /// Rooms that have to be looked at anyway.
    var subscribed: [RoomID] = []
    var others: Set<RoomNID> = []
}

extension SyncState {
    /// nil when the user's feed is not loaded, or its ignored users are not known.
    mutating func slidingScope(_ question: SlidingScopeQuestion, now: Int64) -> SlidingScope? {
        let feed = feed(of: question.user, now: now)
        guard feed.isLoaded, let ignoredUsers = feed.ignoredUsers else { return nil }
        let device = question.device.map { deviceFeed($0, of: feed) }
        let touched = question.settled.flatMap { $0 >= feed.floor ? feed.recent.rooms(after: $0) : nil }
        var scope = SlidingScope(
            upTo: position, isWhole: touched == nil, ignoredUsers: ignoredUsers, accountDataAt: feed.accountDataAt)
        for nid in touched ?? Array(feed.rooms.keys) { scope.glances[nid] = glance(nid, of: feed) }
        for nid in question.others { scope.glances[nid] = glance(nid, of: feed) }
        var numbers: [RoomID: RoomNID]?
        for room in question.subscribed {
            if let tail = tail(of: room) {
                scope.glances[tail.nid] = glance(tail.nid, of: feed)
                continue
            }
            // A room without a tail is one that the user is not in.
            let known = numbers ?? Dictionary(feed.rooms.values.map { ($0.room, $0.nid) }) { first, _ in first }
            numbers = known
            if let nid = known[room] { scope.glances[nid] = glance(nid, of: feed) }
        }
        guard let since = question.since else { return scope }
        let isKnown = since >= feed.floor
        scope.hasAccountData = !isKnown || feed.accountDataAt > since
        scope.hasThreadSubscriptions = !isKnown || feed.threadSubscriptionsAt > since
        scope.hasKeys = device.map { $0.keysAt > since } ?? false
        scope.hasDeviceLists = !isKnown || feed.deviceListAt > since || scope.glances.values.contains { movedMembers($0, after: since) }
        return scope
    }

    /// Whether people may have come into a room or gone.
    private func movedMembers(_ glance: RoomGlance, after since: StreamPosition) -> Bool {
        if glance.room.position > since { return true }
        guard glance.room.membership == .join, let tail = tails[glance.room.nid] else { return false }
        return tail.membershipAt > since || (tail.floor > since && tail.eventAt > since)
    }

    private func glance(_ nid: RoomNID, of feed: UserFeed) -> RoomGlance? {
        guard let room = feed.rooms[nid] else { return nil }
        guard room.membership == .join, let tail = tails[nid] else {
            return RoomGlance(room: room, newest: room.position, floor: room.position)
        }
        return RoomGlance(
            room: room, newest: tail.eventAt, floor: tail.floor, stateAt: tail.stateAt, receiptAt: tail.receiptAt, typingAt: tail.typingAt)
    }

    /// Rooms that have come into view although nothing happened in them: those that are as they were at `end`.
    func glances(_ rooms: [RoomNID], of user: UserID, upTo end: StreamPosition) -> [RoomNID: RoomGlance] {
        guard let feed = feeds[user] else { return [:] }
        var found: [RoomNID: RoomGlance] = [:]
        for nid in rooms {
            if let glance = glance(nid, of: feed), glance.room.position <= end { found[nid] = glance }
        }
        return found
    }

    /// The number of a room that the user is in, is invited to, or was in.
    func number(of room: RoomID, for user: UserID) -> RoomNID? {
        guard let rooms = feeds[user]?.rooms else { return nil }
        if let tail = tail(of: room), rooms[tail.nid] != nil { return tail.nid }
        return rooms.values.first { $0.room == room }?.nid
    }

    /// What is known of a room up to `end`.
    func roomScope(
        _ room: FeedRoom, after since: StreamPosition?, upTo end: StreamPosition, _ filter: SyncFilter, now: Int64
    ) -> RoomScope {
        var scope = roomScope(room, since, filter, now: now)
        scope.timeline.cut(to: min(end, room.membership == .join ? end : room.position))
        scope.newest = min(scope.newest, end)
        return scope
    }
}
