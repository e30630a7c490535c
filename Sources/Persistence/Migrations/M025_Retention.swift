// Migration 25: messages that name the time at which their content goes.

extension Migration {
    /// `org.matrix.self_destruct_after` of messages whose time has not come.
    package static let retention = Migration(number: 25, name: "retention") { dialect in
        let number = dialect == .sqlite ? "INTEGER" : "BIGINT"
        return [
            SQL(
                once: """
                    CREATE TABLE expiring_events (
                        event_nid \(number) NOT NULL PRIMARY KEY,
                        expiry_ts BIGINT NOT NULL
                    )
                    """),
            "CREATE INDEX expiring_events_ts ON expiring_events (expiry_ts)",
        ]
    }
}
