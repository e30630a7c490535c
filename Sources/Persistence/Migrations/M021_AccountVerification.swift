// Migration 21: how people prove who they are: user-interactive authentication, registration tokens, third-party identifiers, terms.

extension Migration {
    /// What accounts are made and proven by. Times are ms since the epoch; hashes are SHA-256.
    package static let accountVerification = Migration(number: 21, name: "account verification") { _ in
        [
            // The terms that a user has agreed to, and when.
            "ALTER TABLE users ADD COLUMN consent_version TEXT",
            "ALTER TABLE users ADD COLUMN consent_ts BIGINT",

            // When the holder of a token has last proven who they are; a login is such a proof.
            "ALTER TABLE access_tokens ADD COLUMN validated_ts BIGINT NOT NULL DEFAULT 0",

            // Sessions of user-interactive authentication: what is to be authorised (`method`, `path`, `user_id`: NULL before login), and
            // what the session keeps. `parameters`: the request's body as JSON, without secrets. `guest_id`: whose account is upgraded.
            """
            CREATE TABLE ui_auth_sessions (
                session_hash {BLOB} NOT NULL PRIMARY KEY,
                created_ts BIGINT NOT NULL,
                method TEXT NOT NULL,
                path TEXT NOT NULL,
                user_id TEXT,
                parameters {BLOB} NOT NULL,
                password_hash TEXT,
                guest_id TEXT,
                registered_id TEXT
            )
            """,
            "CREATE INDEX ui_auth_sessions_created ON ui_auth_sessions (created_ts)",

            // The stages that are done. `result`: JSON, what the stage has found. `token`: the registration token that is held for the
            // session; NULL when it has been used.
            """
            CREATE TABLE ui_auth_stages (
                session_hash {BLOB} NOT NULL,
                stage TEXT NOT NULL,
                completed_ts BIGINT NOT NULL,
                result {BLOB} NOT NULL,
                token TEXT,
                PRIMARY KEY (session_hash, stage)
            )
            """,

            // `uses_allowed` and `expiry_ts` NULL: no limit. `pending`: sessions that have shown the token and not yet made an account.
            """
            CREATE TABLE registration_tokens (
                token TEXT NOT NULL PRIMARY KEY,
                uses_allowed BIGINT,
                pending BIGINT NOT NULL,
                completed BIGINT NOT NULL,
                expiry_ts BIGINT
            )
            """,

            // An address belongs to one account.
            """
            CREATE TABLE user_threepids (
                medium TEXT NOT NULL,
                address TEXT NOT NULL,
                user_id TEXT NOT NULL,
                validated_ts BIGINT NOT NULL,
                added_ts BIGINT NOT NULL,
                PRIMARY KEY (medium, address)
            )
            """,
            "CREATE INDEX user_threepids_user ON user_threepids (user_id)",

            // At which identity servers this server has published that an address belongs to a user.
            """
            CREATE TABLE bound_threepids (
                user_id TEXT NOT NULL,
                medium TEXT NOT NULL,
                address TEXT NOT NULL,
                id_server TEXT NOT NULL,
                PRIMARY KEY (user_id, medium, address, id_server)
            )
            """,

            // Attempts to show that an address is somebody's. `purpose`: what the attempt is good for. `client_secret_hash`: of what the
            // client has made up. `validated_ts` NULL: not yet shown.
            """
            CREATE TABLE threepid_sessions (
                session_id TEXT NOT NULL PRIMARY KEY,
                purpose TEXT NOT NULL,
                medium TEXT NOT NULL,
                address TEXT NOT NULL,
                client_secret_hash {BLOB} NOT NULL,
                send_attempt BIGINT NOT NULL,
                created_ts BIGINT NOT NULL,
                validated_ts BIGINT
            )
            """,
            "CREATE INDEX threepid_sessions_secret ON threepid_sessions (client_secret_hash)",
            "CREATE INDEX threepid_sessions_created ON threepid_sessions (created_ts)",

            // What was sent to the address, by its hash.
            """
            CREATE TABLE threepid_tokens (
                token_hash {BLOB} NOT NULL PRIMARY KEY,
                session_id TEXT NOT NULL,
                next_link TEXT,
                expires_ts BIGINT NOT NULL
            )
            """,
            "CREATE INDEX threepid_tokens_session ON threepid_tokens (session_id)",
        ]
    }
}
