// Where the server's knowledge of a room's past ends: table `missing_events` (migration 18).

import MatrixCore

/// An event that others name as a previous one, and that the server does not have.
package struct MissingEventRow: Sendable, Hashable {
    package let id: EventID
    /// The least depth of an event that names it.
    package let depth: Int64
}

/// Reads and writes the ends of what is known of rooms.
package enum MissingEventStore {
    package static func insert(_ id: EventID, in room: RoomNID, depth: Int64, on connection: any SQLConnection) throws {
        try connection.enqueue(
            """
            INSERT INTO missing_events (room_nid, event_id, depth) VALUES ($1, $2, $3)
            ON CONFLICT (room_nid, event_id) DO UPDATE SET depth = {LEAST}(missing_events.depth, excluded.depth)
            """, [.int(room.value), .text(id.string), .int(depth)])
    }

    /// The event has come.
    package static func delete(_ id: EventID, in room: RoomNID, on connection: any SQLConnection) throws {
        try connection.enqueue("DELETE FROM missing_events WHERE room_nid = $1 AND event_id = $2", [.int(room.value), .text(id.string)])
    }

    package static func deleteAll(in room: RoomNID, on connection: any SQLConnection) throws {
        try connection.enqueue("DELETE FROM missing_events WHERE room_nid = $1", [.int(room.value)])
    }

    /// The newest of them first.
    package static func events(in room: RoomNID, limit: Int, on connection: any SQLConnection) throws -> [MissingEventRow] {
        try connection.rows(
            "SELECT event_id, depth FROM missing_events WHERE room_nid = $1 ORDER BY depth DESC, event_id LIMIT $2",
            [.int(room.value), .int(limit)]
        ) { MissingEventRow(id: EventID(trusted: $0.text(0)), depth: $0.int(1)) }
    }
}
