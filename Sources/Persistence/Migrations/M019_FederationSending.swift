// Migration 19: what other servers are told, and how far they have been told.

extension Migration {
    /// The tables of the federation sender. There is no row per event and server: a server that answers leaves no trace here.
    package static let federationSending = Migration(number: 19, name: "federation sending") { dialect in
        let number = dialect == .sqlite ? "INTEGER" : "BIGINT"
        return [
            // Which other servers have a joined member in which room, as the commit stream tells it. `last_position`: NULL while the server
            // is in the room; for one that has left, the position of the last event of ours in the room that it should still get.
            """
            CREATE TABLE server_rooms (
                server_name TEXT NOT NULL,
                room_nid BIGINT NOT NULL,
                last_position BIGINT,
                PRIMARY KEY (server_name, room_nid)
            )
            """,
            "CREATE INDEX server_rooms_room ON server_rooms (room_nid)",

            // The newest event of each room that this server had to send to others. Written now and then: what came after the position of
            // the reader `federation` (table `commit_readers`) may be missing, and is read again from `events`.
            SQL(
                once: """
                    CREATE TABLE room_sendings (
                        room_nid \(number) NOT NULL PRIMARY KEY,
                        position BIGINT NOT NULL
                    )
                    """),

            // Servers that have not got everything up to the position of the reader `federation`: after which positions something is
            // missing. NULL: nothing of that kind is.
            """
            CREATE TABLE destination_backlogs (
                server_name TEXT NOT NULL PRIMARY KEY,
                events_after BIGINT,
                device_lists_after BIGINT
            )
            """,

            // Messages to devices of other servers that were not yet taken. `json` is the whole EDU.
            SQL(
                once: """
                    CREATE TABLE to_device_outbox (
                        position \(number) NOT NULL PRIMARY KEY,
                        server_name TEXT NOT NULL,
                        json {BLOB} NOT NULL
                    )
                    """),
            "CREATE INDEX to_device_outbox_server ON to_device_outbox (server_name, position)",

            // Which device changed; '' where it was the user's cross-signing keys. NULL: not known, as in all rows from before.
            "ALTER TABLE device_list_changes ADD COLUMN device_id TEXT",
        ]
    }
}
