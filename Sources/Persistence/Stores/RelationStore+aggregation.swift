// What is bundled with an event of those that relate to it. Client-Server API §Aggregations of child events.

import MatrixCore

/// What relates to one event, as it is for everybody.
package struct AggregationRow: Sendable {
    package let event: EventNID
    /// The newest valid replacement.
    package let edit: EventNID?
    package let thread: Thread?
    package let hasReferences: Bool

    package struct Thread: Sendable, Hashable {
        package let replyCount: Int
        package let latest: EventNID
    }
}

extension RelationStore {
    /// What relates to these events, one row for each that may have something; those to which nothing can relate are left out:
    /// state events, replacements and annotations.
    package static func aggregations(_ events: [EventNID], on connection: any SQLConnection) throws -> [AggregationRow] {
        try connection.rows(
            """
            SELECT e.event_nid,
                (SELECT r.event_nid FROM relations r JOIN events x ON x.event_nid = r.event_nid
                 WHERE r.room_nid = e.room_nid AND r.parent_id = e.event_id AND r.rel_type = 'm.replace' AND r.sender = e.sender
                    AND r.type = e.type AND r.sort_key = (SELECT max(m.sort_key) FROM relations m
                        WHERE m.room_nid = e.room_nid AND m.parent_id = e.event_id AND m.rel_type = 'm.replace' AND m.sender = e.sender
                            AND m.type = e.type AND m.sort_key >= 0)
                 ORDER BY x.event_id DESC LIMIT 1),
                CASE WHEN own.event_nid IS NULL THEN t.reply_count END, t.latest_nid,
                EXISTS (SELECT 1 FROM relations r
                    WHERE r.room_nid = e.room_nid AND r.parent_id = e.event_id AND r.rel_type = 'm.reference')
            FROM events e
            LEFT JOIN relations own ON own.event_nid = e.event_nid
            LEFT JOIN threads t ON t.room_nid = e.room_nid AND t.root_id = e.event_id
            WHERE {e.event_nid IN $1} AND e.state_key IS NULL
                AND (own.event_nid IS NULL OR own.rel_type NOT IN ('m.replace', 'm.annotation'))
            """, [.ints(events.map(\.value))]
        ) { row in
            AggregationRow(
                event: EventNID(row.int(0)), edit: row.optionalInt(1).map { EventNID($0) },
                thread: row.optionalInt(2).map { AggregationRow.Thread(replyCount: Int($0), latest: EventNID(row.int(3))) },
                hasReferences: row.bool(4))
        }
    }

    /// The events that refer to one by `m.reference`, with their senders, oldest first, at most `limit`.
    package static func references(
        to parent: EventID, in room: RoomNID, limit: Int, on connection: any SQLConnection
    ) throws -> [(event: EventID, sender: UserID)] {
        try connection.rows(
            """
            SELECT e.event_id, e.sender FROM relations r JOIN events e ON e.event_nid = r.event_nid
            WHERE r.room_nid = $1 AND r.parent_id = $2 AND r.rel_type = 'm.reference' ORDER BY r.position LIMIT $3
            """, [.int(room.value), .text(parent.string), .int(limit)]
        ) { (EventID(trusted: $0.text(0)), UserID(trusted: $0.text(1))) }
    }

    /// Who replied in a thread and how often: at most `limit` people.
    package static func participants(
        in root: EventID, _ room: RoomNID, limit: Int, on connection: any SQLConnection
    ) throws -> [UserID: Int] {
        var counts: [UserID: Int] = [:]
        try connection.query(
            "SELECT user_id, reply_count FROM thread_participants WHERE room_nid = $1 AND root_id = $2 LIMIT $3",
            [.int(room.value), .text(root.string), .int(limit)]
        ) { counts[UserID(trusted: $0.text(0))] = Int($0.int(1)) }
        return counts
    }

    /// How often these users replied in a thread; those who did not are left out.
    package static func replyCounts(
        of users: [UserID], in root: EventID, _ room: RoomNID, on connection: any SQLConnection
    ) throws -> [UserID: Int] {
        var counts: [UserID: Int] = [:]
        try connection.query(
            "SELECT user_id, reply_count FROM thread_participants WHERE room_nid = $1 AND root_id = $2 AND {user_id IN $3}",
            [.int(room.value), .text(root.string), .texts(users.map(\.string))]
        ) { counts[UserID(trusted: $0.text(0))] = Int($0.int(1)) }
        return counts
    }

    /// The newest reply of a thread that none of these users sent.
    package static func latestReply(
        in root: EventID, _ room: RoomNID, notBy users: [UserID], on connection: any SQLConnection
    ) throws -> EventNID? {
        try connection.first(
            """
            SELECT event_nid FROM relations
            WHERE room_nid = $1 AND parent_id = $2 AND rel_type = 'm.thread' AND {sender NOT IN $3} ORDER BY position DESC LIMIT 1
            """, [.int(room.value), .text(root.string), .texts(users.map(\.string))]
        ) { EventNID($0.int(0)) }
    }
}
