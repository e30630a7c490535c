// Messages to devices of other servers, until these have taken them: table `to_device_outbox` (migration 19).
// Server-Server API §Send-to-Device messaging.

import MatrixCore

/// A message that waits for its server.
package struct ToDeviceOutboxRow: Sendable {
    package let position: StreamPosition
    /// The whole EDU.
    package let json: [UInt8]

    fileprivate init(_ row: SQLRow) {
        position = StreamPosition(row.int(0))
        json = row.blob(1)
    }
}

/// Reads and writes messages to other servers' devices.
package enum ToDeviceOutboxStore {
    package static func insert(
        _ json: [UInt8], to server: ServerName, position: StreamPosition, on connection: any SQLConnection
    ) throws {
        try connection.enqueue(
            "INSERT INTO to_device_outbox (position, server_name, json) VALUES ($1, $2, $3)",
            [.int(position.value), .text(server.string), .blob(json)])
    }

    /// Whether a message was stored at this position.
    package static func exists(_ position: StreamPosition, on connection: any SQLConnection) throws -> Bool {
        try connection.exists("SELECT 1 FROM to_device_outbox WHERE position = $1", [.int(position.value)])
    }

    /// The first `limit` messages for a server after a position, in order.
    package static func messages(
        to server: ServerName, after position: StreamPosition, limit: Int, on connection: any SQLConnection
    ) throws -> [ToDeviceOutboxRow] {
        try connection.rows(
            "SELECT position, json FROM to_device_outbox WHERE server_name = $1 AND position > $2 ORDER BY position LIMIT $3",
            [.text(server.string), .int(position.value), .int(limit)], ToDeviceOutboxRow.init)
    }

    /// Deletes what the server has taken.
    package static func delete(
        to server: ServerName, upTo position: StreamPosition, on connection: any SQLConnection
    ) throws {
        try connection.enqueue(
            "DELETE FROM to_device_outbox WHERE server_name = $1 AND position <= $2", [.text(server.string), .int(position.value)])
    }

    /// The servers for which something waits.
    package static func servers(on connection: any SQLConnection) throws -> [ServerName] {
        try connection.rows("SELECT DISTINCT server_name FROM to_device_outbox") { ServerName(trusted: $0.text(0)) }
    }
}
