// Migration 20: the devices of users of other servers, and what arrived from there.

extension Migration {
    /// What is known of other servers' users, and by which messages of theirs are known again.
    package static let remoteDevices = Migration(number: 20, name: "devices of other servers") { _ in
        [
            // One row for each user whose devices are followed. `stream_id`: of the last change that was taken in; '' where it is not known.
            // `position`: the end of the stream when the list was asked for. `is_stale`: changes were missed, and the list must be fetched:
            // not before `retry_ts`, in ms, after `failures` that were the list's own.
            """
            CREATE TABLE remote_device_lists (
                user_id TEXT NOT NULL PRIMARY KEY,
                server_name TEXT NOT NULL,
                stream_id TEXT NOT NULL,
                position BIGINT NOT NULL,
                is_stale BOOLEAN NOT NULL,
                failures BIGINT NOT NULL,
                retry_ts BIGINT NOT NULL
            )
            """,
            "CREATE INDEX remote_device_lists_stale ON remote_device_lists (server_name, retry_ts) WHERE is_stale",

            // The devices that have keys. `json`: the canonical device keys, without `unsigned`.
            """
            CREATE TABLE remote_devices (
                user_id TEXT NOT NULL,
                device_id TEXT NOT NULL,
                display_name TEXT,
                json {BLOB} NOT NULL,
                PRIMARY KEY (user_id, device_id)
            )
            """,

            // Which messages to devices were taken in: a server that heard no answer sends them again. Kept for some weeks.
            """
            CREATE TABLE received_device_messages (
                origin TEXT NOT NULL,
                message_id TEXT NOT NULL,
                received_ts BIGINT NOT NULL,
                PRIMARY KEY (origin, message_id)
            )
            """,
            "CREATE INDEX received_device_messages_received ON received_device_messages (received_ts)",

            // Where somebody is, users of other servers too, without a list of its own to follow the state.
            "CREATE INDEX current_state_key ON current_state (key_nid)",

            // Who is in a room, for what happens to all of them at once.
            "CREATE INDEX joined_members_room ON joined_members (room_nid)",
        ]
    }
}
