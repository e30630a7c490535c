// All that the sync engine knows in memory: a value that commits are applied to and syncs are answered from.

import MatrixCore
import Persistence
import Rooms

/// The feeds of the users who sync and the tails of their rooms, as of `position`.
///
/// It decides and never waits; `SyncEngine` holds it under one lock. A commit is applied whole under that lock, so a sync sees all
/// of it or nothing. A commit costs what it tells and the number of *active* members of its rooms; rooms and users without a client
/// that syncs cost nothing.
package struct SyncState {
    /// Everything up to here has been applied.
    package var position: StreamPosition
    package var feeds: [UserID: UserFeed] = [:]
    package private(set) var tails: [RoomNID: RoomTail] = [:]
    private var numbers: [RoomID: RoomNID] = [:]
    /// Whose presence changed lately.
    package var presences: PresenceWindow
    /// About how many bytes the events in the tails take.
    package private(set) var byteCount = 0
    private let byteLimit: Int
    /// Rooms that no sync shows.
    package let excludedRooms: Set<RoomID>
    /// Rooms of which not all members are known, and since when they are.
    let partialRooms: PartialRooms
    private var lastExpiry: Int64 = 0

    /// How long a feed outlives its last sync, in milliseconds.
    package static let feedLifetime: Int64 = 5 * 60 * 1000

    /// - Parameter byteLimit: how many bytes of events all tails together may keep.
    package init(
        at position: StreamPosition, byteLimit: Int, excludedRooms: Set<RoomID> = [], partialRooms: PartialRooms = PartialRooms()
    ) {
        self.partialRooms = partialRooms
        self.excludedRooms = excludedRooms
        self.position = position
        presences = PresenceWindow(startingAt: position)
        self.byteLimit = byteLimit
    }

    // MARK: Feeds

    /// The user's feed, made if there is none; it has to be loaded if it is not.
    package mutating func feed(of user: UserID, now: Int64) -> UserFeed {
        let feed = feeds[user] ?? UserFeed(user: user, at: position, now: now)
        feeds[user] = feed
        feed.lastUsed = now
        if now - lastExpiry > SyncState.feedLifetime / 10 { expire(now: now) }
        return feed
    }

    /// Completes a feed with what the database says.
    ///
    /// - Parameters:
    ///   - newest: the positions of the newest events of the rooms the user is in.
    ///   - asOf: up to which commits had been applied before the database was read.
    package mutating func load(_ feed: UserFeed, _ rows: [MembershipRow], newest: [RoomNID: StreamPosition], asOf: StreamPosition) {
        guard !feed.isLoaded else { return }
        feed.load(excludedRooms.isEmpty ? rows : rows.filter { !excludedRooms.contains($0.room) }, at: position)
        for room in feed.rooms.values where room.membership == .join {
            // What came while the database was read may be in its answer or not: then anything may have happened.
            let known = newest[room.nid] ?? room.position
            let tail = tail(room.room, room.nid, at: position, newest: position > asOf ? position : known)
            tail.feeds[feed.user] = feed
        }
    }

    /// Lets go of users who have not synced for a while, and of rooms where nobody does.
    package mutating func expire(now: Int64) {
        lastExpiry = now
        for feed in feeds.values where feed.waiters.isEmpty && now - feed.lastUsed > SyncState.feedLifetime {
            feeds[feed.user] = nil
            for room in feed.rooms.keys { tails[room]?.feeds[feed.user] = nil }
        }
        for tail in tails.values where tail.feeds.isEmpty && now - tail.lastUsed > SyncState.feedLifetime { remove(tail) }
    }

    // MARK: Tails

    /// The tail of a room, made if there is none.
    package mutating func tail(_ room: RoomID, _ nid: RoomNID, at position: StreamPosition, newest: StreamPosition) -> RoomTail {
        if let known = tails[nid] { return known }
        let tail = RoomTail(room: room, nid: nid, at: position, newest: newest)
        tails[nid] = tail
        numbers[room] = nid
        return tail
    }

    package func tail(of room: RoomID) -> RoomTail? {
        numbers[room].flatMap { tails[$0] }
    }

    package mutating func append(_ event: TimelineEvent, to tail: RoomTail) {
        byteCount += tail.append(event)
        if byteCount > byteLimit { shrink(sparing: tail) }
    }

    /// Keeps what a sync has read from the database, for the next one.
    ///
    /// - Parameters:
    ///   - older: every event of the room after `floor` and up to `end`.
    ///   - asOf: up to which commits had been applied before the events were read.
    package mutating func keep(
        _ older: [TimelineEvent], after floor: StreamPosition, upTo end: StreamPosition, of room: RoomNID, asOf: StreamPosition
    ) {
        // What was redacted or found meanwhile may have been read before that.
        guard let tail = tails[room], tail.changedAt <= asOf else { return }
        let before = tail.ring.byteCount
        tail.ring.prepend(older, after: floor, upTo: end)
        byteCount += tail.ring.byteCount - before
        if byteCount > byteLimit { shrink(sparing: tail) }
    }

    /// Forgets the events of the rooms that were not looked at for longest, down to three quarters of the budget.
    private mutating func shrink(sparing spared: RoomTail) {
        for tail in tails.values.sorted(by: { $0.lastUsed < $1.lastUsed }) where tail !== spared {
            if byteCount <= byteLimit * 3 / 4 { return }
            byteCount -= tail.ring.byteCount
            tail.ring.removeAll(upTo: position)
            tail.rendered = nil
            if tail.feeds.isEmpty { remove(tail) }
        }
    }

    /// What is read of the room's past from now on is read from the database.
    package mutating func forgetTimeline(of room: RoomID) {
        guard let tail = tail(of: room) else { return }
        byteCount -= tail.ring.byteCount
        tail.ring.removeAll(upTo: position)
        tail.rendered = nil
    }

    /// The same where events have come to stand between others: what was read before `position` is out of date.
    mutating func forgetTimeline(of tail: RoomTail, at position: StreamPosition) {
        byteCount -= tail.ring.byteCount
        tail.forgetTimeline(at: position)
    }

    private mutating func remove(_ tail: RoomTail) {
        byteCount -= tail.ring.byteCount
        tails[tail.nid] = nil
        numbers[tail.room] = nil
    }
}
