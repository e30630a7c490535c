// Rooms that came in without their members: tables `partial_rooms` and `partial_room_servers` (migration 26).

import MatrixCore

/// A room that came in without its members, and what has become of it.
package struct PartialRoomRow: Sendable {
    package let room: RoomNID
    package let id: RoomID
    /// The event by which this server came into the room, and the room's state before it as far as it was known.
    package let join: EventID
    package let joinNID: EventNID
    package let stateBeforeJoin: SnapshotID
    /// The server that handed the room over.
    package let via: ServerName
    /// When the rest of the state had come; nil: it is still missing.
    package let wholeAt: StreamPosition?

    fileprivate init(_ row: SQLRow) {
        room = RoomNID(row.int(0))
        id = RoomID(trusted: row.text(1))
        join = EventID(trusted: row.text(2))
        joinNID = EventNID(row.int(3))
        stateBeforeJoin = SnapshotID(row.int(4))
        via = ServerName(trusted: row.text(5))
        wholeAt = row.optionalInt(6).map { StreamPosition($0) }
    }
}

/// Reads and writes what is noted of rooms with partial state.
package enum PartialRoomStore {
    // MARK: Writing

    package static func insert(
        _ room: RoomNID, join: EventNID, via server: ServerName, servers: [ServerName], on connection: any SQLConnection
    ) throws {
        try delete(room, on: connection)
        try connection.enqueue(
            "INSERT INTO partial_rooms (room_nid, join_nid, joined_via, whole_position) VALUES ($1, $2, $3, NULL)",
            [.int(room.value), .int(join.value), .text(server.string)])
        for server in Set(servers) {
            try connection.enqueue(
                "INSERT INTO partial_room_servers (room_nid, server_name) VALUES ($1, $2)",
                [.int(room.value), .text(server.string)])
        }
    }

    /// Forgets that the room ever came in without its members.
    package static func delete(_ room: RoomNID, on connection: any SQLConnection) throws {
        try connection.enqueue("DELETE FROM partial_rooms WHERE room_nid = $1", [.int(room.value)])
        try connection.enqueue("DELETE FROM partial_room_servers WHERE room_nid = $1", [.int(room.value)])
    }

    /// The rest of the room has come.
    package static func setWhole(_ room: RoomNID, at position: StreamPosition, on connection: any SQLConnection) throws {
        try connection.enqueue(
            "UPDATE partial_rooms SET whole_position = $2 WHERE room_nid = $1", [.int(room.value), .int(position.value)])
        try connection.enqueue("DELETE FROM partial_room_servers WHERE room_nid = $1", [.int(room.value)])
    }

    // MARK: Reading

    package static func all(on connection: any SQLConnection) throws -> [PartialRoomRow] {
        try connection.rows(allRows, [], PartialRoomRow.init)
    }

    package static func row(_ room: RoomNID, on connection: any SQLConnection) throws -> PartialRoomRow? {
        try connection.first(rowOfRoom, [.int(room.value)], PartialRoomRow.init)
    }

    /// The rooms that became whole with `after < position <= upTo`, in that order.
    package static func completed(
        after: StreamPosition, upTo: StreamPosition, on connection: any SQLConnection
    ) throws -> [PartialRoomRow] {
        try connection.rows(completedRows, [.int(after.value), .int(upTo.value)], PartialRoomRow.init)
    }

    package static func servers(in room: RoomNID, on connection: any SQLConnection) throws -> [ServerName] {
        try connection.rows(
            "SELECT server_name FROM partial_room_servers WHERE room_nid = $1 ORDER BY server_name", [.int(room.value)]
        ) { ServerName(trusted: $0.text(0)) }
    }

    private static let source = """
        p.room_nid, r.room_id, e.event_id, p.join_nid, e.snapshot_nid, p.joined_via, p.whole_position
        FROM partial_rooms p JOIN rooms r ON r.room_nid = p.room_nid JOIN events e ON e.event_nid = p.join_nid
        """
    private static let allRows = SQL("SELECT \(source) ORDER BY p.room_nid")
    private static let rowOfRoom = SQL("SELECT \(source) WHERE p.room_nid = $1")
    private static let completedRows = SQL(
        "SELECT \(source) WHERE p.whole_position > $1 AND p.whole_position <= $2 ORDER BY p.whole_position")
}
