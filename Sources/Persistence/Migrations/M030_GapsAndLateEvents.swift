// Migration 30: events that were acknowledged and wait for what they stand on, and where gaps in rooms' timelines are.

extension Migration {
    package static let gapsAndLateEvents = Migration(number: 30, name: "gaps and late events") { _ in
        [
            // Events that other servers have sent, and that cannot be brought into their rooms yet.
            SQL(
                once: """
                    CREATE TABLE late_events (
                        room_id TEXT NOT NULL,
                        event_id TEXT NOT NULL,
                        origin TEXT NOT NULL,
                        depth BIGINT NOT NULL,
                        received_ts BIGINT NOT NULL,
                        json {BLOB} NOT NULL,
                        PRIMARY KEY (room_id, event_id)
                    )
                    """),
            "CREATE INDEX late_events_origin ON late_events (origin, room_id, depth)",

            // What comes to be known of the past before this event stands directly after this position, where nothing else does; 0: before
            // all that is known of the room.
            "ALTER TABLE missing_events ADD COLUMN floor BIGINT NOT NULL DEFAULT 0",
            "CREATE INDEX missing_events_gaps ON missing_events (room_nid, floor) WHERE floor > 0",
        ]
    }
}
