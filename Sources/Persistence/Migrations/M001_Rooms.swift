// Migration 1: rooms, their events and state, local memberships, aliases, and the number sequences.

extension Migration {
    /// The tables of rooms and events. `*_nid` are numbers of ours; they never leave the server.
    package static let rooms = Migration(number: 1, name: "rooms") { dialect in
        // On SQLite only `INTEGER PRIMARY KEY` is the row's own number, without a second index.
        let number = dialect == .sqlite ? "INTEGER" : "BIGINT"
        return [
            // `forward_extremities` are event ids with a space between; `depth` is the greatest among them; `snapshot_nid` is
            // the state after them. These three change with every event and stand in no index, so that PostgreSQL updates
            // the row in its page.
            SQL(
                once: """
                    CREATE TABLE rooms (
                        room_nid \(number) NOT NULL PRIMARY KEY,
                        room_id TEXT NOT NULL,
                        version TEXT NOT NULL,
                        creator TEXT NOT NULL,
                        published BOOLEAN NOT NULL,
                        forward_extremities TEXT NOT NULL,
                        depth BIGINT NOT NULL,
                        snapshot_nid BIGINT NOT NULL
                    )\(dialect == .postgres ? " WITH (fillfactor = 70)" : "")
                    """),
            "CREATE UNIQUE INDEX rooms_room_id ON rooms (room_id)",

            // `position` NULL: an outlier, which is in no timeline. `snapshot_nid`: the room's state before the event.
            // `replaces_nid`: the event that a state event replaced. `redacted_by`: the number of the redaction; `json` is
            // then the redacted form. `redacts_nid`: for a redaction that took effect. `membership`: of `m.room.member`.
            // `flags`: bit 0 rejected, bit 1 soft-failed. `device_id`, `transaction_id`: of a local sender.
            SQL(
                once: """
                    CREATE TABLE events (
                        event_nid \(number) NOT NULL PRIMARY KEY,
                        event_id TEXT NOT NULL,
                        room_nid BIGINT NOT NULL,
                        position BIGINT,
                        type TEXT NOT NULL,
                        sender TEXT NOT NULL,
                        state_key TEXT,
                        membership TEXT,
                        origin_server_ts BIGINT NOT NULL,
                        depth BIGINT NOT NULL,
                        snapshot_nid BIGINT NOT NULL,
                        replaces_nid BIGINT,
                        redacts_nid BIGINT,
                        redacted_by BIGINT,
                        device_id TEXT,
                        transaction_id TEXT,
                        flags BIGINT NOT NULL,
                        json {BLOB} NOT NULL
                    )
                    """),
            "CREATE UNIQUE INDEX events_event_id ON events (event_id)",
            "CREATE INDEX events_room_position ON events (room_nid, position)",
            "CREATE INDEX events_position ON events (position)",
            """
            CREATE UNIQUE INDEX events_transaction ON events (room_nid, sender, device_id, transaction_id)
            WHERE transaction_id IS NOT NULL
            """,

            // Pairs of event type and state key, by number.
            SQL(
                once: """
                    CREATE TABLE state_keys (
                        key_nid \(number) NOT NULL PRIMARY KEY,
                        type TEXT NOT NULL,
                        state_key TEXT NOT NULL
                    )
                    """),
            "CREATE UNIQUE INDEX state_keys_key ON state_keys (type, state_key)",

            // A room state: `delta` (see StateDelta) over the state `parent_nid`, or the whole where that is NULL.
            SQL(
                once: """
                    CREATE TABLE state_snapshots (
                        snapshot_nid \(number) NOT NULL PRIMARY KEY,
                        room_nid BIGINT NOT NULL,
                        parent_nid BIGINT,
                        delta {BLOB} NOT NULL
                    )
                    """),

            // The room's state after its forward extremities.
            """
            CREATE TABLE current_state (
                room_nid BIGINT NOT NULL,
                key_nid BIGINT NOT NULL,
                event_nid BIGINT NOT NULL,
                PRIMARY KEY (room_nid, key_nid)
            )
            """,

            // When the current state changed, and to which event (NULL: the key was taken away).
            """
            CREATE TABLE state_changes (
                room_nid BIGINT NOT NULL,
                position BIGINT NOT NULL,
                key_nid BIGINT NOT NULL,
                event_nid BIGINT,
                PRIMARY KEY (room_nid, position, key_nid)
            )
            """,

            // Where the users of this server are: one row per user and room, the newest membership.
            """
            CREATE TABLE memberships (
                user_id TEXT NOT NULL,
                room_nid BIGINT NOT NULL,
                membership TEXT NOT NULL,
                event_nid BIGINT NOT NULL,
                position BIGINT NOT NULL,
                forgotten BOOLEAN NOT NULL,
                PRIMARY KEY (user_id, room_nid)
            )
            """,
            "CREATE INDEX memberships_room ON memberships (room_nid)",

            """
            CREATE TABLE room_aliases (
                alias TEXT NOT NULL PRIMARY KEY,
                room_nid BIGINT NOT NULL,
                creator TEXT NOT NULL
            )
            """,
            "CREATE INDEX room_aliases_room ON room_aliases (room_nid)",

            // Up to where each sequence of numbers may have been used. After a restart it goes on behind that.
            """
            CREATE TABLE streams (
                name TEXT NOT NULL PRIMARY KEY,
                reserved BIGINT NOT NULL
            )
            """,
        ]
    }
}
