// Migration 10: how far readers of the commit stream have come, what rooms look like from outside, and who is joined where.

extension Migration {
    /// The room directory, and what it is kept up to date with.
    package static let roomDirectory = Migration(number: 10, name: "room directory") { dialect in
        let number = dialect == .sqlite ? "INTEGER" : "BIGINT"
        return [
            // How far a durable reader of the commit stream has come: everything up to `position` is taken in.
            """
            CREATE TABLE commit_readers (
                name TEXT NOT NULL PRIMARY KEY,
                position BIGINT NOT NULL
            )
            """,

            // What a room looks like from outside, as the commit stream tells it. `published`: it stands in this server's own list (as in
            // `rooms`); `listed`: in that or in the list of an application service. `is_listable`: its rules let it be shown in a list;
            // `is_public`: everyone may join or read it. `search_text` is lowercase: name, topic and alias.
            SQL(
                once: """
                    CREATE TABLE room_summaries (
                        room_nid \(number) NOT NULL PRIMARY KEY,
                        room_id TEXT NOT NULL,
                        published BOOLEAN NOT NULL,
                        listed BOOLEAN NOT NULL,
                        is_listable BOOLEAN NOT NULL,
                        is_public BOOLEAN NOT NULL,
                        federates BOOLEAN NOT NULL,
                        joined_members BIGINT NOT NULL,
                        name TEXT,
                        topic TEXT,
                        canonical_alias TEXT,
                        avatar_url TEXT,
                        join_rule TEXT,
                        room_type TEXT,
                        world_readable BOOLEAN NOT NULL,
                        guest_can_join BOOLEAN NOT NULL,
                        search_text TEXT NOT NULL
                    )
                    """),
            "CREATE INDEX room_summaries_listed ON room_summaries (joined_members, room_id, published) WHERE listed AND is_listable",

            // The lists of application services, one per network. Application Service API §Room lists.
            """
            CREATE TABLE appservice_rooms (
                appservice_id TEXT NOT NULL,
                network_id TEXT NOT NULL,
                room_nid BIGINT NOT NULL,
                PRIMARY KEY (appservice_id, network_id, room_nid)
            )
            """,
            "CREATE INDEX appservice_rooms_room ON appservice_rooms (room_nid)",

            // Who is joined where, users of other servers too, as the commit stream tells it.
            """
            CREATE TABLE joined_members (
                user_id TEXT NOT NULL,
                room_nid BIGINT NOT NULL,
                PRIMARY KEY (user_id, room_nid)
            )
            """,
        ]
    }
}
