// Migration 14: cross-signing.

extension Migration {
    /// The keys with which users sign their devices and each other, and device-list changes that only one user is told of.
    package static let crossSigning = Migration(number: 14, name: "cross-signing") { _ in
        [
            // `usage`: 'master', 'self_signing' or 'user_signing'. `public_key` is what the key is called by; no device of the user may
            // have it as its id. `json` is the canonical key with the signatures that everyone may see. Until `replaceable_until_ts` the
            // user may replace the key without further authentication.
            """
            CREATE TABLE cross_signing_keys (
                user_id TEXT NOT NULL,
                usage TEXT NOT NULL,
                public_key TEXT NOT NULL,
                json {BLOB} NOT NULL,
                replaceable_until_ts BIGINT,
                PRIMARY KEY (user_id, usage)
            )
            """,

            // Signatures that a user's user-signing key made of other users' master keys. Only the signer sees them.
            """
            CREATE TABLE user_signatures (
                signer_id TEXT NOT NULL,
                user_id TEXT NOT NULL,
                public_key TEXT NOT NULL,
                key_id TEXT NOT NULL,
                signature TEXT NOT NULL,
                PRIMARY KEY (signer_id, user_id, key_id)
            )
            """,
            "CREATE INDEX user_signatures_user ON user_signatures (user_id)",

            // Who is told of the change; NULL: everyone who shares a room with the user.
            "ALTER TABLE device_list_changes ADD COLUMN viewer_id TEXT",
        ]
    }
}
