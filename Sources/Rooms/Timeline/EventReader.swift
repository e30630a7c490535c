// Reads stored events and states: from memory where they are there, else from the database.

import MatrixCore
import Persistence

/// What the rest of the server reads of rooms' pasts. It decides nothing about who may see what.
package struct EventReader: Sendable {
    let database: any Database
    private let cache: EventCache
    let aggregations: AggregationCache
    package let erasedUsers: ErasedUsers

    package init(environment: RoomEnvironment) {
        database = environment.database
        cache = environment.events
        aggregations = environment.aggregations
        erasedUsers = environment.erasedUsers
    }

    // MARK: Events

    /// The events of these numbers, in their order; numbers without an event are left out.
    package func events(_ nids: [EventNID]) async throws -> [TimelineEvent] {
        let (found, missing) = cache.events(nids)
        if missing.isEmpty { return found }
        var byNumber = Dictionary(found.map { ($0.nid, $0) }) { event, _ in event }
        for batch in missing.chunked(EventReader.batchSize) {
            for event in try await read({ try EventStore.rows(batch, on: $0) }) { byNumber[event.nid] = event }
        }
        return nids.compactMap { byNumber[$0] }
    }

    package func event(_ nid: EventNID) async throws -> TimelineEvent? { try await events([nid]).first }

    /// The event of this id, if it is in the timeline of that room.
    package func event(_ id: EventID, in room: RoomID) async throws -> TimelineEvent? {
        guard let event = try await event(id), event.roomID == room else { return nil }
        return event
    }

    /// The event of this id, if it is in a timeline.
    package func event(_ id: EventID) async throws -> TimelineEvent? {
        try await read { connection in
            guard let row = try EventStore.row(id, on: connection), row.flags.isEmpty, row.position != nil else { return [] }
            return [row]
        }.first
    }

    // A page of the timeline is read in two steps: its numbers first, which are cheap, then those of its events that memory does not have.
    // What people page through is mostly what others have just paged through.

    /// The oldest `limit` events of a room with `after < position <= upTo`, oldest first.
    package func timeline(
        _ room: RoomNID, after: StreamPosition, upTo: StreamPosition, limit: Int
    ) async throws -> [TimelineEvent] {
        try await events(database.read { try EventStore.timeline(room, after: after, upTo: upTo, limit: limit, on: $0) })
    }

    /// The newest `limit` events of a room with `after < position <= upTo`, newest first.
    package func timelineBackwards(
        _ room: RoomNID, after: StreamPosition, upTo: StreamPosition, limit: Int
    ) async throws -> [TimelineEvent] {
        try await events(database.read { try EventStore.timelineBackwards(room, after: after, upTo: upTo, limit: limit, on: $0) })
    }

    /// How many events one query asks for by number.
    private static let batchSize = 1000

    private func read(
        _ body: @escaping @Sendable (any SQLConnection) throws -> [EventRow]
    ) async throws -> [TimelineEvent] {
        let generation = cache.generation
        let events = try await database.read(body).compactMap { TimelineEvent($0) }
        cache.insert(events, generation: generation)
        return events
    }

    // MARK: States

    /// The whole state of a snapshot. Costs what the state is large.
    package func state(at snapshot: SnapshotID) async throws -> [StateKey: EventNID] {
        guard snapshot != .empty else { return [:] }
        return try await database.read { try StateStore.state(at: snapshot, on: $0) }
    }

    /// The whole state just after an event.
    package func stateAfter(_ event: TimelineEvent) async throws -> [StateKey: EventNID] {
        var state = try await state(at: event.snapshotBefore)
        if let stateKey = event.stateKey { state[StateKey(type: event.type, stateKey: stateKey)] = event.nid }
        return state
    }

    /// The events of some keys in a snapshot; keys that are not in it are left out.
    package func state(_ keys: [StateKey], at snapshot: SnapshotID) async throws -> [StateKey: EventNID] {
        guard snapshot != .empty else { return [:] }
        return try await database.read { try StateStore.events(keys, at: snapshot, on: $0) }
    }

    /// The membership of a user in a snapshot; nil when there is none.
    package func membership(of user: UserID, at snapshot: SnapshotID) async throws -> Membership? {
        let key = StateKey.member(user)
        guard let nid = try await state([key], at: snapshot)[key] else { return nil }
        return try await event(nid)?.membership
    }

    /// The changes of a room's state with `after < position <= upTo`: for each key that changed, the last event.
    package func stateChanges(
        _ room: RoomNID, after: StreamPosition, upTo: StreamPosition
    ) async throws -> [StateKey: EventNID] {
        let changes = try await database.read { try StateStore.changes(of: room, after: after, upTo: upTo, on: $0) }
        var last: [StateKey: EventNID] = [:]
        for change in changes { last[change.stateKey] = change.event }
        return last
    }
}

extension Array {
    /// The elements in runs of at most `size`.
    fileprivate func chunked(_ size: Int) -> [[Element]] {
        stride(from: 0, to: count, by: size).map { Array(self[$0..<Swift.min($0 + size, count)]) }
    }
}
