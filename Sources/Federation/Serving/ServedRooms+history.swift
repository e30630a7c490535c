// Events, and those that came before them. Server-Server API §Retrieving events, §Backfilling and retrieving missing events.

import MatrixCore
import Persistence
import Rooms

/// What a server asks for that has received an event without those before it.
package struct MissingEventsRequest: Sendable {
    /// Events that the server has.
    package let earliest: [EventID]
    /// Events of which it wants those before.
    package let latest: [EventID]
    package let limit: Int
    package let minimumDepth: Int64

    package init(earliest: [EventID], latest: [EventID], limit: Int, minimumDepth: Int64 = 0) {
        self.earliest = earliest
        self.latest = latest
        self.limit = limit
        self.minimumDepth = minimumDepth
    }
}

extension ServedRooms {
    /// So many events are backfilled at once, as with Synapse.
    package static let backfillLimit = 100
    /// So many missing events come at once, as with Synapse.
    package static let missingEventsLimit = 20

    /// `/event`: one event, also one that was rejected.
    ///
    /// - Throws: `M_NOT_FOUND` for an event that is not there, `M_FORBIDDEN` for a server that does not take part in its room.
    package func event(_ id: EventID, for origin: ServerName) async throws -> [UInt8] {
        let found = try await database.read { connection -> (row: PDURow, room: RoomID)? in
            guard let row = try PDUStore.row(id, on: connection), let room = try RoomStore.ids(of: [row.room], on: connection)[row.room]
            else { return nil }
            return (row, room)
        }
        guard let found else { throw MatrixError.notFound("Could not find event \(id)") }
        let room = try await joined(found.room, by: origin)
        guard let event = try await shown([found.row], in: room).first else { throw MatrixError.notFound("Could not find event \(id)") }
        return event
    }

    /// `/backfill`: these events and those before them, the deepest first.
    package func events(upTo ids: [EventID], in room: ServedRoom, limit: Int) async throws -> [[UInt8]] {
        let version = room.snapshot.version
        let nid = room.snapshot.nid
        let limit = min(limit, Self.backfillLimit)
        let found = try await database.read { connection in
            var walk = GraphWalk(room: nid, version: version, limit: limit)
            return try walk.deepestFirst(from: ids, on: connection)
        }
        return try await shown(found.filter { !$0.flags.contains(.rejected) }, in: room)
    }

    /// `/get_missing_events`: events before the latest that the server does not have, oldest first.
    package func missingEvents(_ request: MissingEventsRequest, in room: ServedRoom) async throws -> [[UInt8]] {
        let version = room.snapshot.version
        let nid = room.snapshot.nid
        let limit = min(request.limit, Self.missingEventsLimit)
        let found = try await database.read { connection in
            var walk = GraphWalk(room: nid, version: version, limit: limit)
            return try walk.breadthFirst(request, on: connection)
        }
        return try await shown(found.reversed().filter { !$0.flags.contains(.rejected) }, in: room)
    }

    /// `/timestamp_to_event`: the event that is nearest to a time, at it or in that direction from it.
    ///
    /// - Throws: `M_NOT_FOUND` where there is none.
    package func event(
        nearest time: Timestamp, isBackwards: Bool, in room: ServedRoom
    ) async throws -> (id: EventID, timestamp: Timestamp) {
        let nid = room.snapshot.nid
        let cursor = EventTimeStore.Cursor(timestamp: time, event: EventNID(isBackwards ? .max : .min))
        let found = try await database.read { connection in
            try PDUStore.rows(
                EventTimeStore.events(of: nid, from: cursor, isBackwards: isBackwards, limit: 1, on: connection), on: connection
            ).first
        }
        guard let found else {
            throw MatrixError.notFound("Unable to find event from \(time.milliseconds) in direction \(isBackwards ? "b" : "f")")
        }
        return (found.id, found.timestamp)
    }

    /// The events as the asking server may see them. Who is in a room whose members are not all known yet cannot be said for certain: then
    /// they are those of this server's users, as with Synapse.
    private func shown(_ rows: [PDURow], in room: ServedRoom) async throws -> [[UInt8]] {
        let rows = room.snapshot.isPartial ? rows.filter { rooms.environment.isLocal($0.sender) } : rows
        let sight = ServerSight(server: room.origin, room: room.snapshot, erased: try await events.erasedUsers.all())
        return try await database.read { try sight.shown(rows, on: $0) }
    }
}
