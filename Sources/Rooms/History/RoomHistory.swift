// Reading a room: pages of its history, single events, its state. Client-Server API §Getting events for a room.

import MatrixCore
import Persistence

/// Answers what users ask of a room's past and present, within what each may see.
package struct RoomHistory: Sendable {
    let rooms: RoomRegistry
    let events: EventReader

    package init(rooms: RoomRegistry, events: EventReader) {
        self.rooms = rooms
        self.events = events
    }

    package enum Direction: String, Sendable {
        case backwards = "b"
        case forwards = "f"
    }

    /// One page of a room's history.
    package struct Page: Sendable {
        /// In the order of the direction asked for.
        package let events: [TimelineEvent]
        /// Where the next page begins; nil when this one reached the end.
        package let next: StreamPosition?
    }

    /// At most this many events come in one page.
    package static let pageLimit = 1000

    /// How many stored events one request looks at, at most, in search of those that pass the filter.
    private static let scanLimit = 5000

    /// A page of the events after (or, backwards, up to and including) `start` that pass `filter`.
    ///
    /// - Parameters:
    ///   - start: nil begins at the end that the direction comes from.
    ///   - stop: the page ends there at the latest; `to` of the request.
    package func page(
        of view: RoomView, _ direction: Direction, from start: StreamPosition?, to stop: StreamPosition?, limit: Int,
        filter: RoomEventFilter
    ) async throws -> Page {
        let limit = min(max(limit, 0), RoomHistory.pageLimit)
        guard limit > 0, !filter.passesNothing else { return Page(events: [], next: nil) }
        var found: [TimelineEvent] = []
        var cursor = start ?? (direction == .backwards ? view.end : .zero)
        var scanned = 0
        while scanned < RoomHistory.scanLimit {
            // One more than is wanted tells whether another page follows.
            let wanted = limit - found.count + 1
            let batch = try await stored(in: view, direction, from: cursor, to: stop, limit: wanted)
            scanned += batch.count
            let visible = try await visibility(of: batch, in: view)
            for (index, event) in batch.enumerated() {
                guard visible[index], passes(event, filter, in: view) else { continue }
                if found.count == limit { return Page(events: found, next: RoomHistory.place(before: event, direction)) }
                found.append(event)
            }
            guard batch.count == wanted, let last = batch.last else { return Page(events: found, next: nil) }
            cursor = RoomHistory.place(after: last, direction)
        }
        return Page(events: found, next: cursor)
    }

    /// An event that the user may see.
    ///
    /// - Throws: `M_NOT_FOUND` for one that is not there or not to be seen.
    package func event(_ id: EventID, in view: RoomView) async throws -> TimelineEvent {
        guard let event = try await events.event(id, in: view.snapshot.roomID), try await visibility(of: [event], in: view)[0]
        else { throw MatrixError.notFound("Event not found.") }
        return event
    }

    // MARK: Steps of a page

    private func stored(
        in view: RoomView, _ direction: Direction, from cursor: StreamPosition, to stop: StreamPosition?, limit: Int
    ) async throws -> [TimelineEvent] {
        switch direction {
        case .backwards:
            try await events.timelineBackwards(
                view.snapshot.nid, after: stop ?? .zero, upTo: min(cursor, view.end), limit: limit)
        case .forwards:
            try await events.timeline(
                view.snapshot.nid, after: cursor, upTo: stop.map { min($0, view.end) } ?? view.end, limit: limit)
        }
    }

    private func passes(_ event: TimelineEvent, _ filter: RoomEventFilter, in view: RoomView) -> Bool {
        filter.passes(type: event.type, sender: event.sender, room: view.snapshot.roomID, content: event.contentIfReadable)
    }

    /// The token from which a page begins with `event`.
    private static func place(before event: TimelineEvent, _ direction: Direction) -> StreamPosition {
        direction == .backwards ? event.position : event.position.predecessor
    }

    /// The token from which a page begins with what follows `event`.
    private static func place(after event: TimelineEvent, _ direction: Direction) -> StreamPosition {
        direction == .backwards ? event.position.predecessor : event.position
    }
}

extension TimelineEvent {
    /// The content; an event that was stored and cannot be read any more has none.
    var contentIfReadable: JSON? { try? content() }
}

extension StreamPosition {
    var predecessor: StreamPosition { StreamPosition(value - 1) }
}
