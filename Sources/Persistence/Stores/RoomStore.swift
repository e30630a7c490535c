// Rooms: table `rooms` (migration 1).

import MatrixCore

/// One row of `rooms`.
package struct RoomRow: Sendable {
    package let nid: RoomNID
    package let id: RoomID
    package let version: String
    package let published: Bool
    package let forwardExtremities: [EventID]
    package let depth: Int64
    /// The state after the forward extremities.
    package let snapshot: SnapshotID

    fileprivate init(_ row: SQLRow) {
        nid = RoomNID(row.int(0))
        id = RoomID(trusted: row.text(1))
        version = row.text(2)
        published = row.bool(3)
        forwardExtremities = row.text(4).split(separator: " ").map { EventID(trusted: String($0)) }
        depth = row.int(5)
        snapshot = SnapshotID(row.int(6))
    }
}

/// Reads and writes rooms.
package enum RoomStore {
    package static func insert(
        nid: RoomNID, id: RoomID, version: String, creator: UserID, published: Bool, on connection: any SQLConnection
    ) throws {
        try connection.enqueue(
            """
            INSERT INTO rooms (room_nid, room_id, version, creator, published, forward_extremities, depth, snapshot_nid)
            VALUES ($1, $2, $3, $4, $5, '', 0, 0)
            """, [.int(nid.value), .text(id.string), .text(version), .text(creator.string), .bool(published)])
    }

    /// Sets what a new event changes of its room.
    package static func advance(
        _ nid: RoomNID, forwardExtremities: [EventID], depth: Int64, snapshot: SnapshotID, on connection: any SQLConnection
    ) throws {
        try connection.enqueue(
            "UPDATE rooms SET forward_extremities = $2, depth = $3, snapshot_nid = $4 WHERE room_nid = $1",
            [
                .int(nid.value), .text(forwardExtremities.map(\.string).joined(separator: " ")), .int(depth),
                .int(snapshot.value),
            ])
    }

    package static func room(_ id: RoomID, on connection: any SQLConnection) throws -> RoomRow? {
        try connection.first(
            """
            SELECT room_nid, room_id, version, published, forward_extremities, depth, snapshot_nid
            FROM rooms WHERE room_id = $1
            """, [.text(id.string)], RoomRow.init)
    }

    /// The ids of rooms by their numbers.
    package static func ids(of nids: [RoomNID], on connection: any SQLConnection) throws -> [RoomNID: RoomID] {
        var result: [RoomNID: RoomID] = [:]
        try connection.query(
            "SELECT room_nid, room_id FROM rooms WHERE {room_nid IN $1}", [.ints(nids.map(\.value))]
        ) { row in result[RoomNID(row.int(0))] = RoomID(trusted: row.text(1)) }
        return result
    }

    /// Whether the room is listed in this server's room directory.
    package static func isPublished(_ nid: RoomNID, on connection: any SQLConnection) throws -> Bool {
        try connection.first("SELECT published FROM rooms WHERE room_nid = $1", [.int(nid.value)]) { $0.bool(0) } ?? false
    }

    package static func setPublished(_ published: Bool, _ nid: RoomNID, on connection: any SQLConnection) throws {
        try connection.execute("UPDATE rooms SET published = $2 WHERE room_nid = $1", [.int(nid.value), .bool(published)])
    }
}
