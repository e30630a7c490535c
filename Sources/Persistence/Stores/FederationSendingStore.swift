// What the federation sender knows over restarts: tables `server_rooms`, `room_sendings` and `destination_backlogs` (migration 19).

import MatrixCore

/// After which positions a server has missed something; nil: nothing of that kind is missing.
package struct DestinationBacklogRow: Sendable, Hashable {
    package var eventsAfter: StreamPosition?
    package var deviceListsAfter: StreamPosition?

    package init(eventsAfter: StreamPosition? = nil, deviceListsAfter: StreamPosition? = nil) {
        self.eventsAfter = eventsAfter
        self.deviceListsAfter = deviceListsAfter
    }

    package var isEmpty: Bool { eventsAfter == nil && deviceListsAfter == nil }
}

/// A server comes into a room, or leaves it.
package struct ServerRoomChange: Sendable, Hashable {
    package let server: ServerName
    package let room: RoomNID
    /// For a server that leaves: the position of the last event of ours that it should still get, or zero.
    package let lastPosition: StreamPosition?

    package init(server: ServerName, room: RoomNID, lastPosition: StreamPosition? = nil) {
        self.server = server
        self.room = room
        self.lastPosition = lastPosition
    }
}

/// A room with news for a server: the position of the newest event of ours in it.
package struct MissedRoomRow: Sendable, Hashable {
    package let room: RoomNID
    package let position: StreamPosition

    package init(room: RoomNID, position: StreamPosition) {
        self.room = room
        self.position = position
    }
}

/// Reads and writes what other servers have and have not been told.
package enum FederationSendingStore {
    /// Under which the position of the sender stands in `commit_readers`.
    package static let readerName = "federation"

    // MARK: Servers in rooms

    package static func write(_ change: ServerRoomChange, on connection: any SQLConnection) throws {
        guard let last = change.lastPosition else {
            return try connection.enqueue(
                """
                INSERT INTO server_rooms (server_name, room_nid, last_position) VALUES ($1, $2, NULL)
                ON CONFLICT (server_name, room_nid) DO UPDATE SET last_position = NULL
                """, [.text(change.server.string), .int(change.room.value)])
        }
        // The newest event of ours may be known to the table alone.
        try connection.enqueue(
            """
            UPDATE server_rooms SET last_position = {GREATEST}($3, COALESCE((SELECT position FROM room_sendings WHERE room_nid = $2), 0))
            WHERE server_name = $1 AND room_nid = $2 AND last_position IS NULL
            """, [.text(change.server.string), .int(change.room.value), .int(last.value)])
    }

    /// Notes which other servers are where by the present state of all rooms: for a database whose rooms are older than the table.
    package static func fillServerRooms(except own: ServerName, on connection: any SQLConnection) throws {
        var found: Set<ServerRoomChange> = []
        try connection.query(
            SQL(
                once: """
                    SELECT c.room_nid, k.state_key FROM current_state c JOIN state_keys k ON k.key_nid = c.key_nid
                    JOIN events e ON e.event_nid = c.event_nid WHERE k.type = 'm.room.member' AND e.membership = 'join'
                    """), []
        ) { row in
            let user = UserID(trusted: row.text(1))
            if !user.belongs(to: own) { found.insert(ServerRoomChange(server: user.server, room: RoomNID(row.int(0)))) }
        }
        for change in found { try write(change, on: connection) }
    }

    /// The other servers with a joined member in a room.
    package static func servers(in room: RoomNID, on connection: any SQLConnection) throws -> [ServerName] {
        try connection.rows(
            "SELECT server_name FROM server_rooms WHERE room_nid = $1 AND last_position IS NULL", [.int(room.value)]
        ) { ServerName(trusted: $0.text(0)) }
    }

    /// The other servers that share a room with a user of this server.
    ///
    /// - Parameters:
    ///   - room: a room that does not count.
    ///   - excluded: further rooms that do not count.
    package static func servers(
        sharingRoomWith user: UserID, except room: RoomNID? = nil, excluded: Set<RoomID> = [], on connection: any SQLConnection
    ) throws -> [ServerName] {
        let shared = """
            SELECT DISTINCT s.server_name FROM memberships m JOIN server_rooms s ON s.room_nid = m.room_nid
            WHERE m.user_id = $1 AND m.membership = 'join' AND s.last_position IS NULL AND m.room_nid <> $2
            """
        let parameters: [SQLValue] = [.text(user.string), .int(room?.value ?? 0)]
        guard !excluded.isEmpty else {
            return try connection.rows(SQL(shared), parameters) { ServerName(trusted: $0.text(0)) }
        }
        return try connection.rows(
            SQL(shared + " AND m.room_nid NOT IN (SELECT r.room_nid FROM rooms r WHERE {r.room_id IN $3})"),
            parameters + [.texts(excluded.map(\.string))]
        ) { ServerName(trusted: $0.text(0)) }
    }

    /// The servers that have left a room whose last event they may not have got.
    package static func departedServers(on connection: any SQLConnection) throws -> [ServerName] {
        try connection.rows("SELECT DISTINCT server_name FROM server_rooms WHERE last_position IS NOT NULL") {
            ServerName(trusted: $0.text(0))
        }
    }

    /// Forgets the rooms that these servers have left before `position`, since they have got everything.
    package static func deleteDeparted(
        _ servers: [ServerName], upTo position: StreamPosition, on connection: any SQLConnection
    ) throws {
        try connection.enqueue(
            "DELETE FROM server_rooms WHERE {server_name IN $1} AND last_position <= $2",
            [.texts(servers.map(\.string)), .int(position.value)])
    }

    // MARK: What was missed

    /// Notes the newest events of rooms that had to be sent.
    package static func noteSendings(_ rooms: [RoomNID: StreamPosition], on connection: any SQLConnection) throws {
        // In one order, so that two transactions never wait for each other in a circle.
        for (room, position) in rooms.sorted(by: { $0.key < $1.key }) {
            try connection.enqueue(
                """
                INSERT INTO room_sendings (room_nid, position) VALUES ($1, $2)
                ON CONFLICT (room_nid) DO UPDATE SET position = excluded.position WHERE room_sendings.position < excluded.position
                """, [.int(room.value), .int(position.value)])
        }
    }

    /// The rooms with events of ours after `position` that the server should get, the one whose newest is oldest first.
    package static func missedRooms(
        of server: ServerName, after position: StreamPosition, limit: Int, on connection: any SQLConnection
    ) throws -> [MissedRoomRow] {
        try connection.rows(
            """
            SELECT s.room_nid, COALESCE(s.last_position, n.position) AS newest
            FROM server_rooms s LEFT JOIN room_sendings n ON n.room_nid = s.room_nid
            WHERE s.server_name = $1 AND COALESCE(s.last_position, n.position) > $2
            ORDER BY newest, s.room_nid LIMIT $3
            """, [.text(server.string), .int(position.value), .int(limit)]
        ) { MissedRoomRow(room: RoomNID($0.int(0)), position: StreamPosition($0.int(1))) }
    }

    package static func backlogs(on connection: any SQLConnection) throws -> [ServerName: DestinationBacklogRow] {
        var result: [ServerName: DestinationBacklogRow] = [:]
        try connection.query("SELECT server_name, events_after, device_lists_after FROM destination_backlogs", []) { row in
            result[ServerName(trusted: row.text(0))] = DestinationBacklogRow(
                eventsAfter: row.optionalInt(1).map { StreamPosition($0) }, deviceListsAfter: row.optionalInt(2).map { StreamPosition($0) })
        }
        return result
    }

    /// - Parameter backlog: an empty one removes the row.
    package static func setBacklog(
        _ backlog: DestinationBacklogRow, of server: ServerName, on connection: any SQLConnection
    ) throws {
        guard !backlog.isEmpty else {
            return try connection.enqueue("DELETE FROM destination_backlogs WHERE server_name = $1", [.text(server.string)])
        }
        try connection.enqueue(
            """
            INSERT INTO destination_backlogs (server_name, events_after, device_lists_after) VALUES ($1, $2, $3)
            ON CONFLICT (server_name) DO UPDATE SET events_after = excluded.events_after, device_lists_after = excluded.device_lists_after
            """,
            [.text(server.string), .optional(backlog.eventsAfter?.value), .optional(backlog.deviceListsAfter?.value)])
    }

    // MARK: The events themselves

    /// The PDUs of these events, as they are stored.
    package static func pdus(_ events: [EventNID], on connection: any SQLConnection) throws -> [EventNID: [UInt8]] {
        var result: [EventNID: [UInt8]] = [:]
        try connection.query("SELECT event_nid, json FROM events WHERE {event_nid IN $1}", [.ints(events.map(\.value))]) { row in
            result[EventNID(row.int(0))] = row.blob(1)
        }
        return result
    }

    /// The event that stands at a position.
    package static func event(at position: StreamPosition, on connection: any SQLConnection) throws -> (id: EventID, json: [UInt8])? {
        try connection.first("SELECT event_id, json FROM events WHERE position = $1", [.int(position.value)]) {
            (EventID(trusted: $0.text(0)), $0.blob(1))
        }
    }
}
