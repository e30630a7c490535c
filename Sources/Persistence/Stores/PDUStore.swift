// Events as servers exchange them: table `events` (migration 1). Server-Server API §PDUs.

import MatrixCore

/// An event with what decides whether and how another server gets it. Also of outliers and rejected events.
package struct PDURow: Sendable {
    package let nid: EventNID
    package let id: EventID
    package let room: RoomNID
    /// nil for an event in no timeline.
    package let position: StreamPosition?
    package let type: ByteString
    package let sender: UserID
    package let stateKey: ByteString?
    package let membership: Membership?
    package let timestamp: Timestamp
    package let depth: Int64
    /// The room's state before the event.
    package let snapshot: SnapshotID
    package let flags: EventFlags
    /// The event as it was signed, or what a redaction left of it.
    package let json: [UInt8]

    package var isOutlier: Bool { flags.contains(.outlier) }

    /// What follows `SELECT`; the order is that of `init`.
    fileprivate static let columns = """
        event_nid, event_id, room_nid, position, type, sender, state_key, membership, origin_server_ts, depth, snapshot_nid, flags, json
        """

    fileprivate init(_ row: SQLRow) {
        nid = EventNID(row.int(0))
        id = EventID(trusted: row.text(1))
        room = RoomNID(row.int(2))
        position = row.optionalInt(3).map { StreamPosition($0) }
        type = ByteString(row.text(4))
        sender = UserID(trusted: row.text(5))
        stateKey = row.optionalText(6).map { ByteString($0) }
        membership = row.optionalText(7).flatMap(Membership.init(rawValue:))
        timestamp = Timestamp(milliseconds: row.int(8))
        depth = row.int(9)
        snapshot = SnapshotID(row.int(10))
        flags = EventFlags(rawValue: row.int(11))
        json = row.blob(12)
    }
}

/// Where an event stands, without the event.
package struct PDUPlace: Sendable {
    package let nid: EventNID
    package let id: EventID
    package let depth: Int64
    /// nil for an event in no timeline.
    package let position: StreamPosition?
}

/// Reads events for other servers.
package enum PDUStore {
    package static func row(_ id: EventID, on connection: any SQLConnection) throws -> PDURow? {
        try connection.first(rowByID, [.text(id.string)], PDURow.init)
    }

    /// Those of the events that are of this room, in no order.
    package static func rows(_ ids: [EventID], in room: RoomNID, on connection: any SQLConnection) throws -> [PDURow] {
        guard !ids.isEmpty else { return [] }
        return try connection.rows(rowsByIDs, [.texts(ids.map(\.string)), .int(room.value)], PDURow.init)
    }

    /// Where those of the events stand that are of this room, in no order.
    package static func places(_ ids: [EventID], in room: RoomNID, on connection: any SQLConnection) throws -> [PDUPlace] {
        guard !ids.isEmpty else { return [] }
        return try connection.rows(
            "SELECT event_nid, event_id, depth, position FROM events WHERE {event_id IN $1} AND room_nid = $2",
            [.texts(ids.map(\.string)), .int(room.value)]
        ) { row in
            PDUPlace(
                nid: EventNID(row.int(0)), id: EventID(trusted: row.text(1)), depth: row.int(2),
                position: row.optionalInt(3).map { StreamPosition($0) })
        }
    }

    /// In no order; numbers without an event are left out.
    package static func rows(_ nids: [EventNID], on connection: any SQLConnection) throws -> [PDURow] {
        guard !nids.isEmpty else { return [] }
        return try connection.rows(rowsByNumbers, [.ints(nids.map(\.value))], PDURow.init)
    }

    /// The newest `limit` events of a room's timeline at or before a position, rejected and soft-failed ones too.
    package static func before(
        _ position: StreamPosition, in room: RoomNID, limit: Int, on connection: any SQLConnection
    ) throws -> [PDURow] {
        try connection.rows(rowsBefore, [.int(room.value), .int(position.value), .int(limit)], PDURow.init)
    }

    /// The memberships that member events set.
    package static func memberships(_ nids: [EventNID], on connection: any SQLConnection) throws -> [EventNID: Membership] {
        var result: [EventNID: Membership] = [:]
        try connection.query(
            "SELECT event_nid, membership FROM events WHERE {event_nid IN $1} AND membership IS NOT NULL", [.ints(nids.map(\.value))]
        ) { row in result[EventNID(row.int(0))] = Membership(rawValue: row.text(1)) }
        return result
    }

    private static let rowByID = SQL("SELECT \(PDURow.columns) FROM events WHERE event_id = $1")
    private static let rowsByIDs = SQL("SELECT \(PDURow.columns) FROM events WHERE {event_id IN $1} AND room_nid = $2")
    private static let rowsByNumbers = SQL("SELECT \(PDURow.columns) FROM events WHERE {event_nid IN $1}")
    private static let rowsBefore = SQL(
        "SELECT \(PDURow.columns) FROM events WHERE room_nid = $1 AND position <= $2 ORDER BY position DESC LIMIT $3")
}
