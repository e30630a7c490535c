// From where devices were used: table `user_ips` (migration 22), and when last: table `devices`.

import MatrixCore

/// One row of `user_ips`.
package struct UserAddressRow: Sendable {
    package let device: DeviceID
    package let address: String
    package let userAgent: String
    package let lastSeen: Timestamp
}

/// Reads and writes the addresses that users come from.
package enum UserAddressStore {
    /// Notes uses, in one statement. No text may hold U+0000.
    package static func put(_ uses: [DeviceUse], on connection: any SQLConnection) throws {
        let uses = uses.filter { $0.address != nil }
        guard !uses.isEmpty else { return }
        let values = SQLValue.records(uses, size: 192 * uses.count) { writer, use in
            writer.string(use.user.string)
            writer.string(use.device.string)
            writer.string(use.address ?? "")
            writer.string(use.userAgent ?? "")
            writer.int(use.time.milliseconds)
        }
        try connection.enqueue(connection.dialect == .postgres ? putOnPostgres : putOnSQLite, [values])
    }

    private static let putOnPostgres = put(.postgres)
    private static let putOnSQLite = put(.sqlite)

    private static func put(_ dialect: SQLDialect) -> SQL {
        let uses = dialect.records(1, [("user_id", .text), ("device_id", .text), ("ip", .text), ("agent", .text), ("ts", .int)])
        return SQL(
            """
            INSERT INTO user_ips (user_id, device_id, ip, user_agent, last_seen_ts)
            SELECT n.user_id, n.device_id, n.ip, n.agent, n.ts FROM \(uses) AS n WHERE true
            ON CONFLICT (user_id, device_id, ip)
            DO UPDATE SET user_agent = excluded.user_agent, last_seen_ts = excluded.last_seen_ts
            """)
    }

    /// From where a user came, the newest first, at most a thousand.
    package static func addresses(of user: UserID, on connection: any SQLConnection) throws -> [UserAddressRow] {
        try connection.rows(
            """
            SELECT device_id, ip, user_agent, last_seen_ts FROM user_ips WHERE user_id = $1
            ORDER BY last_seen_ts DESC, device_id, ip LIMIT 1000
            """, [.text(user.string)]
        ) {
            UserAddressRow(
                device: DeviceID(trusted: $0.text(0)), address: $0.text(1), userAgent: $0.text(2),
                lastSeen: Timestamp(milliseconds: $0.int(3)))
        }
    }

    /// Forgets addresses from before `time`, also those of devices.
    package static func forget(before time: Timestamp, on connection: any SQLConnection) throws {
        try connection.enqueue("DELETE FROM user_ips WHERE last_seen_ts < $1", [.int(time.milliseconds)])
        try connection.enqueue(
            """
            UPDATE devices SET last_seen_ip = NULL, last_seen_user_agent = NULL
            WHERE last_seen_ts < $1 AND (last_seen_ip IS NOT NULL OR last_seen_user_agent IS NOT NULL)
            """, [.int(time.milliseconds)])
    }

    package static func deleteAll(of user: UserID, on connection: any SQLConnection) throws {
        try connection.enqueue("DELETE FROM user_ips WHERE user_id = $1", [.text(user.string)])
    }

    /// Devices that were used, but not since `time`.
    package static func staleDevices(
        before time: Timestamp, limit: Int, on connection: any SQLConnection
    ) throws -> [(user: UserID, device: DeviceID)] {
        try connection.rows(
            "SELECT user_id, device_id FROM devices WHERE last_seen_ts < $1 ORDER BY user_id, device_id LIMIT $2",
            [.int(time.milliseconds), .int(limit)]
        ) { (UserID(trusted: $0.text(0)), DeviceID(trusted: $0.text(1))) }
    }
}
