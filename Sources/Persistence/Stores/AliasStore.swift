// Room aliases of this server: table `room_aliases` (migration 1). Client-Server API §Room aliases.

import MatrixCore

/// What a local alias points to.
package struct AliasRow: Sendable {
    package let room: RoomID
    package let roomNID: RoomNID
    package let creator: UserID

    fileprivate init(_ row: SQLRow) {
        room = RoomID(trusted: row.text(0))
        roomNID = RoomNID(row.int(1))
        creator = UserID(trusted: row.text(2))
    }
}

/// Reads and writes room aliases.
package enum AliasStore {
    /// - Throws: a unique violation when the alias is taken.
    package static func insert(_ alias: RoomAlias, room: RoomNID, creator: UserID, on connection: any SQLConnection) throws {
        try connection.enqueue(
            "INSERT INTO room_aliases (alias, room_nid, creator) VALUES ($1, $2, $3)",
            [.text(alias.string), .int(room.value), .text(creator.string)])
    }

    /// - Returns: false when there was none.
    package static func delete(_ alias: RoomAlias, on connection: any SQLConnection) throws -> Bool {
        try connection.execute("DELETE FROM room_aliases WHERE alias = $1", [.text(alias.string)]) > 0
    }

    /// Makes all aliases of one room those of another.
    package static func move(from room: RoomNID, to other: RoomNID, on connection: any SQLConnection) throws {
        try connection.enqueue(
            "UPDATE room_aliases SET room_nid = $2 WHERE room_nid = $1", [.int(room.value), .int(other.value)])
    }

    package static func alias(_ alias: RoomAlias, on connection: any SQLConnection) throws -> AliasRow? {
        try connection.first(
            """
            SELECT r.room_id, a.room_nid, a.creator FROM room_aliases a JOIN rooms r ON r.room_nid = a.room_nid
            WHERE a.alias = $1
            """, [.text(alias.string)], AliasRow.init)
    }

    package static func aliases(of room: RoomNID, on connection: any SQLConnection) throws -> [String] {
        try connection.rows("SELECT alias FROM room_aliases WHERE room_nid = $1 ORDER BY alias", [.int(room.value)]) {
            $0.text(0)
        }
    }
}
