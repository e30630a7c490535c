// Migration 22: how long accounts last, how often and by how many the server is used, and from where.

extension Migration {
    /// Limits of accounts and of the server. Times are ms since the epoch.
    package static let accountLimits = Migration(number: 22, name: "account limits") { _ in
        [
            // NULL: the account does not expire.
            "ALTER TABLE users ADD COLUMN expiration_ts BIGINT",

            // Who has limits of their own. Zero for both: none at all.
            """
            CREATE TABLE ratelimit_overrides (
                user_id TEXT NOT NULL PRIMARY KEY,
                messages_per_second BIGINT NOT NULL,
                burst_count BIGINT NOT NULL
            )
            """,

            // Who was here within 30 days, and when last.
            """
            CREATE TABLE monthly_active_users (
                user_id TEXT NOT NULL PRIMARY KEY,
                last_active_ts BIGINT NOT NULL
            )
            """,

            // From where devices were used.
            """
            CREATE TABLE user_ips (
                user_id TEXT NOT NULL,
                device_id TEXT NOT NULL,
                ip TEXT NOT NULL,
                user_agent TEXT NOT NULL,
                last_seen_ts BIGINT NOT NULL,
                PRIMARY KEY (user_id, device_id, ip)
            )
            """,
            "CREATE INDEX user_ips_last_seen ON user_ips (last_seen_ts)",
        ]
    }
}
