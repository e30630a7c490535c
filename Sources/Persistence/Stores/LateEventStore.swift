// Events that wait for what they stand on: table `late_events` (migration 30).

import MatrixCore

/// An event that another server has sent and that could not be brought into its room yet.
package struct LateEventRow: Sendable {
    package let id: EventID
    package let room: RoomID
    /// Who told of it.
    package let origin: ServerName
    package let depth: Int64
    package let received: Timestamp
    package let json: [UInt8]

    package init(id: EventID, room: RoomID, origin: ServerName, depth: Int64, received: Timestamp, json: [UInt8]) {
        self.id = id
        self.room = room
        self.origin = origin
        self.depth = depth
        self.received = received
        self.json = json
    }

    fileprivate init(_ row: SQLRow) {
        id = EventID(trusted: row.text(0))
        room = RoomID(trusted: row.text(1))
        origin = ServerName(trusted: row.text(2))
        depth = row.int(3)
        received = Timestamp(milliseconds: row.int(4))
        json = row.blob(5)
    }
}

/// Reads and writes events that wait.
package enum LateEventStore {
    /// An event that waits already goes on waiting as it is.
    package static func insert(_ row: LateEventRow, on connection: any SQLConnection) throws {
        try connection.execute(
            """
            INSERT INTO late_events (room_id, event_id, origin, depth, received_ts, json) VALUES ($1, $2, $3, $4, $5, $6)
            ON CONFLICT (room_id, event_id) DO NOTHING
            """,
            [
                .text(row.room.string), .text(row.id.string), .text(row.origin.string), .int(row.depth), .int(row.received.milliseconds),
                .blob(row.json),
            ])
    }

    /// The oldest events of a room that a server has told of, in an order in which they can be brought in.
    package static func events(
        of room: RoomID, from origin: ServerName, limit: Int, on connection: any SQLConnection
    ) throws -> [LateEventRow] {
        try connection.rows(
            """
            SELECT event_id, room_id, origin, depth, received_ts, json FROM late_events
            WHERE origin = $1 AND room_id = $2 ORDER BY depth, event_id LIMIT $3
            """, [.text(origin.string), .text(room.string), .int(limit)], LateEventRow.init)
    }

    /// Of which rooms events wait, and who has told of them.
    package static func lanes(on connection: any SQLConnection) throws -> [(room: RoomID, origin: ServerName)] {
        try connection.rows("SELECT DISTINCT room_id, origin FROM late_events", []) {
            (RoomID(trusted: $0.text(0)), ServerName(trusted: $0.text(1)))
        }
    }

    /// How many wait over all, and how many of them a server has told of.
    package static func counts(from origin: ServerName, on connection: any SQLConnection) throws -> (all: Int, own: Int) {
        let counts = try connection.first(
            "SELECT count(*), coalesce(sum(CASE WHEN origin = $1 THEN 1 ELSE 0 END), 0) FROM late_events", [.text(origin.string)]
        ) { (Int($0.int(0)), Int($0.int(1))) }
        return counts ?? (0, 0)
    }

    package static func delete(_ ids: [EventID], of room: RoomID, on connection: any SQLConnection) throws {
        guard !ids.isEmpty else { return }
        try connection.execute(
            "DELETE FROM late_events WHERE room_id = $1 AND {event_id IN $2}", [.text(room.string), .texts(ids.map(\.string))])
    }
}
