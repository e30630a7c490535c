// Migration 15: server-side backups of room keys.

extension Migration {
    package static let keyBackup = Migration(number: 15, name: "key backup") { _ in
        [
            // `version` counts from 1 for each user. The row of a deleted backup stays, so that its number is not given out again.
            // `auth_data` is canonical JSON. `etag` is raised by every change of the keys; `key_count` is how many there are.
            """
            CREATE TABLE key_backups (
                user_id TEXT NOT NULL,
                version BIGINT NOT NULL,
                algorithm TEXT NOT NULL,
                auth_data {BLOB} NOT NULL,
                etag BIGINT NOT NULL,
                key_count BIGINT NOT NULL,
                deleted BOOLEAN NOT NULL,
                PRIMARY KEY (user_id, version)
            )
            """,

            // One row per session. `session_data` is canonical JSON.
            """
            CREATE TABLE key_backup_sessions (
                user_id TEXT NOT NULL,
                version BIGINT NOT NULL,
                room_id TEXT NOT NULL,
                session_id TEXT NOT NULL,
                first_message_index BIGINT NOT NULL,
                forwarded_count BIGINT NOT NULL,
                is_verified BOOLEAN NOT NULL,
                session_data TEXT NOT NULL,
                PRIMARY KEY (user_id, version, room_id, session_id)
            )
            """,
        ]
    }
}
