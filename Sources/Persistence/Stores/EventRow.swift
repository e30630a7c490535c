// A row of `events` as readers get it, with what its rendering needs of other events.

import MatrixCore

/// An event with its place in the room. The version of the room says how `json` is read.
package struct EventRow: Sendable {
    package let nid: EventNID
    package let id: EventID
    package let roomNID: RoomNID
    package let roomID: RoomID
    package let roomVersion: String
    /// nil for an outlier.
    package let position: StreamPosition?
    package let type: ByteString
    package let sender: UserID
    package let stateKey: ByteString?
    package let membership: Membership?
    package let timestamp: Timestamp
    package let depth: Int64
    /// The room's state before the event. Means nothing for an outlier.
    package let snapshot: SnapshotID
    /// The room's state after the event.
    package let snapshotAfter: SnapshotID
    package let device: DeviceID?
    package let transactionID: String?
    package let flags: EventFlags
    package let json: [UInt8]
    /// The state event that this one replaced.
    package let replaced: Other?
    /// The redaction of this event.
    package let redaction: Other?
    /// For a redaction that took effect: the event it redacted.
    package let redacts: EventID?
    /// What the event relates to.
    package let relation: Relation?
    /// Whether this server passes the event on to other servers although its sender is not from here.
    package let isRelayed: Bool

    /// A row of `relations`, as far as readers of the event go by it.
    package struct Relation: Sendable {
        package let type: ByteString
        package let parent: EventID
        /// The root of the thread that the event belongs to.
        package let thread: EventID?
    }

    /// Another event that belongs to this one.
    package struct Other: Sendable {
        package let nid: EventNID
        package let id: EventID
        package let sender: UserID
        package let membership: Membership?
        package let timestamp: Timestamp
        package let json: [UInt8]

        fileprivate init?(_ row: SQLRow, from column: Int) {
            guard let nid = row.optionalInt(column) else { return nil }
            self.nid = EventNID(nid)
            id = EventID(trusted: row.text(column + 1))
            sender = UserID(trusted: row.text(column + 2))
            membership = row.optionalText(column + 3).flatMap(Membership.init(rawValue:))
            timestamp = Timestamp(milliseconds: row.int(column + 4))
            json = row.blob(column + 5)
        }
    }

    /// What follows `SELECT`; the order is that of `init`.
    static let source = """
        e.event_nid, e.event_id, e.room_nid, r.room_id, r.version, e.position, e.type, e.sender, e.state_key, e.membership,
        e.origin_server_ts, e.depth, e.snapshot_nid, e.device_id, e.transaction_id, e.flags, e.json,
        p.event_nid, p.event_id, p.sender, p.membership, p.origin_server_ts, p.json,
        x.event_nid, x.event_id, x.sender, x.membership, x.origin_server_ts, x.json, t.event_id,
        l.rel_type, l.parent_id, l.thread_id, e.after_nid, e.relayed
        FROM events e JOIN rooms r ON r.room_nid = e.room_nid
        LEFT JOIN events p ON p.event_nid = e.replaces_nid
        LEFT JOIN events x ON x.event_nid = e.redacted_by
        LEFT JOIN events t ON t.event_nid = e.redacts_nid
        LEFT JOIN relations l ON l.event_nid = e.event_nid
        """

    init(_ row: SQLRow) {
        nid = EventNID(row.int(0))
        id = EventID(trusted: row.text(1))
        roomNID = RoomNID(row.int(2))
        roomID = RoomID(trusted: row.text(3))
        roomVersion = row.text(4)
        position = row.optionalInt(5).map { StreamPosition($0) }
        type = ByteString(row.text(6))
        sender = UserID(trusted: row.text(7))
        stateKey = row.optionalText(8).map { ByteString($0) }
        membership = row.optionalText(9).flatMap(Membership.init(rawValue:))
        timestamp = Timestamp(milliseconds: row.int(10))
        depth = row.int(11)
        snapshot = SnapshotID(row.int(12))
        snapshotAfter = SnapshotID(row.optionalInt(33) ?? row.int(12))
        isRelayed = row.bool(34)
        device = row.optionalText(13).flatMap { $0.isEmpty ? nil : DeviceID(trusted: $0) }
        transactionID = row.optionalText(14)
        flags = EventFlags(rawValue: row.int(15))
        json = row.blob(16)
        replaced = Other(row, from: 17)
        redaction = Other(row, from: 23)
        redacts = row.optionalText(29).map { EventID(trusted: $0) }
        relation = row.optionalText(30).map { type in
            Relation(
                type: ByteString(type), parent: EventID(trusted: row.text(31)), thread: row.optionalText(32).map { EventID(trusted: $0) })
        }
    }
}

/// What the server has decided about an event. Server-Server API §Checks performed on receipt of a PDU.
package struct EventFlags: OptionSet, Sendable, Hashable {
    package let rawValue: Int64
    package init(rawValue: Int64) { self.rawValue = rawValue }

    /// Refused by the authorization rules: in no timeline and no state.
    package static let rejected = EventFlags(rawValue: 1)
    /// Refused by the current state only: in the graph, in no timeline.
    package static let softFailed = EventFlags(rawValue: 2)
    /// Known for what others build on it, without its place in the room's graph: in no timeline. Its state before is not known.
    package static let outlier = EventFlags(rawValue: 4)
    /// In the graph for the graph's sake: in no timeline.
    package static let graphOnly = EventFlags(rawValue: 8)
}
