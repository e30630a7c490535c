// The connections of sliding sync: table `sliding_sync_connections` (migration 8), and what lists of rooms go by. MSC4186.

import MatrixCore

/// One row of `sliding_sync_connections`.
package struct SlidingConnectionRow: Sendable {
    package let user: UserID
    package let device: DeviceID
    package let name: ByteString
    package let key: Int64
    package let usedAt: Timestamp
    package let state: [UInt8]

    package init(user: UserID, device: DeviceID, name: ByteString, key: Int64, usedAt: Timestamp, state: [UInt8]) {
        self.user = user
        self.device = device
        self.name = name
        self.key = key
        self.usedAt = usedAt
        self.state = state
    }
}

/// Reads and writes connections.
package enum SlidingSyncStore {
    package static func connection(
        _ user: UserID, _ device: DeviceID, _ name: ByteString, on connection: any SQLConnection
    ) throws -> SlidingConnectionRow? {
        try connection.first(
            "SELECT conn_key, used_ts, state FROM sliding_sync_connections WHERE user_id = $1 AND device_id = $2 AND conn_id = $3",
            [.text(user.string), .text(device.string), .text(name.string)]
        ) { row in
            SlidingConnectionRow(
                user: user, device: device, name: name, key: row.int(0), usedAt: Timestamp(milliseconds: row.int(1)), state: row.blob(2))
        }
    }

    /// Stores a connection that begins, in the place of one of the same name.
    package static func set(_ row: SlidingConnectionRow, on connection: any SQLConnection) throws {
        try connection.enqueue(
            """
            INSERT INTO sliding_sync_connections (user_id, device_id, conn_id, conn_key, used_ts, state) VALUES ($1, $2, $3, $4, $5, $6)
            ON CONFLICT (user_id, device_id, conn_id) DO UPDATE
            SET conn_key = excluded.conn_key, used_ts = excluded.used_ts, state = excluded.state
            """,
            [
                .text(row.user.string), .text(row.device.string), .text(row.name.string), .int(row.key), .int(row.usedAt.milliseconds),
                .blob(row.state),
            ])
    }

    /// Stores a connection unless it has ended.
    package static func update(_ row: SlidingConnectionRow, on connection: any SQLConnection) throws {
        try connection.enqueue(
            """
            UPDATE sliding_sync_connections SET used_ts = $5, state = $6
            WHERE user_id = $1 AND device_id = $2 AND conn_id = $3 AND conn_key = $4
            """,
            [
                .text(row.user.string), .text(row.device.string), .text(row.name.string), .int(row.key), .int(row.usedAt.milliseconds),
                .blob(row.state),
            ])
    }

    /// Deletes all but the `count` connections of a device that were used last.
    ///
    /// - Returns: the names of those that were deleted.
    package static func deleteOldest(
        of device: DeviceID, of user: UserID, keeping count: Int, on connection: any SQLConnection
    ) throws -> [ByteString] {
        try connection.rows(
            """
            DELETE FROM sliding_sync_connections WHERE user_id = $1 AND device_id = $2 AND conn_id IN (
                SELECT conn_id FROM sliding_sync_connections WHERE user_id = $1 AND device_id = $2
                ORDER BY used_ts DESC, conn_id LIMIT 1000 OFFSET $3)
            RETURNING conn_id
            """, [.text(user.string), .text(device.string), .int(count)]
        ) { ByteString($0.text(0)) }
    }

    package static func delete(of device: DeviceID, of user: UserID, on connection: any SQLConnection) throws {
        try connection.enqueue(
            "DELETE FROM sliding_sync_connections WHERE user_id = $1 AND device_id = $2", [.text(user.string), .text(device.string)])
    }

    /// Deletes the connections that were not used since.
    package static func deleteUnused(before limit: Timestamp, on connection: any SQLConnection) throws {
        try connection.enqueue("DELETE FROM sliding_sync_connections WHERE used_ts < $1", [.int(limit.milliseconds)])
    }

    // MARK: Rooms

    /// The events that hold some state keys, empty state key, in the rooms' current states.
    package static func stateHolders(
        of types: [ByteString], in rooms: [RoomNID], on connection: any SQLConnection
    ) throws -> [(room: RoomNID, event: EventNID)] {
        guard !rooms.isEmpty else { return [] }
        return try connection.rows(
            """
            SELECT c.room_nid, c.event_nid FROM state_keys k JOIN current_state c ON c.key_nid = k.key_nid
            WHERE {k.type IN $1} AND k.state_key = '' AND {c.room_nid IN $2}
            """, [.texts(types.map(\.string)), .ints(rooms.map(\.value))]
        ) { (RoomNID($0.int(0)), EventNID($0.int(1))) }
    }

    /// The newest event of certain types among the `depth` newest events of a room up to `end`.
    package static func newest(
        of types: [ByteString], in room: RoomNID, upTo end: StreamPosition, depth: Int, on connection: any SQLConnection
    ) throws -> StreamPosition? {
        try connection.first(
            """
            SELECT position FROM (
                SELECT position, type FROM events WHERE room_nid = $1 AND position <= $2 AND flags = 0
                ORDER BY position DESC LIMIT $3) newest
            WHERE {type IN $4} ORDER BY position DESC LIMIT 1
            """, [.int(room.value), .int(end.value), .int(depth), .texts(types.map(\.string))]
        ) { StreamPosition($0.int(0)) }
    }

    /// The user's account data of one type, by room.
    package static func roomContents(
        _ type: ByteString, of user: UserID, on connection: any SQLConnection
    ) throws -> [(room: RoomID, content: [UInt8])] {
        try connection.rows(
            """
            SELECT room_id, content FROM account_data
            WHERE user_id = $1 AND type = $2 AND room_id <> '' AND length(content) > 0
            """, [.text(user.string), .text(type.string)]
        ) { (RoomID(trusted: $0.text(0)), $0.blob(1)) }
    }

    /// Those of the rooms that the user has left and forgotten.
    package static func forgotten(
        among rooms: [RoomNID], by user: UserID, on connection: any SQLConnection
    ) throws -> Set<RoomNID> {
        guard !rooms.isEmpty else { return [] }
        return Set(
            try connection.rows(
                "SELECT room_nid FROM memberships WHERE user_id = $1 AND {room_nid IN $2} AND forgotten",
                [.text(user.string), .ints(rooms.map(\.value))]
            ) { RoomNID($0.int(0)) })
    }
}
