// What the sync engine keeps of a room: its newest events, and who is to be told of the next one.

import HashTreeCollections
import MatrixCore
import Persistence
import Rooms
import Synchronization

/// The end of one room. Exists while members of the room sync. Belongs to `SyncState`, under whose lock alone it is used.
package final class RoomTail {
    package let room: RoomID
    package let nid: RoomNID
    /// Everything after this position is known here.
    package let floor: StreamPosition
    package var ring: EventRing
    /// The room's newest event.
    package var eventAt: StreamPosition
    /// The newest change of anyone's membership in the room; `floor` where none is known. The other three likewise.
    package var membershipAt: StreamPosition
    package var stateAt: StreamPosition
    package var receiptAt: StreamPosition
    package var typingAt: StreamPosition
    /// When the timeline was last another one than before: by a redaction that took effect, or by events that were found in a gap.
    package private(set) var changedAt: StreamPosition
    /// The joined users who have a feed.
    package var feeds: [UserID: UserFeed] = [:]
    /// The room's state as of `stateAt` or later; nil when it must be asked for.
    package private(set) var base: RoomBase?
    /// The newest rendering of the end of the timeline.
    package var rendered: RenderedTimeline?
    package var lastUsed: Int64 = 0

    /// - Parameters:
    ///   - position: up to which commits have been applied.
    ///   - newest: the position of the room's newest event.
    package init(room: RoomID, nid: RoomNID, at position: StreamPosition, newest: StreamPosition) {
        self.room = room
        self.nid = nid
        floor = position
        ring = EventRing(floor: position)
        eventAt = newest
        membershipAt = position
        stateAt = position
        receiptAt = position
        typingAt = position
        changedAt = position
    }

    /// - Returns: how much more the tail holds now, in bytes.
    package func append(_ event: TimelineEvent) -> Int {
        let before = ring.byteCount
        if let redacted = event.redacts {
            ring.forget(redacted)
            changedAt = event.position
        }
        ring.append(event)
        eventAt = max(eventAt, event.position)
        rendered = nil
        if event.isState {
            stateAt = event.position
            if let base, base.snapshot.position < event.position { self.base = nil }
            if event.membership != nil, event.membership != event.previousMembership { membershipAt = event.position }
        }
        return ring.byteCount - before
    }

    /// Events have come to stand between those that are here.
    package func forgetTimeline(at position: StreamPosition) {
        ring.removeAll(upTo: position)
        changedAt = position
        rendered = nil
    }

    /// All members of the room are known now, and what had been found out without them has been found out anew.
    package func complete(at position: StreamPosition) {
        eventAt = max(eventAt, position)
        stateAt = position
        membershipAt = position
        base = nil
        rendered = nil
    }

    /// Keeps the room's state for those who ask next, unless it has changed since it was read.
    ///
    /// - Parameter asOf: everything up to there is in the state, which may end earlier if nothing happened in between.
    package func keep(_ base: RoomBase, asOf: StreamPosition) {
        guard max(base.snapshot.position, asOf) >= stateAt else { return }
        if let known = self.base, known.snapshot.position >= base.snapshot.position { return }
        self.base = base
    }

    /// Keeps a rendering of the end of the timeline, if it is still the end.
    package func keep(_ timeline: RenderedTimeline) {
        if ring.events.last?.nid == timeline.last { rendered = timeline }
    }
}

/// The current state of a room, kept between syncs.
package final class RoomBase: Sendable {
    package let snapshot: RoomSnapshot
    private let others = Mutex<[(key: StateKey, event: EventNID)]?>(nil)

    package init(_ snapshot: RoomSnapshot) {
        self.snapshot = snapshot
    }

    /// The state without members: with lazily loaded members, a large room costs no more than a small one.
    package var withoutMembers: [(key: StateKey, event: EventNID)] {
        if let known = others.withLock({ $0 }) { return known }
        let found = snapshot.state.compactMap { key, entry in
            key.type == StateKey.memberType ? nil : (key: key, event: entry.nid)
        }
        others.withLock { $0 = found }
        return found
    }
}

/// The bytes of a `timeline` that are the same for everyone who gets the same events by the same filter.
package struct RenderedTimeline: Sendable {
    package let first: EventNID
    package let last: EventNID
    package let count: Int
    package let format: SyncFilter
    /// When it was made: the events' ages in it are as of then.
    package let time: Timestamp
    /// One JSON object.
    package let bytes: [UInt8]

    /// How long the ages are near enough, in milliseconds.
    package static let lifetime: Int64 = 1000

    package func fits(_ events: [TimelineEvent], _ filter: SyncFilter, now: Timestamp) -> Bool {
        events.count == count && events.first?.nid == first && events.last?.nid == last && format === filter
            && now.milliseconds - time.milliseconds <= RenderedTimeline.lifetime
    }
}
