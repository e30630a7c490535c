// Migration 8: what was sent on the connections of sliding sync.

extension Migration {
    /// MSC4186: one row for each connection of a device.
    package static let slidingSync = Migration(number: 8, name: "sliding sync") { _ in
        [
            // `conn_key`: another one each time a connection begins anew. `used_ts`: when it was used last, within an hour. `state` is the
            // encoding of `ConnectionHistory`; it may be behind what was sent.
            """
            CREATE TABLE sliding_sync_connections (
                user_id TEXT NOT NULL,
                device_id TEXT NOT NULL,
                conn_id TEXT NOT NULL,
                conn_key BIGINT NOT NULL,
                used_ts BIGINT NOT NULL,
                state {BLOB} NOT NULL,
                PRIMARY KEY (user_id, device_id, conn_id)
            )
            """,
            "CREATE INDEX sliding_sync_connections_used ON sliding_sync_connections (used_ts)",
        ]
    }
}
