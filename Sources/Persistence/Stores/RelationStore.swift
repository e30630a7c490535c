// How events relate to each other: tables `relations`, `threads` and `thread_participants` (migration 4).

import MatrixCore

/// A new row of `relations`.
package struct RelationInsertion: Sendable {
    package let event: EventNID
    package let room: RoomNID
    package let relation: EventRelation
    /// Type and sender of the event.
    package let type: ByteString
    package let sender: UserID
    package let sortKey: Int64
    /// The root of the thread that the event belongs to.
    package let thread: EventID?
    /// Whether what the event relates to may relate to something itself.
    package let isNested: Bool

    package init(event: Event, nid: EventNID, room: RoomNID, relation: EventRelation, thread: EventID?, isNested: Bool) {
        self.event = nid
        self.isNested = isNested
        self.room = room
        self.relation = relation
        self.thread = thread
        type = event.type
        sender = event.sender
        sortKey =
            switch relation.type {
            case EventRelation.annotation: relation.annotationNumber(of: event.type)
            case EventRelation.replace: event.isReplacement ? max(0, event.originServerTimestamp.milliseconds) : -1
            default: 0
            }
    }
}

/// Reads and writes relations.
///
/// An event that was redacted relates to nothing any more: its row goes, and it is no longer counted.
package enum RelationStore {
    // MARK: Writing

    package static func insert(_ row: RelationInsertion, at position: StreamPosition, on connection: any SQLConnection) throws {
        let relation = row.relation
        try connection.enqueue(
            """
            INSERT INTO relations (event_nid, room_nid, parent_id, rel_type, type, sender, sort_key, thread_id, position)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
            """,
            [
                .int(row.event.value), .int(row.room.value), .text(relation.target.string), .text(relation.type.string),
                .text(row.type.string), .text(row.sender.string), .int(row.sortKey), .optional(row.thread?.string), .int(position.value),
            ])
        if row.isNested { try insertIndirect(row, at: position, on: connection) }
        guard relation.type == EventRelation.thread else { return }
        try connection.enqueue(
            """
            INSERT INTO threads (room_nid, root_id, reply_count, latest_nid, latest_position) VALUES ($1, $2, 1, $3, $4)
            ON CONFLICT (room_nid, root_id) DO UPDATE SET reply_count = threads.reply_count + 1,
                latest_nid = excluded.latest_nid, latest_position = excluded.latest_position
            """, [.int(row.room.value), .text(relation.target.string), .int(row.event.value), .int(position.value)])
        try connection.enqueue(
            """
            INSERT INTO thread_participants (room_nid, root_id, user_id, reply_count) VALUES ($1, $2, $3, 1)
            ON CONFLICT (room_nid, root_id, user_id) DO UPDATE SET reply_count = thread_participants.reply_count + 1
            """, [.int(row.room.value), .text(relation.target.string), .text(row.sender.string)])
    }

    /// Notes what the event relates to through its parent, and through that one's parent.
    private static func insertIndirect(
        _ row: RelationInsertion, at position: StreamPosition, on connection: any SQLConnection
    ) throws {
        try connection.enqueue(
            """
            WITH parent AS (
                SELECT p.parent_id FROM events e JOIN relations p ON p.event_nid = e.event_nid
                WHERE e.event_id = $2 AND e.room_nid = $3
            ), ancestors AS (
                SELECT parent_id FROM parent
                UNION
                SELECT g.parent_id FROM parent JOIN events e ON e.event_id = parent.parent_id AND e.room_nid = $3
                JOIN relations g ON g.event_nid = e.event_nid
            )
            INSERT INTO indirect_relations (event_nid, ancestor_id, room_nid, rel_type, type, position)
            SELECT $1, parent_id, $3, $4, $5, $6 FROM ancestors
            """,
            [
                .int(row.event.value), .text(row.relation.target.string), .int(row.room.value), .text(row.relation.type.string),
                .text(row.type.string), .int(position.value),
            ])
    }

    /// Takes away the relation of an event that is redacted.
    ///
    /// - Parameter relation: the one that the event had.
    package static func remove(
        _ event: EventNID, _ relation: EventRelation, by sender: UserID, in room: RoomNID, on connection: any SQLConnection
    ) throws {
        // Looked at by the statements that follow: what was never counted is not taken off.
        let counted = "EXISTS (SELECT 1 FROM relations own WHERE own.event_nid = $3)"
        if relation.type == EventRelation.thread {
            let thread: [SQLValue] = [.int(room.value), .text(relation.target.string), .int(event.value)]
            let latest = """
                FROM relations r WHERE r.room_nid = $1 AND r.parent_id = $2 AND r.rel_type = 'm.thread' AND r.event_nid <> $3
                ORDER BY r.position DESC LIMIT 1
                """
            try connection.enqueue(
                SQL(
                    """
                    UPDATE threads SET reply_count = reply_count - 1, latest_nid = coalesce((SELECT r.event_nid \(latest)), 0),
                        latest_position = coalesce((SELECT r.position \(latest)), 0)
                    WHERE room_nid = $1 AND root_id = $2 AND \(counted)
                    """), thread)
            try connection.enqueue(
                SQL(
                    """
                    UPDATE thread_participants SET reply_count = reply_count - 1
                    WHERE room_nid = $1 AND root_id = $2 AND user_id = $4 AND \(counted)
                    """), thread + [.text(sender.string)])
            try connection.enqueue(
                "DELETE FROM threads WHERE room_nid = $1 AND root_id = $2 AND reply_count <= 0", Array(thread.prefix(2)))
            try connection.enqueue(
                "DELETE FROM thread_participants WHERE room_nid = $1 AND root_id = $2 AND user_id = $3 AND reply_count <= 0",
                thread.prefix(2) + [.text(sender.string)])
        }
        try connection.enqueue("DELETE FROM indirect_relations WHERE event_nid = $1", [.int(event.value)])
        try connection.enqueue("DELETE FROM relations WHERE event_nid = $1", [.int(event.value)])
    }

    // MARK: Single events

    /// Whether the user has annotated the event in this way already.
    package static func isAnnotated(
        _ parent: EventID, in room: RoomNID, by sender: UserID, number: Int64, on connection: any SQLConnection
    ) throws -> Bool {
        try connection.exists(
            """
            SELECT 1 FROM relations
            WHERE room_nid = $1 AND parent_id = $2 AND rel_type = 'm.annotation' AND sender = $3 AND sort_key = $4 LIMIT 1
            """, [.int(room.value), .text(parent.string), .text(sender.string), .int(number)])
    }

    /// Whether anything relates to the event.
    package static func hasChildren(_ parent: EventID, in room: RoomNID, on connection: any SQLConnection) throws -> Bool {
        try connection.exists(
            "SELECT 1 FROM relations WHERE room_nid = $1 AND parent_id = $2 LIMIT 1", [.int(room.value), .text(parent.string)])
    }

    /// The root of the thread that an event belongs to, by itself or through what it relates to; nil for one in no thread, also for
    /// the root itself.
    package static func thread(of event: EventNID, on connection: any SQLConnection) throws -> EventID? {
        try connection.first("SELECT thread_id FROM relations WHERE event_nid = $1", [.int(event.value)]) {
            $0.optionalText(0).map { EventID(trusted: $0) }
        } ?? nil
    }
}
