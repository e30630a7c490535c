// Migration 6: how far unread events were counted, and who was seen last.

extension Migration {
    /// What is worked out in memory and kept so that a restart does not work it out again.
    package static let unreadAndPresence = Migration(number: 6, name: "unread counts and presence") { _ in
        [
            // What is unread for a local user in a room, up to some event. `tally` is the encoding of `UnreadTally`. A row may be behind
            // the room's end, or missing: the events after it are counted again.
            """
            CREATE TABLE unread_counts (
                user_id TEXT NOT NULL,
                room_nid BIGINT NOT NULL,
                tally {BLOB} NOT NULL,
                PRIMARY KEY (user_id, room_nid)
            )
            """,

            // The presence of a user as it was some time ago. `position`: of its last change in the stream.
            """
            CREATE TABLE presence (
                user_id TEXT NOT NULL PRIMARY KEY,
                state TEXT NOT NULL,
                last_active_ts BIGINT NOT NULL,
                status_msg TEXT,
                position BIGINT NOT NULL
            )
            """,
            "CREATE INDEX presence_position ON presence (position)",
        ]
    }
}
