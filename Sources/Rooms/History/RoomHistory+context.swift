// What was said around an event, and at a time. Client-Server API §Getting events for a room.

import MatrixCore
import Persistence

/// An event with its surroundings.
package struct EventSurroundings: Sendable {
    package let event: ViewedEvent
    /// Newest first.
    package let before: [ViewedEvent]
    /// Oldest first.
    package let after: [ViewedEvent]
    /// The room's state after the last of them.
    package let state: [TimelineEvent]
    /// From where `/messages` goes on backwards.
    package let start: StreamPosition
    /// From where `/messages` goes on forwards.
    package let end: StreamPosition
}

extension RoomHistory {
    /// - Parameter limit: how many events around it, half of them before.
    /// - Throws: `M_NOT_FOUND` for an event that is not there or not to be seen.
    package func surroundings(
        of id: EventID, in view: RoomView, limit: Int, filter: RoomEventFilter
    ) async throws -> EventSurroundings {
        let event = try await viewedEvent(id, in: view)
        let limit = min(max(limit, 0), RoomHistory.pageLimit)
        let before = try await page(
            of: view, .backwards, from: event.event.position.predecessor, to: nil, limit: limit / 2, filter: filter)
        let after = try await page(of: view, .forwards, from: event.event.position, to: nil, limit: limit - limit / 2, filter: filter)
        let last = after.events.last ?? event
        let senders = Set((before.events + [event] + after.events).map(\.event.sender))
        return EventSurroundings(
            event: event, before: before.events, after: after.events,
            state: try await state(after: last.event, senders: senders, in: view, filter: filter),
            start: before.next ?? event.event.position.predecessor, end: after.next ?? event.event.position)
    }

    /// The state after an event, as far as the filter lets it through: with lazily loaded members only those of the senders.
    private func state(
        after event: TimelineEvent, senders: Set<UserID>, in view: RoomView, filter: RoomEventFilter
    ) async throws -> [TimelineEvent] {
        let entries: [StateKey: EventNID]
        if event.snapshotBefore == view.snapshot.snapshotID {
            entries = view.snapshot.state.reduce(into: [:]) { $0[$1.key] = $1.value.nid }
        } else {
            entries = try await events.stateAfter(event)
        }
        let members = Set(senders.map(\.text))
        let wanted = entries.filter { key, _ in
            !filter.lazyLoadMembers || key.type != StateKey.memberType || members.contains(key.stateKey)
        }
        return try await events.events(wanted.values.sorted()).filter { event in
            filter.passes(type: event.type, sender: event.sender, room: view.snapshot.roomID, content: event.contentIfReadable)
        }
    }

    // MARK: Times

    /// How many events one request looks at, at most, in search of one that the viewer may see.
    private static let timeScanLimit = 1000
    /// How often one request has more of the past fetched, to come to the time.
    private static let timeFetchLimit = 10

    /// The event that is nearest to a time, at it or in that direction from it.
    ///
    /// - Throws: `M_NOT_FOUND` when there is none that the viewer may see.
    package func event(nearest time: Timestamp, _ direction: Direction, in view: RoomView) async throws -> TimelineEvent {
        try await fetchPast(of: view.snapshot, back: time)
        var sight = Sight(view)
        let isBackwards = direction == .backwards
        var cursor = EventTimeStore.Cursor(timestamp: time, event: EventNID(isBackwards ? .max : .min))
        var scanned = 0
        while scanned < RoomHistory.timeScanLimit {
            let (room, from, count) = (view.snapshot.nid, cursor, scanned == 0 ? 10 : 100)
            let batch = try await events.events(
                events.database.read { try EventTimeStore.events(of: room, from: from, isBackwards: isBackwards, limit: count, on: $0) })
            try await sight.extend(to: batch, in: events)
            if let found = batch.first(where: { sight.shows($0) }) { return found }
            guard batch.count == count, let last = batch.last else { break }
            scanned += batch.count
            cursor = EventTimeStore.Cursor(timestamp: last.timestamp, event: last.nid)
        }
        throw MatrixError.notFound("Unable to find event from \(time.milliseconds) in direction \(direction)")
    }
    /// Where all that is known of the room happened after a time, other servers may know what was before.
    private func fetchPast(of room: RoomSnapshot, back time: Timestamp) async throws {
        let end = EventTimeStore.Cursor(timestamp: time, event: EventNID(.max))
        for _ in 0..<RoomHistory.timeFetchLimit {
            let isKnown = try await events.database.read { connection in
                try !EventTimeStore.events(of: room.nid, from: end, isBackwards: true, limit: 1, on: connection).isEmpty
            }
            if isKnown { return }
            guard let past, let room = try await rooms.room(room.roomID), try await past.extend(room, in: .zero) else { return }
        }
    }
}
