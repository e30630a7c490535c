// Migration 9: events that wait for their time.

extension Migration {
    /// MSC4140: events that are sent later unless somebody cancels or restarts them.
    package static let delayedEvents = Migration(number: 9, name: "delayed events") { _ in
        [
            // `state_key` NULL: no state event. `delay` and `send_ts` in ms; `send_ts - delay` is when the delay (re)started.
            """
            CREATE TABLE delayed_events (
                delay_id TEXT NOT NULL PRIMARY KEY,
                user_id TEXT NOT NULL,
                device_id TEXT,
                room_id TEXT NOT NULL,
                type TEXT NOT NULL,
                state_key TEXT,
                content {BLOB} NOT NULL,
                delay BIGINT NOT NULL,
                send_ts BIGINT NOT NULL
            )
            """,
            "CREATE INDEX delayed_events_due ON delayed_events (send_ts)",
            "CREATE INDEX delayed_events_user ON delayed_events (user_id, send_ts)",
            "CREATE INDEX delayed_events_state ON delayed_events (room_id, type, state_key)",
        ]
    }
}
