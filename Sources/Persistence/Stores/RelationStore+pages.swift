// Pages of an event's children, and of a room's threads.

import MatrixCore

/// Which children of an event are wanted, and where among them a page begins. Client-Server API §Relationships API.
package struct RelationQuery: Sendable {
    package let room: RoomNID
    package let parent: EventID
    package var relType: ByteString?
    /// Counts only together with `relType`.
    package var eventType: ByteString?
    /// Newest first; otherwise oldest first.
    package var isBackwards = true
    /// Only events with `after < position <= upTo`.
    package var after: StreamPosition
    package var upTo: StreamPosition
    package var limit: Int

    package init(room: RoomNID, parent: EventID, after: StreamPosition, upTo: StreamPosition, limit: Int) {
        self.room = room
        self.parent = parent
        self.after = after
        self.upTo = upTo
        self.limit = limit
    }
}

/// One thread of a room.
package struct ThreadRow: Sendable {
    package let root: EventNID
    package let latestPosition: StreamPosition
}

extension RelationStore {
    /// How many relations lead from an event to those that are found through others, at most.
    package static let recursionDepth = 3

    /// The events that relate to the parent directly.
    package static func children(_ query: RelationQuery, on connection: any SQLConnection) throws -> [EventNID] {
        try page(query, of: "relations", parent: "parent_id", on: connection).map(\.event)
    }

    /// The events that relate to the parent, directly or through others.
    package static func descendants(_ query: RelationQuery, on connection: any SQLConnection) throws -> [EventNID] {
        let direct = try page(query, of: "relations", parent: "parent_id", on: connection)
        let indirect = try page(query, of: "indirect_relations", parent: "ancestor_id", on: connection)
        // Each of the two has the first that are wanted of its kind, so both together have the first of all.
        let all = (direct + indirect).sorted { query.isBackwards ? $0.position > $1.position : $0.position < $1.position }
        var seen: Set<EventNID> = []
        return Array(all.map(\.event).filter { seen.insert($0).inserted }.prefix(query.limit))
    }

    private static func page(
        _ query: RelationQuery, of table: String, parent: String, on connection: any SQLConnection
    ) throws -> [(event: EventNID, position: StreamPosition)] {
        var types = ""
        var parameters: [SQLValue] = [
            .int(query.room.value), .text(query.parent.string), .int(query.after.value), .int(query.upTo.value), .int(query.limit),
        ]
        if let relType = query.relType {
            types = "AND rel_type = $6"
            parameters.append(.text(relType.string))
            if let eventType = query.eventType {
                types += " AND type = $7"
                parameters.append(.text(eventType.string))
            }
        }
        return try connection.rows(
            SQL(
                """
                SELECT event_nid, position FROM \(table)
                WHERE room_nid = $1 AND \(parent) = $2 AND position > $3 AND position <= $4 \(types)
                ORDER BY position \(query.isBackwards ? "DESC" : "ASC") LIMIT $5
                """), parameters
        ) { (EventNID($0.int(0)), StreamPosition($0.int(1))) }
    }

    /// The threads of a room with `latest_position < before`, the one with the newest reply first.
    package static func threads(
        in room: RoomNID, before: StreamPosition, limit: Int, on connection: any SQLConnection
    ) throws -> [ThreadRow] {
        try connection.rows(
            """
            SELECT e.event_nid, t.latest_position FROM threads t
            JOIN events e ON e.event_id = t.root_id AND e.room_nid = t.room_nid
            WHERE t.room_nid = $1 AND t.latest_position < $2 AND e.position IS NOT NULL AND e.flags = 0
            ORDER BY t.latest_position DESC LIMIT $3
            """, [.int(room.value), .int(before.value), .int(limit)]
        ) { ThreadRow(root: EventNID($0.int(0)), latestPosition: StreamPosition($0.int(1))) }
    }

    /// Those of the threads in which the user has replied.
    package static func participated(
        _ roots: [EventID], in room: RoomNID, by user: UserID, on connection: any SQLConnection
    ) throws -> Set<EventID> {
        guard !roots.isEmpty else { return [] }
        return try Set(
            connection.rows(
                "SELECT root_id FROM thread_participants WHERE room_nid = $1 AND user_id = $2 AND {root_id IN $3}",
                [.int(room.value), .text(user.string), .texts(roots.map(\.string))]
            ) { EventID(trusted: $0.text(0)) })
    }
}
