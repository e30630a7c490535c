// Migration 3: end-to-end keys, the stream of device-list changes, to-device messages and receipts.

extension Migration {
    /// What devices publish for encryption, what is sent to them, and how far people have read.
    package static let devicesAndKeys = Migration(number: 3, name: "devices and keys") { _ in
        [
            // The identity keys of a device: the canonical JSON of its `device_keys`, without `unsigned`.
            """
            CREATE TABLE device_keys (
                user_id TEXT NOT NULL,
                device_id TEXT NOT NULL,
                json {BLOB} NOT NULL,
                PRIMARY KEY (user_id, device_id)
            )
            """,

            // One row per one-time key. `position` is the one of its upload: keys are given out in that order. A key that was
            // given out keeps its row for some days with `claimed_ts` set, so that a repeated upload cannot bring it back.
            """
            CREATE TABLE one_time_keys (
                user_id TEXT NOT NULL,
                device_id TEXT NOT NULL,
                algorithm TEXT NOT NULL,
                key_id TEXT NOT NULL,
                position BIGINT NOT NULL,
                claimed_ts BIGINT,
                json {BLOB} NOT NULL,
                PRIMARY KEY (user_id, device_id, algorithm, key_id)
            )
            """,
            """
            CREATE INDEX one_time_keys_unclaimed ON one_time_keys (user_id, device_id, algorithm, position)
            WHERE claimed_ts IS NULL
            """,

            // At most one fallback key per device and algorithm.
            """
            CREATE TABLE fallback_keys (
                user_id TEXT NOT NULL,
                device_id TEXT NOT NULL,
                algorithm TEXT NOT NULL,
                key_id TEXT NOT NULL,
                used BOOLEAN NOT NULL,
                json {BLOB} NOT NULL,
                PRIMARY KEY (user_id, device_id, algorithm)
            )
            """,

            // "Something about this user's devices changed here."
            """
            CREATE TABLE device_list_changes (
                position BIGINT NOT NULL PRIMARY KEY,
                user_id TEXT NOT NULL
            )
            """,
            "CREATE INDEX device_list_changes_user ON device_list_changes (user_id)",

            // Messages that a device has not confirmed yet; `json` is the whole event as the client gets it.
            """
            CREATE TABLE to_device_messages (
                position BIGINT NOT NULL PRIMARY KEY,
                user_id TEXT NOT NULL,
                device_id TEXT NOT NULL,
                json {BLOB} NOT NULL
            )
            """,
            "CREATE INDEX to_device_messages_device ON to_device_messages (user_id, device_id, position)",

            // Transaction ids of `PUT /sendToDevice`, kept for some days. `device_id` '' stands for a token without a device.
            """
            CREATE TABLE to_device_transactions (
                user_id TEXT NOT NULL,
                device_id TEXT NOT NULL,
                type TEXT NOT NULL,
                transaction_id TEXT NOT NULL,
                sent_ts BIGINT NOT NULL,
                PRIMARY KEY (user_id, device_id, type, transaction_id)
            )
            """,
            "CREATE INDEX to_device_transactions_sent ON to_device_transactions (sent_ts)",

            // How far a user has read: one row per kind of receipt and thread. `thread_id` '' is the unthreaded receipt.
            // `event_position` is the stream position of the event, by which a receipt only ever moves forward.
            """
            CREATE TABLE receipts (
                room_nid BIGINT NOT NULL,
                user_id TEXT NOT NULL,
                type TEXT NOT NULL,
                thread_id TEXT NOT NULL,
                event_id TEXT NOT NULL,
                event_position BIGINT NOT NULL,
                ts BIGINT NOT NULL,
                position BIGINT NOT NULL,
                PRIMARY KEY (room_nid, user_id, type, thread_id)
            )
            """,
            "CREATE INDEX receipts_position ON receipts (room_nid, position)",
        ]
    }
}
