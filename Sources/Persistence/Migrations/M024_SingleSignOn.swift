// Migration 24: who people are to providers of single sign-on.

extension Migration {
    package static let singleSignOn = Migration(number: 24, name: "single sign-on") { _ in
        [
            // One row per account at a provider that an account here belongs to. `external_id` is the provider's, and unique there.
            """
            CREATE TABLE user_external_ids (
                auth_provider TEXT NOT NULL,
                external_id TEXT NOT NULL,
                user_id TEXT NOT NULL,
                PRIMARY KEY (auth_provider, external_id)
            )
            """,
            "CREATE INDEX user_external_ids_user ON user_external_ids (user_id)",

            // Whoever is at the point of having an account made, by the SHA-256 of what their browser has. `content` is JSON.
            """
            CREATE TABLE sign_on_registrations (
                session_hash {BLOB} NOT NULL PRIMARY KEY,
                expiry_ts BIGINT NOT NULL,
                auth_provider TEXT NOT NULL,
                auth_provider_session TEXT,
                content {BLOB} NOT NULL
            )
            """,

            // The session at a provider by which a device was logged in: when that one ends, so does the device's.
            """
            CREATE TABLE device_provider_sessions (
                user_id TEXT NOT NULL,
                device_id TEXT NOT NULL,
                auth_provider TEXT NOT NULL,
                auth_provider_session TEXT NOT NULL,
                PRIMARY KEY (user_id, device_id)
            )
            """,
            "CREATE INDEX device_provider_sessions_session ON device_provider_sessions (auth_provider, auth_provider_session)",
        ]
    }
}
