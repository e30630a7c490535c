// Dehydrated devices: table `dehydrated_devices` (migration 16). MSC3814.

import MatrixCore

package struct DehydratedDeviceRow: Sendable {
    package let device: DeviceID
    /// What its owner needs to bring it to life: canonical JSON.
    package let data: [UInt8]

    package init(device: DeviceID, data: [UInt8]) {
        self.device = device
        self.data = data
    }
}

/// Reads and writes dehydrated devices.
package enum DehydratedDeviceStore {
    package static func device(of user: UserID, on connection: any SQLConnection) throws -> DehydratedDeviceRow? {
        try connection.first("SELECT device_id, device_data FROM dehydrated_devices WHERE user_id = $1", [.text(user.string)]) { row in
            DehydratedDeviceRow(device: DeviceID(trusted: row.text(0)), data: row.blob(1))
        }
    }

    /// Makes a device the dehydrated one of its user.
    package static func set(_ device: DehydratedDeviceRow, of user: UserID, on connection: any SQLConnection) throws {
        try connection.enqueue(
            """
            INSERT INTO dehydrated_devices (user_id, device_id, device_data) VALUES ($1, $2, $3)
            ON CONFLICT (user_id) DO UPDATE SET device_id = excluded.device_id, device_data = excluded.device_data
            """, [.text(user.string), .text(device.device.string), .blob(device.data)])
    }

    /// Forgets that a device is dehydrated, if it is.
    package static func delete(_ device: DeviceID, of user: UserID, on connection: any SQLConnection) throws {
        try connection.enqueue(
            "DELETE FROM dehydrated_devices WHERE user_id = $1 AND device_id = $2", [.text(user.string), .text(device.string)])
    }
}
