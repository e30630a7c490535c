// Events: table `events` (migration 1). The events themselves are kept as the bytes that were signed.

import MatrixCore

/// A new row of `events`.
package struct EventInsertion: Sendable {
    package let event: Event
    package let nid: EventNID
    package let room: RoomNID
    /// The room's state before the event.
    package let snapshot: SnapshotID
    package let replaces: EventNID?
    /// The event that this redaction takes the content of.
    package let redacts: EventNID?
    package let device: DeviceID?
    package let transactionID: String?
    package let flags: EventFlags

    package init(
        event: Event, nid: EventNID, room: RoomNID, snapshot: SnapshotID, replaces: EventNID? = nil, redacts: EventNID? = nil,
        device: DeviceID? = nil, transactionID: String? = nil, flags: EventFlags = []
    ) {
        self.event = event
        self.nid = nid
        self.room = room
        self.snapshot = snapshot
        self.replaces = replaces
        self.redacts = redacts
        self.device = device
        self.transactionID = transactionID
        self.flags = flags
    }
}

/// Reads and writes events.
package enum EventStore {
    // MARK: Writing

    /// - Parameter position: nil for an outlier.
    /// - Throws: a unique violation when the event, or one with the same sender, device and transaction id, is there already.
    package static func insert(_ row: EventInsertion, at position: StreamPosition?, on connection: any SQLConnection) throws {
        let event = row.event
        try connection.enqueue(
            """
            INSERT INTO events (event_nid, event_id, room_nid, position, type, sender, state_key, membership,
                origin_server_ts, depth, snapshot_nid, replaces_nid, redacts_nid, redacted_by, device_id, transaction_id,
                flags, json)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, NULL, $14, $15, $16, $17)
            """,
            [
                .int(row.nid.value), .text(event.id.string), .int(row.room.value), .optional(position?.value),
                .text(event.type.string), .text(event.sender.string), .optional(event.stateKey?.string),
                .optional(event.membership?.rawValue), .int(event.originServerTimestamp.milliseconds), .int(event.depth),
                .int(row.snapshot.value), .optional(row.replaces?.value), .optional(row.redacts?.value),
                row.transactionID == nil ? .optional(row.device?.string) : .text(row.device?.string ?? ""),
                .optional(row.transactionID), .int(row.flags.rawValue), .blob(event.json),
            ])
    }

    /// Puts the redacted form in the place of an event, which is gone for good then. The first redaction counts.
    package static func redact(
        _ nid: EventNID, by redaction: EventNID, json: [UInt8], on connection: any SQLConnection
    ) throws {
        try connection.enqueue(
            "UPDATE events SET json = $3, redacted_by = $2 WHERE event_nid = $1 AND redacted_by IS NULL",
            [.int(nid.value), .int(redaction.value), .blob(json)])
    }

    // MARK: Single events

    package static func exists(_ nid: EventNID, on connection: any SQLConnection) throws -> Bool {
        try connection.exists("SELECT 1 FROM events WHERE event_nid = $1", [.int(nid.value)])
    }

    package static func row(_ id: EventID, on connection: any SQLConnection) throws -> EventRow? {
        try connection.first(rowByID, [.text(id.string)], EventRow.init)
    }

    package static func number(of id: EventID, on connection: any SQLConnection) throws -> EventNID? {
        try connection.first("SELECT event_nid FROM events WHERE event_id = $1", [.text(id.string)]) { EventNID($0.int(0)) }
    }

    /// The position of the last event of a room's timeline; nil for a room without one.
    package static func newestPosition(in room: RoomNID, on connection: any SQLConnection) throws -> StreamPosition? {
        try connection.first(
            "SELECT position FROM events WHERE room_nid = $1 AND position IS NOT NULL ORDER BY position DESC LIMIT 1",
            [.int(room.value)]
        ) { StreamPosition($0.int(0)) }
    }

    /// The event that this device sent under this transaction id, if it did.
    package static func sent(
        by sender: UserID, device: DeviceID?, transactionID: String, in room: RoomNID, on connection: any SQLConnection
    ) throws -> EventID? {
        try connection.first(
            """
            SELECT event_id FROM events
            WHERE room_nid = $1 AND sender = $2 AND device_id = $3 AND transaction_id = $4 AND transaction_id IS NOT NULL
            """, [.int(room.value), .text(sender.string), .text(device?.string ?? ""), .text(transactionID)]
        ) { EventID(trusted: $0.text(0)) }
    }

    // MARK: Many events

    /// In no order; numbers without an event are left out.
    package static func rows(_ nids: [EventNID], on connection: any SQLConnection) throws -> [EventRow] {
        if let only = nids.first, nids.count == 1 {
            return try connection.rows(rowByNumber, [.int(only.value)], EventRow.init)
        }
        return try connection.rows(rowsByNumbers, [.ints(nids.map(\.value))], EventRow.init)
    }

    /// The numbers of the events of a room's timeline with `after < position <= upTo`: the oldest `limit` of them, oldest first.
    package static func timeline(
        _ room: RoomNID, after: StreamPosition, upTo: StreamPosition, limit: Int, on connection: any SQLConnection
    ) throws -> [EventNID] {
        try connection.rows(
            "SELECT event_nid FROM events WHERE room_nid = $1 AND position > $2 AND position <= $3 AND flags = 0 ORDER BY position LIMIT $4",
            [.int(room.value), .int(after.value), .int(upTo.value), .int(limit)]
        ) { EventNID($0.int(0)) }
    }

    /// The numbers of the events of a room's timeline with `after < position <= upTo`: the newest `limit` of them, newest first.
    package static func timelineBackwards(
        _ room: RoomNID, after: StreamPosition, upTo: StreamPosition, limit: Int, on connection: any SQLConnection
    ) throws -> [EventNID] {
        try connection.rows(
            """
            SELECT event_nid FROM events WHERE room_nid = $1 AND position > $2 AND position <= $3 AND flags = 0
            ORDER BY position DESC LIMIT $4
            """, [.int(room.value), .int(after.value), .int(upTo.value), .int(limit)]
        ) { EventNID($0.int(0)) }
    }

    /// The events of all rooms with `after < position <= upTo`, oldest first, at most `limit`.
    package static func stream(
        after: StreamPosition, upTo: StreamPosition, limit: Int, on connection: any SQLConnection
    ) throws -> [EventRow] {
        try connection.rows(
            streamRows, [.int(after.value), .int(upTo.value), .int(limit)], EventRow.init)
    }

    // MARK: Texts that are put together from `EventRow.source`, once

    private static let rowByID = SQL("SELECT \(EventRow.source) WHERE e.event_id = $1")
    private static let rowByNumber = SQL("SELECT \(EventRow.source) WHERE e.event_nid = $1")
    private static let rowsByNumbers = SQL("SELECT \(EventRow.source) WHERE {e.event_nid IN $1}")
    private static let streamRows = SQL(
        """
        SELECT \(EventRow.source)
        WHERE e.position > $1 AND e.position <= $2 AND e.flags = 0 ORDER BY e.position LIMIT $3
        """)
}
