// Migration 18: rooms that other servers are in: forks of the event graph, events out of order, and what of the past is not here.

extension Migration {
    package static let remoteRooms = Migration(number: 18, name: "remote rooms") { dialect in
        [
            // `after_nid`: of a state event, the room's state after it; NULL where that is the state before it. `relayed`: an event of a user
            // of another server that this server passes on to the others (a join that came to it, say).
            "ALTER TABLE events ADD COLUMN after_nid BIGINT",
            "ALTER TABLE events ADD COLUMN relayed BOOLEAN NOT NULL DEFAULT false",

            // Until now rooms had one server and no forks: the state after an event is the state before the next one.
            """
            UPDATE events SET after_nid = coalesce(
                (SELECT n.snapshot_nid FROM events n WHERE n.room_nid = events.room_nid AND n.position > events.position
                    ORDER BY n.position LIMIT 1),
                (SELECT r.snapshot_nid FROM rooms r WHERE r.room_nid = events.room_nid))
            WHERE state_key IS NOT NULL AND position IS NOT NULL
            """,

            // Which state events name an event among their auth events, by number: the way up in the graph of authorization.
            """
            CREATE TABLE auth_citations (
                cited_nid BIGINT NOT NULL,
                citing_nid BIGINT NOT NULL,
                PRIMARY KEY (cited_nid, citing_nid)
            )
            """,
            SQL(once: citations(dialect)),

            // Events that others name as their previous ones and that this server does not have: where its knowledge of a room's past
            // ends. `depth` is the least of those who name it.
            """
            CREATE TABLE missing_events (
                room_nid BIGINT NOT NULL,
                event_id TEXT NOT NULL,
                depth BIGINT NOT NULL,
                PRIMARY KEY (room_nid, event_id)
            )
            """,

            // What an invite or a knock says of a room that this server is not in: a JSON array of stripped state events.
            SQL(
                once: """
                    CREATE TABLE stripped_states (
                        event_nid BIGINT NOT NULL PRIMARY KEY,
                        json {BLOB} NOT NULL
                    )
                    """),
        ]
    }

    /// Fills `auth_citations` from the events themselves. In room versions 1 and 2 an auth event is a pair of its ID and its hashes.
    private static func citations(_ dialect: SQLDialect) -> String {
        switch dialect {
        case .postgres:
            """
            INSERT INTO auth_citations (cited_nid, citing_nid)
            SELECT DISTINCT c.event_nid, e.event_nid
            FROM events e
            CROSS JOIN LATERAL json_array_elements(convert_from(e.json, 'UTF8')::json -> 'auth_events') a
            JOIN events c ON c.event_id = CASE json_typeof(a) WHEN 'array' THEN a ->> 0 ELSE a #>> ARRAY[]::text[] END
            WHERE e.state_key IS NOT NULL
            """
        case .sqlite:
            """
            INSERT INTO auth_citations (cited_nid, citing_nid)
            SELECT DISTINCT c.event_nid, e.event_nid
            FROM events e, json_each(CAST(e.json AS TEXT), '$.auth_events') a
            JOIN events c ON c.event_id = CASE a.type WHEN 'array' THEN json_extract(a.value, '$[0]') ELSE a.value END
            WHERE e.state_key IS NOT NULL
            """
        }
    }
}
