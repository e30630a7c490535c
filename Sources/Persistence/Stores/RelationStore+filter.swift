// Which events others relate to, for filters.

import MatrixCore

extension RelationStore {
    /// Those of these events of a room to which an event relates by one of the types, if any are given, that one of the senders sent, if
    /// any are given.
    package static func related(
        _ events: [EventID], in room: RoomNID, byTypes types: [ByteString], bySenders senders: [UserID], on connection: any SQLConnection
    ) throws -> [EventID] {
        guard !events.isEmpty else { return [] }
        return try connection.rows(
            """
            SELECT DISTINCT parent_id FROM relations WHERE room_nid = $1 AND {parent_id IN $2}
                AND ($3 OR {rel_type IN $4}) AND ($5 OR {sender IN $6})
            """,
            [
                .int(room.value), .texts(events.map(\.string)), .bool(types.isEmpty), .texts(types.map(\.string)),
                .bool(senders.isEmpty), .texts(senders.map(\.string)),
            ]
        ) { EventID(trusted: $0.text(0)) }
    }
}
