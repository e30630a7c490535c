// Messages whose time is over: finding them, and taking them out of every table that knows of them.

import MatrixCore

/// Reads which rooms and messages are concerned, and deletes. State is never touched: the room would not be the same.
package enum RetentionStore {
    /// A room, and the event by which it decides for itself.
    package struct Room: Sendable {
        package let nid: RoomNID
        package let id: RoomID
        package let policy: EventNID?
    }

    /// Rooms in the order of their numbers.
    package static func rooms(after: RoomNID, limit: Int, on connection: any SQLConnection) throws -> [Room] {
        try connection.rows(
            """
            SELECT r.room_nid, r.room_id, s.event_nid FROM rooms r LEFT JOIN current_state s ON s.room_nid = r.room_nid
                AND s.key_nid = (SELECT key_nid FROM state_keys WHERE type = 'm.room.retention' AND state_key = '')
            WHERE r.room_nid > $1 ORDER BY r.room_nid LIMIT $2
            """, [.int(after.value), .int(limit)]
        ) { row in Room(nid: RoomNID(row.int(0)), id: RoomID(trusted: row.text(1)), policy: row.optionalInt(2).map { EventNID($0) }) }
    }

    /// Messages of a room's timeline that were sent before `time`. The newest event stays, as do those on which the next one builds,
    /// and redactions of state.
    package static func messages(
        in room: RoomNID, sentBefore time: Timestamp, limit: Int, on connection: any SQLConnection
    ) throws -> [EventNID] {
        try connection.rows(
            """
            SELECT e.event_nid FROM events e JOIN rooms r ON r.room_nid = e.room_nid
            WHERE e.room_nid = $1 AND e.origin_server_ts < $2 AND e.state_key IS NULL
                AND e.position < (SELECT max(n.position) FROM events n WHERE n.room_nid = $1)
                AND ' ' || r.forward_extremities || ' ' NOT LIKE '% ' || e.event_id || ' %'
                AND NOT EXISTS (SELECT 1 FROM events t WHERE t.event_nid = e.redacts_nid AND t.state_key IS NOT NULL)
            ORDER BY e.origin_server_ts LIMIT $3
            """, [.int(room.value), .int(time.milliseconds), .int(limit)]
        ) { EventNID($0.int(0)) }
    }

    /// Deletes events of a room, and what is known of them only.
    package static func delete(_ events: [EventNID], in room: RoomNID, on connection: any SQLConnection) throws {
        guard !events.isEmpty else { return }
        let nids = SQLValue.ints(events.map(\.value))
        let threads = try connection.rows(
            "SELECT DISTINCT parent_id FROM relations WHERE {event_nid IN $1} AND rel_type = 'm.thread'", [nids]
        ) { $0.text(0) }
        try connection.enqueue("DELETE FROM relations WHERE {event_nid IN $1}", [nids])
        try connection.enqueue("DELETE FROM indirect_relations WHERE {event_nid IN $1}", [nids])
        if !threads.isEmpty { try countAnew(threads, in: room, on: connection) }
        try SearchStore.delete(numbers: events, on: connection)
        try connection.enqueue("DELETE FROM expiring_events WHERE {event_nid IN $1}", [nids])
        try connection.enqueue("DELETE FROM events WHERE {event_nid IN $1}", [nids])
    }

    private static func countAnew(_ roots: [String], in room: RoomNID, on connection: any SQLConnection) throws {
        let threads: [SQLValue] = [.int(room.value), .texts(roots)]
        let replies = "FROM relations r WHERE r.room_nid = threads.room_nid AND r.parent_id = threads.root_id AND r.rel_type = 'm.thread'"
        let latest = "\(replies) ORDER BY r.position DESC LIMIT 1"
        try connection.enqueue(
            SQL(
                """
                UPDATE threads SET reply_count = (SELECT count(*) \(replies)), latest_nid = coalesce((SELECT r.event_nid \(latest)), 0),
                    latest_position = coalesce((SELECT r.position \(latest)), 0)
                WHERE room_nid = $1 AND {root_id IN $2}
                """), threads)
        try connection.enqueue("DELETE FROM threads WHERE room_nid = $1 AND {root_id IN $2} AND reply_count = 0", threads)
        try connection.enqueue("DELETE FROM thread_participants WHERE room_nid = $1 AND {root_id IN $2}", threads)
        try connection.enqueue(
            """
            INSERT INTO thread_participants (room_nid, root_id, user_id, reply_count)
            SELECT room_nid, parent_id, sender, count(*) FROM relations
            WHERE room_nid = $1 AND {parent_id IN $2} AND rel_type = 'm.thread' GROUP BY room_nid, parent_id, sender
            """, threads)
    }

    // MARK: Messages that name their time

    package static func insertExpiry(_ event: EventNID, at time: Timestamp, on connection: any SQLConnection) throws {
        try connection.enqueue(
            "INSERT INTO expiring_events (event_nid, expiry_ts) VALUES ($1, $2) ON CONFLICT (event_nid) DO NOTHING",
            [.int(event.value), .int(time.milliseconds)])
    }

    /// A message whose time has come, as it is stored.
    package struct Expired: Sendable {
        package let nid: EventNID
        package let id: EventID
        package let room: RoomID
        package let version: String
        package let json: [UInt8]
        package let isRedacted: Bool
    }

    package static func expired(by time: Timestamp, limit: Int, on connection: any SQLConnection) throws -> [Expired] {
        try connection.rows(
            """
            SELECT e.event_nid, e.event_id, r.room_id, r.version, e.json, e.redacted_by FROM expiring_events x
            JOIN events e ON e.event_nid = x.event_nid JOIN rooms r ON r.room_nid = e.room_nid
            WHERE x.expiry_ts <= $1 ORDER BY x.expiry_ts LIMIT $2
            """, [.int(time.milliseconds), .int(limit)]
        ) { row in
            Expired(
                nid: EventNID(row.int(0)), id: EventID(trusted: row.text(1)), room: RoomID(trusted: row.text(2)), version: row.text(3),
                json: row.blob(4), isRedacted: row.optionalInt(5) != nil)
        }
    }

    /// When the next one is due; nil where none waits.
    package static func nextExpiry(on connection: any SQLConnection) throws -> Timestamp? {
        try connection.first("SELECT expiry_ts FROM expiring_events ORDER BY expiry_ts LIMIT 1", []) {
            Timestamp(milliseconds: $0.int(0))
        }
    }

    /// Puts what is left of an event in its place.
    ///
    /// - Parameter json: nil where it stays as it is.
    package static func expire(_ event: EventNID, leaving json: [UInt8]?, on connection: any SQLConnection) throws {
        if let json {
            try connection.enqueue("UPDATE events SET json = $2 WHERE event_nid = $1", [.int(event.value), .blob(json)])
            try SearchStore.delete(numbers: [event], on: connection)
        }
        try connection.enqueue("DELETE FROM expiring_events WHERE event_nid = $1", [.int(event.value)])
    }
}
