// Migration 2: accounts, devices, tokens, profiles, account data, filters and push rules.

extension Migration {
    /// The tables of the people of this server, and of what they keep on it.
    package static let accounts = Migration(number: 2, name: "accounts") { _ in
        [
            // One row per local account. `folded_id` is the lowercase id: logins are not case sensitive.
            // `password_hash` NULL: the account cannot log in with a password. Times are ms since the epoch.
            """
            CREATE TABLE users (
                user_id TEXT NOT NULL PRIMARY KEY,
                folded_id TEXT NOT NULL,
                password_hash TEXT,
                created_ts BIGINT NOT NULL,
                user_type TEXT,
                is_admin BOOLEAN NOT NULL,
                is_guest BOOLEAN NOT NULL,
                deactivated BOOLEAN NOT NULL,
                locked BOOLEAN NOT NULL,
                suspended BOOLEAN NOT NULL
            )
            """,
            "CREATE INDEX users_folded_id ON users (folded_id)",

            // One row per device of a local account.
            """
            CREATE TABLE devices (
                user_id TEXT NOT NULL,
                device_id TEXT NOT NULL,
                display_name TEXT,
                created_ts BIGINT NOT NULL,
                last_seen_ts BIGINT,
                last_seen_ip TEXT,
                last_seen_user_agent TEXT,
                PRIMARY KEY (user_id, device_id)
            )
            """,

            // Tokens are kept as their SHA-256 only: a copy of the database opens no session.
            // `refresh_id` is the refresh token that was given out together with the access token.
            """
            CREATE TABLE access_tokens (
                token_id BIGINT NOT NULL PRIMARY KEY,
                token_hash {BLOB} NOT NULL,
                user_id TEXT NOT NULL,
                device_id TEXT,
                refresh_id BIGINT,
                valid_until_ts BIGINT,
                used BOOLEAN NOT NULL
            )
            """,
            "CREATE UNIQUE INDEX access_tokens_hash ON access_tokens (token_hash)",
            "CREATE INDEX access_tokens_device ON access_tokens (user_id, device_id)",
            "CREATE INDEX access_tokens_refresh ON access_tokens (refresh_id)",

            // `next_id` is the refresh token that replaces this one; this one stays usable until that one
            // or its access token is used. `session_expiry_ts` is carried over to every successor.
            """
            CREATE TABLE refresh_tokens (
                token_id BIGINT NOT NULL PRIMARY KEY,
                token_hash {BLOB} NOT NULL,
                user_id TEXT NOT NULL,
                device_id TEXT NOT NULL,
                next_id BIGINT,
                expiry_ts BIGINT,
                session_expiry_ts BIGINT
            )
            """,
            "CREATE UNIQUE INDEX refresh_tokens_hash ON refresh_tokens (token_hash)",
            "CREATE INDEX refresh_tokens_device ON refresh_tokens (user_id, device_id)",
            "CREATE INDEX refresh_tokens_next ON refresh_tokens (next_id)",

            // One row per field of a profile; `value` is the field's JSON.
            """
            CREATE TABLE profile_fields (
                user_id TEXT NOT NULL,
                field TEXT NOT NULL,
                value {BLOB} NOT NULL,
                PRIMARY KEY (user_id, field)
            )
            """,

            // `room_id` is '' for global account data. `position` is the one of the last write.
            """
            CREATE TABLE account_data (
                user_id TEXT NOT NULL,
                room_id TEXT NOT NULL,
                type TEXT NOT NULL,
                position BIGINT NOT NULL,
                content {BLOB} NOT NULL,
                PRIMARY KEY (user_id, room_id, type)
            )
            """,
            "CREATE INDEX account_data_position ON account_data (user_id, position)",

            // Filters are numbered from 0 for each user and never change.
            """
            CREATE TABLE filters (
                user_id TEXT NOT NULL,
                filter_id BIGINT NOT NULL,
                definition {BLOB} NOT NULL,
                PRIMARY KEY (user_id, filter_id)
            )
            """,

            // What a user changed of the default push rules, as one JSON document.
            """
            CREATE TABLE push_rules (
                user_id TEXT NOT NULL PRIMARY KEY,
                position BIGINT NOT NULL,
                changes {BLOB} NOT NULL
            )
            """,
        ]
    }
}
