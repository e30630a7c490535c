// How far people have read: table `receipts` (migration 3). Client-Server API §Receipts.

import MatrixCore

/// What one receipt belongs to: a user has one per kind and thread in a room.
package struct ReceiptKey: Sendable, Hashable {
    package let user: UserID
    /// `m.read` or `m.read.private`.
    package let type: ByteString
    /// The thread's root event, `main`, or empty for the unthreaded receipt.
    package let thread: ByteString

    package init(user: UserID, type: ByteString, thread: ByteString) {
        self.user = user
        self.type = type
        self.thread = thread
    }
}

/// Where a receipt stands.
package struct ReceiptMark: Sendable, Hashable {
    package let event: EventID
    /// The stream position of `event`.
    package let eventPosition: StreamPosition
    /// When the receipt was sent.
    package let time: Timestamp

    package init(event: EventID, eventPosition: StreamPosition, time: Timestamp) {
        self.event = event
        self.eventPosition = eventPosition
        self.time = time
    }
}

/// One row of `receipts`.
package struct ReceiptRow: Sendable {
    package let room: RoomID
    package let key: ReceiptKey
    package let mark: ReceiptMark

    fileprivate init(_ row: SQLRow) {
        room = RoomID(trusted: row.text(0))
        key = ReceiptKey(user: UserID(trusted: row.text(1)), type: ByteString(row.text(2)), thread: ByteString(row.text(3)))
        mark = ReceiptMark(
            event: EventID(trusted: row.text(4)), eventPosition: StreamPosition(value: row.int(5)),
            time: Timestamp(milliseconds: row.int(6)))
    }
}

/// Reads and writes receipts.
package enum ReceiptStore {
    /// The stream position of the event that a receipt stands at; nil where the user has none of this kind.
    package static func eventPosition(
        _ key: ReceiptKey, in room: RoomNID, on connection: any SQLConnection
    ) throws -> StreamPosition? {
        try connection.first(
            "SELECT event_position FROM receipts WHERE room_nid = $1 AND user_id = $2 AND type = $3 AND thread_id = $4",
            [.int(room.value), .text(key.user.string), .text(key.type.string), .text(key.thread.string)]
        ) { StreamPosition(value: $0.int(0)) }
    }

    /// Moves a receipt; one that stands further on already stays.
    package static func advance(
        _ key: ReceiptKey, in room: RoomNID, to mark: ReceiptMark, position: StreamPosition, on connection: any SQLConnection
    ) throws {
        try connection.enqueue(
            """
            INSERT INTO receipts (room_nid, user_id, type, thread_id, event_id, event_position, ts, position)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
            ON CONFLICT (room_nid, user_id, type, thread_id) DO UPDATE
            SET event_id = excluded.event_id, event_position = excluded.event_position, ts = excluded.ts, position = excluded.position
            WHERE receipts.event_position < excluded.event_position
            """,
            [
                .int(room.value), .text(key.user.string), .text(key.type.string), .text(key.thread.string),
                .text(mark.event.string), .int(mark.eventPosition.value), .int(mark.time.milliseconds), .int(position.value),
            ])
    }

    /// The receipts of these rooms that were written after `after` up to `upTo`, private ones of other people left out.
    package static func receipts(
        in rooms: [RoomID], visibleTo viewer: UserID, after: StreamPosition, upTo: StreamPosition, on connection: any SQLConnection
    ) throws -> [ReceiptRow] {
        try connection.rows(
            """
            SELECT m.room_id, r.user_id, r.type, r.thread_id, r.event_id, r.event_position, r.ts
            FROM rooms m JOIN receipts r ON r.room_nid = m.room_nid
            WHERE {m.room_id IN $1} AND r.position > $2 AND r.position <= $3 AND (r.type <> 'm.read.private' OR r.user_id = $4)
            ORDER BY r.position
            """,
            [.texts(rooms.map(\.string)), .int(after.value), .int(upTo.value), .text(viewer.string)], ReceiptRow.init)
    }

    /// The receipts of a room that stand at one of these events, and those of `viewer`; private ones of other people left out.
    package static func receipts(
        in room: RoomID, at events: [EventID], visibleTo viewer: UserID, upTo: StreamPosition, on connection: any SQLConnection
    ) throws -> [ReceiptRow] {
        try connection.rows(
            """
            SELECT m.room_id, r.user_id, r.type, r.thread_id, r.event_id, r.event_position, r.ts
            FROM rooms m JOIN receipts r ON r.room_nid = m.room_nid
            WHERE m.room_id = $1 AND r.position <= $2 AND (r.user_id = $3 OR (r.type <> 'm.read.private' AND {r.event_id IN $4}))
            ORDER BY r.position
            """, [.text(room.string), .int(upTo.value), .text(viewer.string), .texts(events.map(\.string))], ReceiptRow.init)
    }
}
