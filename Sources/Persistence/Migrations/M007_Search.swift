// Migration 7: the full-text index of what is said in rooms.

extension Migration {
    /// The words of messages, room names and topics. Client-Server API §Server Side Search.
    package static let search = Migration(number: 7, name: "search") { dialect in
        // One row per event that can be found. `key`: 1 the body of a message, 2 the name of a room, 3 its topic. Time and position are
        // the event's. A redacted event has no row.
        switch dialect {
        case .postgres:
            [
                """
                CREATE TABLE search_entries (
                    event_nid BIGINT NOT NULL PRIMARY KEY,
                    room_nid BIGINT NOT NULL,
                    key BIGINT NOT NULL,
                    origin_server_ts BIGINT NOT NULL,
                    position BIGINT NOT NULL,
                    words TSVECTOR NOT NULL
                )
                """,
                "CREATE INDEX search_entries_words ON search_entries USING gin (words)",
                "CREATE INDEX search_entries_room ON search_entries (room_nid, origin_server_ts, position)",
            ]
        case .sqlite:
            [
                """
                CREATE TABLE search_entries (
                    event_nid INTEGER NOT NULL PRIMARY KEY,
                    room_nid BIGINT NOT NULL,
                    key BIGINT NOT NULL,
                    origin_server_ts BIGINT NOT NULL,
                    position BIGINT NOT NULL
                )
                """,
                // `rowid` is the number of the event; `room` is the letter r and the number of the room, so that a search in a few rooms
                // looks at nothing else. The text is kept: without it nothing could be taken out again.
                """
                CREATE VIRTUAL TABLE search_words USING fts5(
                    words, room, tokenize = 'porter unicode61 remove_diacritics 2'
                )
                """,
            ]
        }
    }
}
