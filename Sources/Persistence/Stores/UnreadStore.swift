// How far unread events were counted: table `unread_counts` (migration 6), and what counting asks of `receipts` (migration 3) and
// `events` (migration 1). Client-Server API §Receiving notifications.

import MatrixCore

/// Reads and writes what was counted.
package enum UnreadStore {
    /// What is kept for a user, of these rooms.
    package static func tallies(of user: UserID, in rooms: [RoomNID], on connection: any SQLConnection) throws -> [RoomNID: [UInt8]] {
        guard !rooms.isEmpty else { return [:] }
        var tallies: [RoomNID: [UInt8]] = [:]
        try connection.query(
            "SELECT room_nid, tally FROM unread_counts WHERE user_id = $1 AND {room_nid IN $2}",
            [.text(user.string), .ints(rooms.map(\.value))]
        ) { row in tallies[RoomNID(row.int(0))] = row.blob(1) }
        return tallies
    }

    package static func set(_ tally: [UInt8], of user: UserID, in room: RoomNID, on connection: any SQLConnection) throws {
        try connection.enqueue(
            """
            INSERT INTO unread_counts (user_id, room_nid, tally) VALUES ($1, $2, $3)
            ON CONFLICT (user_id, room_nid) DO UPDATE SET tally = excluded.tally
            """, [.text(user.string), .int(room.value), .blob(tally)])
    }

    /// How far a user has read in these rooms: for each the position of the furthest receipt, public or private, of every thread;
    /// the empty thread stands for the unthreaded receipt.
    package static func readPositions(
        of user: UserID, in rooms: [RoomNID], on connection: any SQLConnection
    ) throws -> [RoomNID: [ByteString: StreamPosition]] {
        guard !rooms.isEmpty else { return [:] }
        var positions: [RoomNID: [ByteString: StreamPosition]] = [:]
        try connection.query(
            """
            SELECT room_nid, thread_id, max(event_position) FROM receipts WHERE {room_nid IN $2} AND user_id = $1
            GROUP BY room_nid, thread_id
            """, [.text(user.string), .ints(rooms.map(\.value))]
        ) { row in positions[RoomNID(row.int(0)), default: [:]][ByteString(row.text(1))] = StreamPosition(row.int(2)) }
        return positions
    }

    /// The position before the newest `count` events of a room; nil where it has no more than these after `after`.
    package static func position(
        beforeNewest count: Int, in room: RoomNID, after: StreamPosition, upTo: StreamPosition, on connection: any SQLConnection
    ) throws -> StreamPosition? {
        try connection.first(
            """
            SELECT position FROM events WHERE room_nid = $1 AND position > $2 AND position <= $3 AND flags = 0
            ORDER BY position DESC LIMIT 1 OFFSET $4
            """, [.int(room.value), .int(after.value), .int(upTo.value), .int(count)]
        ) { StreamPosition($0.int(0)) }
    }
}
