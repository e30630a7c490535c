// Migration 23: tokens that are good for one login.

extension Migration {
    package static let loginTokens = Migration(number: 23, name: "login tokens") { _ in
        [
            // Kept as their SHA-256 only. `auth_provider` is how the user proved who they are, where that was by single sign-on, and
            // `auth_provider_session` what the provider calls the session there.
            """
            CREATE TABLE login_tokens (
                token_hash {BLOB} NOT NULL PRIMARY KEY,
                user_id TEXT NOT NULL,
                expiry_ts BIGINT NOT NULL,
                auth_provider TEXT,
                auth_provider_session TEXT,
                attributes {BLOB}
            )
            """,
            "CREATE INDEX login_tokens_expiry ON login_tokens (expiry_ts)",
        ]
    }
}
