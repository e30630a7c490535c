// Migration 4: how events relate to each other, threads, and redactions that wait for their event.

extension Migration {
    /// Relations between events (Client-Server API §Forming relationships between events), and what is counted of them.
    package static let relations = Migration(number: 4, name: "relations") { dialect in
        // On SQLite only `INTEGER PRIMARY KEY` is the row's own number, without a second index.
        let number = dialect == .sqlite ? "INTEGER" : "BIGINT"
        return [
            // One row per event that relates to another one and was not redacted. `type`, `sender` and `position` are the event's.
            // `parent_id` may be an event that the server does not have. `sort_key`: of a replacement its time, -1 where it cannot
            // be a valid one; of an annotation the number of its key; else 0. `thread_id`: the root of the thread to which the
            // event belongs, by itself or through what it relates to.
            SQL(
                once: """
                    CREATE TABLE relations (
                        event_nid \(number) NOT NULL PRIMARY KEY,
                        room_nid BIGINT NOT NULL,
                        parent_id TEXT NOT NULL,
                        rel_type TEXT NOT NULL,
                        type TEXT NOT NULL,
                        sender TEXT NOT NULL,
                        sort_key BIGINT NOT NULL,
                        thread_id TEXT,
                        position BIGINT NOT NULL
                    )
                    """),

            // What relates to an event through one or two others. `rel_type`, `type` and `position` are those of the event itself.
            """
            CREATE TABLE indirect_relations (
                event_nid BIGINT NOT NULL,
                ancestor_id TEXT NOT NULL,
                room_nid BIGINT NOT NULL,
                rel_type TEXT NOT NULL,
                type TEXT NOT NULL,
                position BIGINT NOT NULL,
                PRIMARY KEY (event_nid, ancestor_id)
            )
            """,

            // One row per thread: how many replies it has, and the newest of them.
            """
            CREATE TABLE threads (
                room_nid BIGINT NOT NULL,
                root_id TEXT NOT NULL,
                reply_count BIGINT NOT NULL,
                latest_nid BIGINT NOT NULL,
                latest_position BIGINT NOT NULL,
                PRIMARY KEY (room_nid, root_id)
            )
            """,

            // Who replied in a thread, and how often.
            """
            CREATE TABLE thread_participants (
                room_nid BIGINT NOT NULL,
                root_id TEXT NOT NULL,
                user_id TEXT NOT NULL,
                reply_count BIGINT NOT NULL,
                PRIMARY KEY (room_nid, root_id, user_id)
            )
            """,

            // Redactions of events that the server does not have yet.
            """
            CREATE TABLE pending_redactions (
                target_id TEXT NOT NULL,
                redaction_nid BIGINT NOT NULL,
                PRIMARY KEY (target_id, redaction_nid)
            )
            """,
        ] + existingRelations(dialect) + [
            "CREATE INDEX relations_parent ON relations (room_nid, parent_id, position)",
            "CREATE INDEX relations_rel_type ON relations (room_nid, parent_id, rel_type, position)",
            "CREATE INDEX relations_sender ON relations (room_nid, parent_id, rel_type, sender, sort_key)",
            "CREATE INDEX indirect_relations_ancestor ON indirect_relations (room_nid, ancestor_id, position)",
            "CREATE INDEX indirect_relations_rel_type ON indirect_relations (room_nid, ancestor_id, rel_type, position)",
            "CREATE INDEX threads_latest ON threads (room_nid, latest_position)",
            "CREATE INDEX events_room_ts ON events (room_nid, origin_server_ts)",
        ]
    }

    /// Fills the tables with the relations of events that are there already.
    private static func existingRelations(_ dialect: SQLDialect) -> [SQL] {
        let text = dialect == .postgres ? "convert_from(e.json, 'UTF8')" : "CAST(e.json AS TEXT)"
        let string: (String) -> String = { name in
            switch dialect {
            case .postgres:
                """
                CASE WHEN json_typeof(c.content #> '{m.relates_to,\(name)}') = 'string' THEN c.content #>> '{m.relates_to,\(name)}' END
                """
            case .sqlite:
                """
                CASE WHEN json_type(c.content, '$."m.relates_to".\(name)') = 'text' THEN json_extract(c.content, '$."m.relates_to".\(name)') END
                """
            }
        }
        let content = dialect == .postgres ? "(c.text::json -> 'content')" : "json_extract(c.text, '$.content')"
        let hasNewContent =
            dialect == .postgres
            ? "json_typeof(c.content -> 'm.new_content') = 'object'" : "json_type(c.content, '$.\"m.new_content\"') = 'object'"
        let materialized = dialect == .postgres ? "MATERIALIZED " : ""
        return [
            SQL(
                once: """
                    WITH texts AS \(materialized)(
                        SELECT e.event_nid, \(text) AS text FROM events e
                        WHERE e.position IS NOT NULL AND e.flags = 0 AND e.redacted_by IS NULL
                    ), contents AS \(materialized)(
                        SELECT c.event_nid, \(content) AS content FROM texts c
                        WHERE c.text LIKE '%"m.relates\\_to"%' ESCAPE '\\' AND c.text NOT LIKE '%\\\\u0000%' ESCAPE '\\'
                    ), found AS (
                        SELECT c.event_nid, \(string("event_id")) AS parent_id, \(string("rel_type")) AS rel_type,
                            coalesce(\(hasNewContent), false) AS has_new_content
                        FROM contents c
                    )
                    INSERT INTO relations (event_nid, room_nid, parent_id, rel_type, type, sender, sort_key, thread_id, position)
                    SELECT e.event_nid, e.room_nid, f.parent_id, f.rel_type, e.type, e.sender,
                        CASE WHEN f.rel_type <> 'm.replace' THEN 0
                             WHEN e.state_key IS NULL AND (f.has_new_content OR e.type = 'm.room.encrypted') THEN e.origin_server_ts
                             ELSE -1 END,
                        CASE WHEN f.rel_type = 'm.thread' THEN f.parent_id END, e.position
                    FROM found f JOIN events e ON e.event_nid = f.event_nid
                    WHERE length(f.parent_id) BETWEEN 2 AND 255 AND length(f.rel_type) BETWEEN 1 AND 255
                    """)
        ]
            // What relates to a threaded message is in its thread, and what relates to that.
            + Array(repeating: inheritThread, count: 3) + [
                SQL(
                    once: """
                        WITH parents AS (
                            SELECT e.event_id, e.room_nid, p.parent_id FROM relations p JOIN events e ON e.event_nid = p.event_nid
                        ), ancestors AS (
                            SELECT r.event_nid, a.parent_id AS ancestor_id FROM relations r
                            JOIN parents a ON a.event_id = r.parent_id AND a.room_nid = r.room_nid
                            UNION
                            SELECT r.event_nid, b.parent_id FROM relations r
                            JOIN parents a ON a.event_id = r.parent_id AND a.room_nid = r.room_nid
                            JOIN parents b ON b.event_id = a.parent_id AND b.room_nid = r.room_nid
                        )
                        INSERT INTO indirect_relations (event_nid, ancestor_id, room_nid, rel_type, type, position)
                        SELECT r.event_nid, a.ancestor_id, r.room_nid, r.rel_type, r.type, r.position
                        FROM ancestors a JOIN relations r ON r.event_nid = a.event_nid
                        """),
                SQL(
                    once: """
                        INSERT INTO threads (room_nid, root_id, reply_count, latest_nid, latest_position)
                        SELECT r.room_nid, r.parent_id, count(*), 0, max(r.position) FROM relations r
                        WHERE r.rel_type = 'm.thread' GROUP BY r.room_nid, r.parent_id
                        """),
                SQL(
                    once: """
                        UPDATE threads SET latest_nid = (SELECT e.event_nid FROM events e
                            WHERE e.room_nid = threads.room_nid AND e.position = threads.latest_position)
                        """),
                SQL(
                    once: """
                        INSERT INTO thread_participants (room_nid, root_id, user_id, reply_count)
                        SELECT r.room_nid, r.parent_id, r.sender, count(*) FROM relations r
                        WHERE r.rel_type = 'm.thread' GROUP BY r.room_nid, r.parent_id, r.sender
                        """),
            ]
    }

    private static let inheritThread = SQL(
        once: """
            UPDATE relations SET thread_id = (SELECT p.thread_id FROM events x JOIN relations p ON p.event_nid = x.event_nid
                WHERE x.event_id = relations.parent_id AND x.room_nid = relations.room_nid)
            WHERE thread_id IS NULL
            """)
}
