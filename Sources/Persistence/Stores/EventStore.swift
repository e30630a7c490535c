// Events: table `events` (migration 1). The events themselves are kept as the bytes that were signed.

import MatrixCore

/// A new row of `events`.
package struct EventInsertion: Sendable {
    package var event: Event
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
    /// The room's state after the event; nil: the same as before it.
    package let snapshotAfter: SnapshotID?
    /// The event's auth events, for a state event.
    package let citations: [EventNID]
    package let isRelayed: Bool

    package init(
        event: Event, nid: EventNID, room: RoomNID, snapshot: SnapshotID, replaces: EventNID? = nil, redacts: EventNID? = nil,
        device: DeviceID? = nil, transactionID: String? = nil, flags: EventFlags = [], snapshotAfter: SnapshotID? = nil,
        citations: [EventNID] = [], isRelayed: Bool = false
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
        self.snapshotAfter = snapshotAfter
        self.citations = event.isState ? citations : []
        self.isRelayed = isRelayed
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
                flags, json, after_nid, relayed)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, NULL, $14, $15, $16, $17, $18, $19)
            """,
            [
                .int(row.nid.value), .text(event.id.string), .int(row.room.value), .optional(position?.value),
                .text(event.type.string), .text(event.sender.string), .optional(event.stateKey?.string),
                .optional(event.membership?.rawValue), .int(event.originServerTimestamp.milliseconds), .int(event.depth),
                .int(row.snapshot.value), .optional(row.replaces?.value), .optional(row.redacts?.value),
                row.transactionID == nil ? .optional(row.device?.string) : .text(row.device?.string ?? ""),
                .optional(row.transactionID), .int(row.flags.rawValue), .blob(event.json),
                .optional(row.snapshotAfter?.value), .bool(row.isRelayed),
            ])
        try AuthCitationStore.insert(cited: Set(row.citations), by: row.nid, on: connection)
    }

    /// An event that others build on, without a place in the room.
    ///
    /// - Parameter numbers: of its auth events, as far as they are known.
    package static func insertOutlier(
        _ event: Event, room: RoomNID, numbers: [EventID: EventNID], flags: EventFlags = [], on connection: any SQLConnection
    ) throws {
        guard let nid = numbers[event.id] else { return }
        let row = EventInsertion(
            event: event, nid: nid, room: room, snapshot: .empty, flags: flags.union(.outlier),
            citations: event.authEvents.compactMap { numbers[$0] })
        try insert(row, at: nil, on: connection)
    }

    /// Gives an outlier its place in the room: the rest of `row` is known already.
    package static func promote(_ row: EventInsertion, at position: StreamPosition?, on connection: any SQLConnection) throws {
        try connection.enqueue(
            """
            UPDATE events SET position = $2, snapshot_nid = $3, after_nid = $4, replaces_nid = $5, redacts_nid = $6, flags = $7
            WHERE event_nid = $1
            """,
            [
                .int(row.nid.value), .optional(position?.value), .int(row.snapshot.value), .optional(row.snapshotAfter?.value),
                .optional(row.replaces?.value), .optional(row.redacts?.value), .int(row.flags.rawValue),
            ])
    }

    /// Sets what is known anew of an event's place in the graph; its place in the stream stays.
    package static func place(
        _ nid: EventNID, before: SnapshotID, after: SnapshotID?, replaces: EventNID?, flags: EventFlags, on connection: any SQLConnection
    ) throws {
        try connection.enqueue(
            "UPDATE events SET snapshot_nid = $2, after_nid = $3, replaces_nid = $4, flags = $5 WHERE event_nid = $1",
            [.int(nid.value), .int(before.value), .optional(after?.value), .optional(replaces?.value), .int(flags.rawValue)])
    }

    /// Puts the redacted form in the place of an event, which is gone for good then. The first redaction counts.
    package static func redact(
        _ nid: EventNID, by redaction: EventNID, json: [UInt8], on connection: any SQLConnection
    ) throws {
        try connection.enqueue(
            "UPDATE events SET json = $3, redacted_by = $2 WHERE event_nid = $1 AND redacted_by IS NULL",
            [.int(nid.value), .int(redaction.value), .blob(json)])
    }

    /// A redaction takes effect that was here before its target.
    package static func setRedacts(_ target: EventNID, by redaction: EventNID, on connection: any SQLConnection) throws {
        try connection.enqueue(
            "UPDATE events SET redacts_nid = $2 WHERE event_nid = $1", [.int(redaction.value), .int(target.value)])
    }

    // MARK: Single events

    /// Where an event stands; nil where it is not there, or in no timeline.
    package static func position(of nid: EventNID, on connection: any SQLConnection) throws -> StreamPosition? {
        try connection.first(
            "SELECT position FROM events WHERE event_nid = $1 AND position IS NOT NULL", [.int(nid.value)]
        ) { StreamPosition($0.int(0)) }
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

    /// The position of the first event of a room's timeline after `position`.
    package static func firstPosition(
        in room: RoomNID, after position: StreamPosition, on connection: any SQLConnection
    ) throws -> StreamPosition? {
        try connection.first(
            "SELECT position FROM events WHERE room_nid = $1 AND position > $2 ORDER BY position LIMIT 1",
            [.int(room.value), .int(position.value)]
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

    /// What the server has of these events, by id; those that it does not have are left out.
    package static func rows(_ ids: [EventID], on connection: any SQLConnection) throws -> [EventRow] {
        guard !ids.isEmpty else { return [] }
        return try connection.rows(rowsByIDs, [.texts(ids.map(\.string))], EventRow.init)
    }

    /// How the server stands to these events; those that it does not have are left out.
    package static func standings(_ ids: some Collection<EventID>, on connection: any SQLConnection) throws -> [EventID: EventStanding] {
        var found: [EventID: EventStanding] = [:]
        guard !ids.isEmpty else { return found }
        try connection.query(
            """
            SELECT event_id, event_nid, room_nid, flags, snapshot_nid, after_nid, depth FROM events WHERE {event_id IN $1}
            """, [.texts(ids.map(\.string))]
        ) { row in
            found[EventID(trusted: row.text(0))] = EventStanding(
                nid: EventNID(row.int(1)), room: RoomNID(row.int(2)), flags: EventFlags(rawValue: row.int(3)),
                snapshotAfter: SnapshotID(row.optionalInt(5) ?? row.int(4)), depth: row.int(6))
        }
        return found
    }

    /// Which entries of a room's state these events set. Events of other rooms, and those that are no state, are left out.
    package static func stateKeys(
        of ids: [EventID], in room: RoomNID, on connection: any SQLConnection
    ) throws -> [(id: EventID, nid: EventNID, key: StateKey)] {
        guard !ids.isEmpty else { return [] }
        return try connection.rows(
            "SELECT event_id, event_nid, type, state_key FROM events WHERE {event_id IN $1} AND room_nid = $2 AND state_key IS NOT NULL",
            [.texts(ids.map(\.string)), .int(room.value)]
        ) { row in
            (
                EventID(trusted: row.text(0)), EventNID(row.int(1)),
                StateKey(type: ByteString(row.text(2)), stateKey: ByteString(row.text(3)))
            )
        }
    }

    /// The numbers of the events that have a place in a room's graph, in the order in which they came.
    package static func graph(of room: RoomNID, on connection: any SQLConnection) throws -> [EventNID] {
        try connection.rows(
            "SELECT event_nid FROM events WHERE room_nid = $1 AND flags & 4 = 0 ORDER BY event_nid", [.int(room.value)]
        ) { EventNID($0.int(0)) }
    }

    package static func ids(of nids: [EventNID], on connection: any SQLConnection) throws -> [EventNID: EventID] {
        var ids: [EventNID: EventID] = [:]
        guard !nids.isEmpty else { return ids }
        try connection.query("SELECT event_nid, event_id FROM events WHERE {event_nid IN $1}", [.ints(nids.map(\.value))]) { row in
            ids[EventNID(row.int(0))] = EventID(trusted: row.text(1))
        }
        return ids
    }

    // MARK: Texts that are put together from `EventRow.source`, once

    private static let rowByID = SQL("SELECT \(EventRow.source) WHERE e.event_id = $1")
    private static let rowByNumber = SQL("SELECT \(EventRow.source) WHERE e.event_nid = $1")
    private static let rowsByNumbers = SQL("SELECT \(EventRow.source) WHERE {e.event_nid IN $1}")
    private static let rowsByIDs = SQL("SELECT \(EventRow.source) WHERE {e.event_id IN $1}")
    private static let streamRows = SQL(
        """
        SELECT \(EventRow.source)
        WHERE e.position > $1 AND e.position <= $2 AND e.flags = 0 ORDER BY e.position LIMIT $3
        """)
}

/// Where an event stands in what the server knows.
package struct EventStanding: Sendable, Hashable {
    package let nid: EventNID
    package let room: RoomNID
    package let flags: EventFlags
    /// The room's state after the event. Means nothing for an outlier.
    package let snapshotAfter: SnapshotID
    package let depth: Int64

    /// The event has its place in the room's graph.
    package var isInGraph: Bool { !flags.contains(.outlier) }
    package var isRejected: Bool { flags.contains(.rejected) }
}
