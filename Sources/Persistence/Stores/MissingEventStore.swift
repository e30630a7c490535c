// Where the server's knowledge of a room's past ends: table `missing_events` (migrations 18 and 30).

import MatrixCore

/// An event that others name as a previous one, and that the server does not have.
package struct MissingEventRow: Sendable, Hashable {
    package let id: EventID
    /// The least depth of an event that names it.
    package let depth: Int64
    /// The position after which there is room for what happened before those who name it; zero: before all that is known.
    package let floor: StreamPosition
}

/// Reads and writes the ends of what is known of rooms.
package enum MissingEventStore {
    /// - Parameter floor: after which position there is room for the event. Of several it is the first.
    package static func insert(
        _ id: EventID, in room: RoomNID, depth: Int64, floor: StreamPosition, on connection: any SQLConnection
    ) throws {
        try connection.enqueue(
            """
            INSERT INTO missing_events (room_nid, event_id, depth, floor) VALUES ($1, $2, $3, $4)
            ON CONFLICT (room_nid, event_id) DO UPDATE
            SET depth = {LEAST}(missing_events.depth, excluded.depth), floor = {LEAST}(missing_events.floor, excluded.floor)
            """, [.int(room.value), .text(id.string), .int(depth), .int(floor.value)])
    }

    /// The event has come.
    package static func delete(_ id: EventID, in room: RoomNID, on connection: any SQLConnection) throws {
        try connection.enqueue("DELETE FROM missing_events WHERE room_nid = $1 AND event_id = $2", [.int(room.value), .text(id.string)])
    }

    /// Those of one gap, or of the room's beginning: the newest of them first.
    package static func events(
        in room: RoomNID, floor: StreamPosition, limit: Int, on connection: any SQLConnection
    ) throws -> [MissingEventRow] {
        try connection.rows(
            """
            SELECT event_id, depth, floor FROM missing_events WHERE room_nid = $1 AND floor = $2 ORDER BY depth DESC, event_id LIMIT $3
            """, [.int(room.value), .int(floor.value), .int(limit)], row)
    }

    /// After which positions there is room for these events; those that nobody misses are left out.
    package static func floors(
        of ids: [EventID], in room: RoomNID, on connection: any SQLConnection
    ) throws -> [EventID: StreamPosition] {
        var floors: [EventID: StreamPosition] = [:]
        guard !ids.isEmpty else { return floors }
        try connection.query(
            "SELECT event_id, floor FROM missing_events WHERE room_nid = $1 AND {event_id IN $2}",
            [.int(room.value), .texts(ids.map(\.string))]
        ) { row in floors[EventID(trusted: row.text(0))] = StreamPosition(row.int(1)) }
        return floors
    }

    /// The newest of all of a room.
    package static func events(in room: RoomNID, limit: Int, on connection: any SQLConnection) throws -> [MissingEventRow] {
        try connection.rows(
            "SELECT event_id, depth, floor FROM missing_events WHERE room_nid = $1 ORDER BY depth DESC, event_id LIMIT $2",
            [.int(room.value), .int(limit)], row)
    }

    /// The open gaps of a room, the first one first: after which position each is, and how deep the deepest event is before which something
    /// is missing there. The room's beginning is one at zero.
    package static func gaps(in room: RoomNID, on connection: any SQLConnection) throws -> [(floor: StreamPosition, depth: Int64)] {
        try connection.rows(
            "SELECT floor, max(depth) FROM missing_events WHERE room_nid = $1 GROUP BY floor ORDER BY floor", [.int(room.value)]
        ) { (StreamPosition($0.int(0)), $0.int(1)) }
    }

    /// The open gaps of all rooms, without their beginnings.
    package static func gaps(on connection: any SQLConnection) throws -> [(room: RoomNID, floor: StreamPosition)] {
        try connection.rows("SELECT DISTINCT room_nid, floor FROM missing_events WHERE floor > 0", []) {
            (RoomNID($0.int(0)), StreamPosition($0.int(1)))
        }
    }

    private static func row(_ row: SQLRow) -> MissingEventRow {
        MissingEventRow(id: EventID(trusted: row.text(0)), depth: row.int(1), floor: StreamPosition(row.int(2)))
    }
}
