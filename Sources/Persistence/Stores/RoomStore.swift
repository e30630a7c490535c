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
        forwardExtremities = RoomStore.eventIDs(in: row.text(4))
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
                .int(nid.value), .text(text(of: forwardExtremities)), .int(depth),
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

// MARK: - Forward extremities

extension RoomStore {
    /// Event IDs with a space between them. Those of room versions 1 and 2 may hold spaces themselves.
    fileprivate static func text(of ids: [EventID]) -> String {
        ids.map { id in id.string.utf8.contains { $0 == space || $0 == percent } ? escaped(id.string) : id.string }
            .joined(separator: " ")
    }

    fileprivate static func eventIDs(in text: String) -> [EventID] {
        text.utf8.split(separator: space).map { word in
            EventID(trusted: word.contains(percent) ? unescaped(word) : String(Substring(word)))
        }
    }

    private static let space = UInt8(ascii: " ")
    private static let percent = UInt8(ascii: "%")

    /// `%` as `%p`, space as `%s`.
    private static func escaped(_ id: String) -> String {
        var bytes: [UInt8] = []
        for byte in id.utf8 {
            switch byte {
            case percent: bytes += "%p".utf8
            case space: bytes += "%s".utf8
            default: bytes.append(byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    private static func unescaped(_ word: Substring.UTF8View) -> String {
        var bytes: [UInt8] = []
        var isEscaped = false
        for byte in word {
            if isEscaped {
                bytes.append(byte == UInt8(ascii: "s") ? space : percent)
                isEscaped = false
            } else if byte == percent {
                isEscaped = true
            } else {
                bytes.append(byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
