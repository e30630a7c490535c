// The identity keys of devices: table `device_keys` (migration 3). Client-Server API §Device keys.

import MatrixCore

/// The identity keys of one device, and the name its owner gave it.
package struct DeviceKeysRow: Sendable, Hashable {
    package let user: UserID
    package let device: DeviceID
    package let displayName: String?
    /// The canonical JSON of `device_keys` as it was uploaded, without `unsigned`, with the signatures that its owner's self-signing
    /// key added.
    package let json: [UInt8]

    package init(user: UserID, device: DeviceID, displayName: String?, json: [UInt8]) {
        self.user = user
        self.device = device
        self.displayName = displayName
        self.json = json
    }

    /// A row of `user_id`, `device_id`, `display_name`, `json`.
    init(_ row: SQLRow) {
        self.init(
            user: UserID(trusted: row.text(0)), device: DeviceID(trusted: row.text(1)), displayName: row.optionalText(2), json: row.blob(3))
    }
}

/// Reads and writes identity keys.
package enum DeviceKeyStore {
    package static func keys(of device: DeviceID, of user: UserID, on connection: any SQLConnection) throws -> [UInt8]? {
        try connection.first(
            "SELECT json FROM device_keys WHERE user_id = $1 AND device_id = $2", [.text(user.string), .text(device.string)]
        ) { $0.blob(0) }
    }

    /// Whether any device of the user has keys.
    package static func hasKeys(_ user: UserID, on connection: any SQLConnection) throws -> Bool {
        try connection.first("SELECT 1 FROM device_keys WHERE user_id = $1 LIMIT 1", [.text(user.string)]) { _ in true } ?? false
    }

    /// What other servers are told of a device: its name and its keys, if it has some; nil where there is no such device.
    package static func description(
        of device: DeviceID, of user: UserID, on connection: any SQLConnection
    ) throws -> (displayName: String?, keys: [UInt8]?)? {
        try connection.first(
            """
            SELECT d.display_name, k.json FROM devices d
            LEFT JOIN device_keys k ON k.user_id = d.user_id AND k.device_id = d.device_id WHERE d.user_id = $1 AND d.device_id = $2
            """, [.text(user.string), .text(device.string)]
        ) { ($0.optionalText(0), $0.optionalBlob(1)) }
    }

    /// The keys of every device of `users` that published some, in the order of users and devices.
    package static func keys(ofDevicesOf users: [UserID], on connection: any SQLConnection) throws -> [DeviceKeysRow] {
        try connection.rows(
            """
            SELECT k.user_id, k.device_id, d.display_name, k.json
            FROM device_keys k JOIN devices d ON d.user_id = k.user_id AND d.device_id = k.device_id
            WHERE {k.user_id IN $1}
            ORDER BY k.user_id, k.device_id
            """, [.texts(users.map(\.string))], DeviceKeysRow.init)
    }

    package static func set(
        _ json: [UInt8], of device: DeviceID, of user: UserID, on connection: any SQLConnection
    ) throws {
        try connection.enqueue(
            """
            INSERT INTO device_keys (user_id, device_id, json) VALUES ($1, $2, $3)
            ON CONFLICT (user_id, device_id) DO UPDATE SET json = excluded.json
            """, [.text(user.string), .text(device.string), .blob(json)])
    }

    /// Gives a device that has keys others.
    package static func replace(
        _ json: [UInt8], of device: DeviceID, of user: UserID, on connection: any SQLConnection
    ) throws {
        try connection.enqueue(
            "UPDATE device_keys SET json = $3 WHERE user_id = $1 AND device_id = $2",
            [.text(user.string), .text(device.string), .blob(json)])
    }

    package static func delete(of device: DeviceID, of user: UserID, on connection: any SQLConnection) throws {
        try connection.enqueue(
            "DELETE FROM device_keys WHERE user_id = $1 AND device_id = $2", [.text(user.string), .text(device.string)])
    }
}
