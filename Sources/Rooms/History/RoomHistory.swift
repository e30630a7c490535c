// Reading a room: pages of its history, single events, its state. Client-Server API §Getting events for a room.

import MatrixCore
import Persistence

/// Answers what users ask of a room's past and present, within what each may see.
package struct RoomHistory: Sendable {
    let rooms: RoomRegistry
    let events: EventReader
    let retention: RetentionRules
    let past: (any RoomPast)?

    /// - Parameters:
    ///   - past: where more of a room's past is to be had; nil: nowhere.
    ///   - retention: which messages are too old to be shown.
    package init(rooms: RoomRegistry, events: EventReader, past: (any RoomPast)? = nil, retention: RetentionRules = .none) {
        self.rooms = rooms
        self.events = events
        self.past = past
        self.retention = retention
    }

    package enum Direction: String, Sendable {
        case backwards = "b"
        case forwards = "f"
    }

    /// One page of a room's history.
    package struct Page: Sendable {
        /// In the order of the direction asked for.
        package var events: [ViewedEvent] = []
        /// Where the next page begins; nil when nothing was left.
        package var next: StreamPosition?
    }

    /// At most this many events come in one page.
    package static let pageLimit = 1000

    /// How many stored events one request looks at, at most, in search of those that pass the filter.
    private static let scanLimit = 5000

    /// How many of them are read at once, when few of them pass.
    private static let batchLimit = 500

    /// A page of the events after (or, backwards, up to and including) `start` that pass `filter`.
    ///
    /// - Parameters:
    ///   - start: nil begins at the end that the direction comes from.
    ///   - stop: the page ends there at the latest; `to` of the request.
    /// - Returns: a page that names a next one as long as it has events itself, as with Synapse: the one after the last is empty.
    package func page(
        of view: RoomView, _ direction: Direction, from start: StreamPosition?, to stop: StreamPosition?, limit: Int,
        filter: RoomEventFilter
    ) async throws -> Page {
        let limit = min(max(limit, 0), RoomHistory.pageLimit)
        guard !filter.passesNothing else { return Page() }
        let start = start ?? (direction == .backwards ? view.end : .start)
        // Who asks for nothing has not come to the end of anything.
        guard limit > 0 else { return Page(next: start) }
        var page = try await storedPage(of: view, direction, from: start, to: stop, limit: limit, filter: filter)
        guard direction == .backwards, let past else { return page.page }
        // In gaps, and behind the oldest event that is here, others may have more.
        var upper = min(start, view.end)
        var fetches = 0
        while true {
            let end = page.isLast ? nil : page.page.next
            let gap = rooms.environment.gaps.newest(
                in: view.snapshot.nid, from: upper, downTo: max(end ?? .start, stop ?? .start), asOf: .max)
            guard gap != nil || page.isLast && page.page.events.count < limit && stop == nil else { return page.page }
            guard fetches < RoomHistory.fetchLimit else {
                if let gap { try await cut(&page.page, above: gap, in: view.snapshot.nid) }
                return page.page
            }
            fetches += 1
            guard let room = try await rooms.room(view.snapshot.roomID) else { return page.page }
            if try await past.extend(room, in: gap ?? .zero) {
                page = try await storedPage(of: view, direction, from: start, to: stop, limit: limit, filter: filter)
            } else if let gap {
                // Nobody has it now. What was before is to be had all the same.
                upper = gap
            } else {
                return page.page
            }
        }
    }

    /// How often one request has more of the past fetched.
    private static let fetchLimit = 3

    /// Leaves of a page backwards what is newer than a gap. The next one begins where more of the gap will be.
    private func cut(_ page: inout Page, above gap: StreamPosition, in room: RoomNID) async throws {
        page.events.removeAll { $0.event.position <= gap }
        if let last = page.events.last {
            page.next = last.event.position.predecessor
        } else {
            page.next = try await events.database.read { try EventStore.firstPosition(in: room, after: gap, on: $0) }?.predecessor
        }
    }

    private func storedPage(
        of view: RoomView, _ direction: Direction, from start: StreamPosition, to stop: StreamPosition?, limit: Int,
        filter: RoomEventFilter
    ) async throws -> (page: Page, isLast: Bool) {
        let search = Search(direction: direction, start: start, limit: limit, filter: filter) { cursor, count in
            try await self.stored(in: view, direction, from: cursor, to: stop, limit: count)
        } isWanted: { event in
            filter.passes(type: event.type, sender: event.sender, room: view.snapshot.roomID, content: event.contentIfReadable)
        }
        let found = try await find(search, in: view)
        return (Page(events: found.events, next: found.next ?? (found.events.isEmpty ? nil : found.end)), found.next == nil)
    }

    /// An event that the user may see.
    ///
    /// - Throws: `M_NOT_FOUND` for one that is not there or not to be seen.
    package func event(_ id: EventID, in view: RoomView) async throws -> TimelineEvent {
        try await viewedEvent(id, in: view).event
    }

    /// The same with what relates to the event.
    package func viewedEvent(_ id: EventID, in view: RoomView) async throws -> ViewedEvent {
        guard let event = try await events.event(id, in: view.snapshot.roomID), let viewed = try await viewed([event], in: view).first
        else { throw MatrixError.notFound("Event not found.") }
        return viewed
    }

    private func stored(
        in view: RoomView, _ direction: Direction, from cursor: StreamPosition, to stop: StreamPosition?, limit: Int
    ) async throws -> [TimelineEvent] {
        switch direction {
        case .backwards:
            try await events.timelineBackwards(
                view.snapshot.nid, after: stop ?? .start, upTo: min(cursor, view.end), limit: limit)
        case .forwards:
            try await events.timeline(
                view.snapshot.nid, after: cursor, upTo: stop.map { min($0, view.end) } ?? view.end, limit: limit)
        }
    }

    // MARK: Searching

    /// A look through stored events in the order of their positions.
    struct Search {
        let direction: Direction
        let start: StreamPosition
        let limit: Int
        /// Of which only what it says of relations counts; the rest is the business of `isWanted`.
        var filter = RoomEventFilter.everything
        /// Reads so many events at most from a cursor on.
        let read: (StreamPosition, Int) async throws -> [TimelineEvent]
        let isWanted: (TimelineEvent) -> Bool
    }

    struct Finding {
        let events: [ViewedEvent]
        /// Where to go on; nil when nothing is left.
        let next: StreamPosition?
        /// Behind the last event that was looked at.
        let end: StreamPosition
    }

    /// The first events that are wanted and that the viewer may see, with what relates to them.
    func find(_ search: Search, in view: RoomView) async throws -> Finding {
        var found: [ViewedEvent] = []
        var sight = Sight(view)
        var cursor = search.start
        var scanned = 0
        while scanned < RoomHistory.scanLimit {
            // One more than is wanted tells whether another page follows.
            let count = max(search.limit - found.count + 1, min(scanned, RoomHistory.batchLimit))
            let batch = try await search.read(cursor, count)
            scanned += batch.count
            let visible = try await visible(batch, by: &sight, in: view)
            let related = try await events.related(batch, by: search.filter)
            for (event, viewed) in zip(batch, visible) {
                guard let viewed, search.isWanted(event), related?.contains(event.id) ?? true else { continue }
                if found.count == search.limit {
                    let next = RoomHistory.place(before: event, search.direction)
                    return Finding(events: try await bundled(found, in: view, by: sight), next: next, end: next)
                }
                found.append(viewed)
            }
            if let last = batch.last { cursor = RoomHistory.place(after: last, search.direction) }
            guard batch.count == count else {
                return Finding(events: try await bundled(found, in: view, by: sight), next: nil, end: cursor)
            }
        }
        return Finding(events: try await bundled(found, in: view, by: sight), next: cursor, end: cursor)
    }

    /// The token from which a page begins with `event`.
    static func place(before event: TimelineEvent, _ direction: Direction) -> StreamPosition {
        direction == .backwards ? event.position : event.position.predecessor
    }

    /// The token from which a page begins with what follows `event`.
    static func place(after event: TimelineEvent, _ direction: Direction) -> StreamPosition {
        direction == .backwards ? event.position.predecessor : event.position
    }
}

extension TimelineEvent {
    /// The content; an event that was stored and cannot be read any more has none.
    package var contentIfReadable: JSON? { try? content() }
}

extension StreamPosition {
    package var predecessor: StreamPosition { StreamPosition(value - 1) }
}
