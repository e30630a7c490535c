// Migration 16: devices that wait for their owner to come back.

extension Migration {
    /// MSC3814: at most one dehydrated device for each user. Its keys and messages are those of any device; `device_data` is canonical JSON.
    package static let dehydratedDevices = Migration(number: 16, name: "dehydrated devices") { _ in
        [
            """
            CREATE TABLE dehydrated_devices (
                user_id TEXT NOT NULL PRIMARY KEY,
                device_id TEXT NOT NULL,
                device_data {BLOB} NOT NULL
            )
            """
        ]
    }
}
