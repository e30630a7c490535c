// Which messages to devices came from other servers: table `received_device_messages` (migration 20).
// Server-Server API §Send-to-device messaging.

import MatrixCore

/// Knows messages again that were taken in.
package enum ReceivedMessageStore {
    /// Notes a message; false if it is known already.
    package static func insert(
        _ message: String, from origin: ServerName, at time: Timestamp, on connection: any SQLConnection
    ) throws -> Bool {
        try connection.execute(
            """
            INSERT INTO received_device_messages (origin, message_id, received_ts) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING
            """, [.text(origin.string), .text(message), .int(time.milliseconds)]) == 1
    }

    package static func exists(_ message: String, from origin: ServerName, on connection: any SQLConnection) throws -> Bool {
        try connection.exists(
            "SELECT 1 FROM received_device_messages WHERE origin = $1 AND message_id = $2", [.text(origin.string), .text(message)])
    }

    /// Forgets those from before `time`.
    package static func delete(before time: Timestamp, on connection: any SQLConnection) throws {
        try connection.execute("DELETE FROM received_device_messages WHERE received_ts < $1", [.int(time.milliseconds)])
    }
}
