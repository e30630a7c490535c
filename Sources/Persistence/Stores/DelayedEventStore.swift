// Events that wait for their time: table `delayed_events` (migration 9).

import MatrixCore

/// One row of `delayed_events`.
package struct DelayedEventRow: Sendable {
    package let id: String
    package let user: UserID
    package let device: DeviceID?
    package let room: RoomID
    package let type: ByteString
    package let stateKey: ByteString?
    /// A JSON object.
    package let content: [UInt8]
    /// In milliseconds.
    package let delay: Int64
    package let due: Timestamp

    package init(
        id: String, user: UserID, device: DeviceID?, room: RoomID, type: ByteString, stateKey: ByteString?, content: [UInt8],
        delay: Int64, due: Timestamp
    ) {
        self.id = id
        self.user = user
        self.device = device
        self.room = room
        self.type = type
        self.stateKey = stateKey
        self.content = content
        self.delay = delay
        self.due = due
    }

    fileprivate init(_ row: SQLRow) {
        id = row.text(0)
        user = UserID(trusted: row.text(1))
        device = row.optionalText(2).map { DeviceID(trusted: $0) }
        room = RoomID(trusted: row.text(3))
        type = ByteString(row.text(4))
        stateKey = row.optionalText(5).map { ByteString($0) }
        content = row.blob(6)
        delay = row.int(7)
        due = Timestamp(milliseconds: row.int(8))
    }
}

/// Reads and writes delayed events.
package enum DelayedEventStore {
    private static let columns = "delay_id, user_id, device_id, room_id, type, state_key, content, delay, send_ts"

    package static func insert(_ event: DelayedEventRow, on connection: any SQLConnection) throws {
        try connection.enqueue(
            """
            INSERT INTO delayed_events (delay_id, user_id, device_id, room_id, type, state_key, content, delay, send_ts)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
            """,
            [
                .text(event.id), .text(event.user.string), .optional(event.device?.string), .text(event.room.string),
                .text(event.type.string), .optional(event.stateKey?.string), .blob(event.content),
                .int(event.delay), .int(event.due.milliseconds),
            ])
    }

    package static func event(_ id: String, on connection: any SQLConnection) throws -> DelayedEventRow? {
        try connection.first(SQL("SELECT \(columns) FROM delayed_events WHERE delay_id = $1"), [.text(id)], DelayedEventRow.init)
    }

    /// The user's waiting events, the next one first.
    package static func events(of user: UserID, on connection: any SQLConnection) throws -> [DelayedEventRow] {
        try connection.rows(
            SQL("SELECT \(columns) FROM delayed_events WHERE user_id = $1 ORDER BY send_ts, delay_id"), [.text(user.string)],
            DelayedEventRow.init)
    }

    /// What is due by `time`, the oldest first.
    package static func due(by time: Timestamp, limit: Int, on connection: any SQLConnection) throws -> [DelayedEventRow] {
        try connection.rows(
            SQL("SELECT \(columns) FROM delayed_events WHERE send_ts <= $1 ORDER BY send_ts, delay_id LIMIT $2"),
            [.int(time.milliseconds), .int(Int64(limit))], DelayedEventRow.init)
    }

    /// When the next event is due; nil where none waits.
    package static func nextDue(on connection: any SQLConnection) throws -> Timestamp? {
        try connection.first("SELECT send_ts FROM delayed_events ORDER BY send_ts LIMIT 1", []) { Timestamp(milliseconds: $0.int(0)) }
    }

    /// Begins the delay anew; false if no such event waits.
    package static func restart(_ id: String, at time: Timestamp, on connection: any SQLConnection) throws -> Bool {
        try connection.execute(
            "UPDATE delayed_events SET send_ts = $2 + delay WHERE delay_id = $1", [.text(id), .int(time.milliseconds)]) == 1
    }

    /// False if no such event waits.
    @discardableResult
    package static func delete(_ id: String, on connection: any SQLConnection) throws -> Bool {
        try connection.execute("DELETE FROM delayed_events WHERE delay_id = $1", [.text(id)]) == 1
    }

    /// Cancels what others than `sender` have waiting for a piece of state.
    package static func deleteState(
        _ key: StateKey, in room: RoomID, notFrom sender: UserID, on connection: any SQLConnection
    ) throws {
        try connection.enqueue(
            "DELETE FROM delayed_events WHERE room_id = $1 AND type = $2 AND state_key = $3 AND user_id <> $4",
            [.text(room.string), .text(key.type.string), .text(key.stateKey.string), .text(sender.string)])
    }

    /// The rooms for which state waits.
    package static func roomsWithState(on connection: any SQLConnection) throws -> [RoomID] {
        try connection.rows("SELECT DISTINCT room_id FROM delayed_events WHERE state_key IS NOT NULL", []) {
            RoomID(trusted: $0.text(0))
        }
    }
}
