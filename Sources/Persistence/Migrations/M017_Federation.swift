// Migration 17: keys of other servers, and which of them do not answer.

extension Migration {
    /// What is known of other servers.
    package static let federation = Migration(number: 17, name: "federation") { _ in
        [
            // One row per key. `verify_key` in unpadded Base64; `valid_until` in ms: of a key that its server has retired, the time until
            // which it signed. `document` is the newest of the server's documents that holds the key, `document_valid_until` its age.
            """
            CREATE TABLE server_keys (
                server_name TEXT NOT NULL,
                key_id TEXT NOT NULL,
                verify_key TEXT NOT NULL,
                valid_until BIGINT NOT NULL,
                document BIGINT NOT NULL,
                document_valid_until BIGINT NOT NULL,
                PRIMARY KEY (server_name, key_id)
            )
            """,

            // What servers say about their keys, as they signed it, by the time in ms at which it was received.
            """
            CREATE TABLE server_key_documents (
                server_name TEXT NOT NULL,
                document BIGINT NOT NULL,
                valid_until BIGINT NOT NULL,
                json {BLOB} NOT NULL,
                PRIMARY KEY (server_name, document)
            )
            """,

            // Servers that do not answer: since when, when they were tried last, and how long to wait from then. Times in ms.
            """
            CREATE TABLE destinations (
                server_name TEXT NOT NULL PRIMARY KEY,
                failure_ts BIGINT,
                retry_last_ts BIGINT NOT NULL,
                retry_interval BIGINT NOT NULL
            )
            """,

            // Tokens by which a user proves to a third party who they are. `token_hash`: SHA-256. `expires` in ms.
            """
            CREATE TABLE openid_tokens (
                token_hash {BLOB} NOT NULL PRIMARY KEY,
                user_id TEXT NOT NULL,
                expires BIGINT NOT NULL
            )
            """,
            "CREATE INDEX openid_tokens_expires ON openid_tokens (expires)",
        ]
    }
}
