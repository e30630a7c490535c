// Messages to devices and the transactions they came in: tables `to_device_messages` and `to_device_transactions` (migration 3).
// Client-Server API §Send-to-Device messaging.

import MatrixCore

/// A message that waits for its device.
package struct ToDeviceRow: Sendable {
    package let position: StreamPosition
    /// The event as the client gets it: `content`, `sender`, `type`.
    package let json: [UInt8]

    fileprivate init(_ row: SQLRow) {
        position = StreamPosition(value: row.int(0))
        json = row.blob(1)
    }
}

/// Reads and writes to-device messages.
package enum ToDeviceStore {
    package static func insert(
        _ json: [UInt8], to device: DeviceID, of user: UserID, position: StreamPosition, on connection: any SQLConnection
    ) throws {
        try connection.enqueue(
            "INSERT INTO to_device_messages (position, user_id, device_id, json) VALUES ($1, $2, $3, $4)",
            [.int(position.value), .text(user.string), .text(device.string), .blob(json)])
    }

    /// Whether a message was stored at this position.
    package static func exists(_ position: StreamPosition, on connection: any SQLConnection) throws -> Bool {
        try connection.exists("SELECT 1 FROM to_device_messages WHERE position = $1", [.int(position.value)])
    }

    /// The first `limit` messages after a position, in order.
    package static func messages(
        to device: DeviceID, of user: UserID, after: StreamPosition, limit: Int, on connection: any SQLConnection
    ) throws -> [ToDeviceRow] {
        try connection.rows(
            """
            SELECT position, json FROM to_device_messages
            WHERE user_id = $1 AND device_id = $2 AND position > $3 ORDER BY position LIMIT $4
            """, [.text(user.string), .text(device.string), .int(after.value), .int(limit)], ToDeviceRow.init)
    }

    /// Deletes what the device has confirmed.
    package static func delete(
        to device: DeviceID, of user: UserID, upTo: StreamPosition, on connection: any SQLConnection
    ) throws {
        try connection.execute(
            "DELETE FROM to_device_messages WHERE user_id = $1 AND device_id = $2 AND position <= $3",
            [.text(user.string), .text(device.string), .int(upTo.value)])
    }

    /// The devices of local users, for messages to all of them or to some by name.
    package static func devices(
        of users: [UserID], on connection: any SQLConnection
    ) throws -> [(user: UserID, device: DeviceID)] {
        try connection.rows(
            "SELECT user_id, device_id FROM devices WHERE {user_id IN $1} ORDER BY user_id, device_id",
            [.texts(users.map(\.string))]
        ) { (UserID(trusted: $0.text(0)), DeviceID(trusted: $0.text(1))) }
    }

    // MARK: Transactions

    package static func hasTransaction(
        _ id: String, type: ByteString, of device: DeviceID?, of user: UserID, on connection: any SQLConnection
    ) throws -> Bool {
        try connection.exists(
            """
            SELECT 1 FROM to_device_transactions
            WHERE user_id = $1 AND device_id = $2 AND type = $3 AND transaction_id = $4
            """, [.text(user.string), .text(device?.string ?? ""), .text(type.string), .text(id)])
    }

    /// Notes a transaction; false if it is known already.
    package static func insertTransaction(
        _ id: String, type: ByteString, of device: DeviceID?, of user: UserID, at time: Timestamp, on connection: any SQLConnection
    ) throws -> Bool {
        try connection.execute(
            """
            INSERT INTO to_device_transactions (user_id, device_id, type, transaction_id, sent_ts) VALUES ($1, $2, $3, $4, $5)
            ON CONFLICT DO NOTHING
            """,
            [.text(user.string), .text(device?.string ?? ""), .text(type.string), .text(id), .int(time.milliseconds)]) == 1
    }

    /// Forgets transactions from before `time`.
    package static func deleteTransactions(before time: Timestamp, on connection: any SQLConnection) throws {
        try connection.execute("DELETE FROM to_device_transactions WHERE sent_ts < $1", [.int(time.milliseconds)])
    }

    // MARK: Deletion of a device

    package static func delete(of device: DeviceID, of user: UserID, on connection: any SQLConnection) throws {
        let parameters: [SQLValue] = [.text(user.string), .text(device.string)]
        try connection.enqueue("DELETE FROM to_device_messages WHERE user_id = $1 AND device_id = $2", parameters)
        try connection.enqueue("DELETE FROM to_device_transactions WHERE user_id = $1 AND device_id = $2", parameters)
    }
}
