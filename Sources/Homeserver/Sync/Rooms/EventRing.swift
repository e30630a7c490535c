// The newest events of one room in memory, without a gap.

import DequeModule
import MatrixCore
import Persistence
import Rooms

/// A window on the end of a room's timeline. Every event of the room after `floor` is in it, oldest first.
package struct EventRing {
    package private(set) var events: Deque<TimelineEvent> = []
    /// Nothing is known of events up to and including this position.
    package private(set) var floor: StreamPosition
    /// About how many bytes the events take.
    package private(set) var byteCount = 0

    /// How many events one room may keep.
    package static let eventLimit = 128

    package init(floor: StreamPosition) {
        self.floor = floor
    }

    /// Whether every event after `position` is here.
    package func covers(after position: StreamPosition) -> Bool { position >= floor }

    /// Adds the room's newest event. One that is not newer than what is here was seen before, and is left out.
    package mutating func append(_ event: TimelineEvent) {
        guard event.position > (events.last?.position ?? floor) else { return }
        events.append(event)
        byteCount += event.cost
        if events.count > EventRing.eventLimit { removeOldest() }
    }

    /// Adds what was read from the database, if it reaches up to what is here: somebody who has left the room reads only up to there,
    /// and what was here when the reading began may have been forgotten since.
    ///
    /// - Parameters:
    ///   - older: events in order.
    ///   - newFloor: every event after it and up to `end` is in `older`.
    package mutating func prepend(_ older: [TimelineEvent], after newFloor: StreamPosition, upTo end: StreamPosition) {
        guard newFloor < floor, end >= floor else { return }
        let fitting = older.filter { $0.position > newFloor && $0.position <= floor }
        let kept = fitting.suffix(max(0, EventRing.eventLimit - events.count))
        for event in kept.reversed() {
            events.prepend(event)
            byteCount += event.cost
        }
        if kept.count == fitting.count {
            floor = newFloor
        } else if let firstKept = kept.first {
            floor = StreamPosition(firstKept.position.value - 1)
        }
    }

    /// The events with `after < position <= upTo`, oldest first, the newest `limit` of them.
    package func events(after: StreamPosition, upTo: StreamPosition, limit: Int = .max) -> [TimelineEvent] {
        let end = index(after: upTo)
        let start = max(index(after: after), limit < end ? end - limit : 0)
        return start < end ? Array(events[start..<end]) : []
    }

    /// Forgets `event` and everything before it: a redacted event is read again in its redacted form.
    package mutating func forget(_ event: EventID) {
        guard let index = events.lastIndex(where: { $0.id == event }) else { return }
        for _ in 0...index { removeOldest() }
    }

    /// Forgets all events, keeping what is to come.
    package mutating func removeAll(upTo position: StreamPosition) {
        events.removeAll()
        byteCount = 0
        floor = max(floor, position)
    }

    private mutating func removeOldest() {
        guard let oldest = events.popFirst() else { return }
        byteCount -= oldest.cost
        floor = oldest.position
    }

    /// The index of the first event after `position`.
    private func index(after position: StreamPosition) -> Int {
        // What is asked for is nearly always at the end.
        if let last = events.last, last.position <= position { return events.count }
        var low = 0
        var high = events.count
        while low < high {
            let middle = (low + high) / 2
            if events[middle].position <= position { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
