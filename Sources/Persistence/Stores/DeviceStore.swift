// The devices of the local accounts: table `devices` (migration 2).

import MatrixCore

/// One row of `devices`.
package struct DeviceRow: Sendable {
    package let device: DeviceID
    package let displayName: String?
    package let created: Timestamp
    package let lastSeen: Timestamp?
    package let lastSeenIP: String?
    package let lastSeenUserAgent: String?

    fileprivate init(_ row: SQLRow) {
        device = DeviceID(trusted: row.text(0))
        displayName = row.optionalText(1)
        created = Timestamp(milliseconds: row.int(2))
        lastSeen = row.optionalInt(3).map { Timestamp(milliseconds: $0) }
        lastSeenIP = row.optionalText(4)
        lastSeenUserAgent = row.optionalText(5)
    }
}

/// The last use of a device.
package struct DeviceUse: Sendable {
    package let user: UserID
    package let device: DeviceID
    package let time: Timestamp
    package let address: String?
    package let userAgent: String?

    package init(user: UserID, device: DeviceID, time: Timestamp, address: String?, userAgent: String?) {
        self.user = user
        self.device = device
        self.time = time
        self.address = address
        self.userAgent = userAgent
    }
}

/// Reads and writes devices.
package enum DeviceStore {
    /// Adds a device; false, and nothing changes, if the user has one of this id.
    package static func insert(
        _ device: DeviceID, of user: UserID, displayName: String?, created: Timestamp, on connection: any SQLConnection
    ) throws -> Bool {
        try connection.execute(
            """
            INSERT INTO devices (user_id, device_id, display_name, created_ts) VALUES ($1, $2, $3, $4)
            ON CONFLICT DO NOTHING
            """,
            [.text(user.string), .text(device.string), .optional(displayName), .int(created.milliseconds)]) == 1
    }

    package static func exists(_ device: DeviceID, of user: UserID, on connection: any SQLConnection) throws -> Bool {
        try connection.exists(
            "SELECT 1 FROM devices WHERE user_id = $1 AND device_id = $2", [.text(user.string), .text(device.string)])
    }

    package static func device(_ device: DeviceID, of user: UserID, on connection: any SQLConnection) throws -> DeviceRow? {
        try connection.first(
            """
            SELECT device_id, display_name, created_ts, last_seen_ts, last_seen_ip, last_seen_user_agent
            FROM devices WHERE user_id = $1 AND device_id = $2
            """, [.text(user.string), .text(device.string)], DeviceRow.init)
    }

    /// The user's devices, in the order of their ids.
    package static func devices(of user: UserID, on connection: any SQLConnection) throws -> [DeviceRow] {
        try connection.rows(
            """
            SELECT device_id, display_name, created_ts, last_seen_ts, last_seen_ip, last_seen_user_agent
            FROM devices WHERE user_id = $1 ORDER BY device_id
            """, [.text(user.string)], DeviceRow.init)
    }

    /// Renames a device; false if there is none.
    package static func setDisplayName(
        _ displayName: String?, of device: DeviceID, of user: UserID, on connection: any SQLConnection
    ) throws -> Bool {
        try connection.execute(
            "UPDATE devices SET display_name = $3 WHERE user_id = $1 AND device_id = $2",
            [.text(user.string), .text(device.string), .optional(displayName)]) == 1
    }

    /// Notes when and from where devices were last used, in one statement. No text may hold U+0000.
    package static func setLastSeen(_ uses: [DeviceUse], on connection: any SQLConnection) throws {
        guard !uses.isEmpty else { return }
        let values = SQLValue.records(uses, size: 192 * uses.count) { writer, use in
            writer.string(use.user.string)
            writer.string(use.device.string)
            writer.int(use.time.milliseconds)
            if let address = use.address { writer.string(address) } else { writer.null() }
            if let userAgent = use.userAgent { writer.string(userAgent) } else { writer.null() }
        }
        try connection.enqueue(connection.dialect == .postgres ? lastSeenOnPostgres : lastSeenOnSQLite, [values])
    }

    private static let lastSeenOnPostgres = lastSeen(.postgres)
    private static let lastSeenOnSQLite = lastSeen(.sqlite)

    private static func lastSeen(_ dialect: SQLDialect) -> SQL {
        let uses = dialect.records(1, [("user_id", .text), ("device_id", .text), ("ts", .int), ("ip", .text), ("agent", .text)])
        return SQL(
            """
            UPDATE devices SET last_seen_ts = n.ts, last_seen_ip = n.ip, last_seen_user_agent = n.agent
            FROM \(uses) AS n WHERE devices.user_id = n.user_id AND devices.device_id = n.device_id
            """)
    }

    /// Removes a device; its tokens, keys and messages are the business of their own stores.
    package static func delete(_ device: DeviceID, of user: UserID, on connection: any SQLConnection) throws {
        try connection.enqueue(
            "DELETE FROM devices WHERE user_id = $1 AND device_id = $2", [.text(user.string), .text(device.string)])
    }
}
