// Who shares rooms with whom, where one of the two is a user of another server: over `joined_members` (migration 10), `memberships`,
// `current_state` and `events` (migration 1).

import MatrixCore

/// Asks for common rooms, by the current state of rooms: it is written together with its events, whereas `joined_members` follows at a
/// distance of some moments.
package enum SharedRoomStore {
    /// The entries of the current state that say that somebody, as `k.state_key`, is in `s.room_nid`.
    private static let joined = """
        state_keys k
        JOIN current_state s ON s.key_nid = k.key_nid
        JOIN events e ON e.event_nid = s.event_nid AND e.membership = 'join'
        """

    /// Those of `candidates` who are joined to a room in which this server has a member.
    package static func known(_ candidates: [UserID], on connection: any SQLConnection) throws -> [UserID] {
        try connection.rows(knownSQL, [.texts(candidates.map(\.string))]) { UserID(trusted: $0.text(0)) }
    }

    private static let knownSQL = SQL(
        """
        SELECT DISTINCT k.state_key FROM \(joined)
        WHERE k.type = 'm.room.member' AND {k.state_key IN $1}
            AND EXISTS (SELECT 1 FROM memberships m WHERE m.room_nid = s.room_nid AND m.membership = 'join')
        """)

    /// Those of `candidates` who have been in a room together with this server since before `position`, without a break: as far as that can
    /// be told by who is in it now, so that some may be missing.
    package static func known(
        _ candidates: [UserID], sinceBefore position: StreamPosition, on connection: any SQLConnection
    ) throws -> [UserID] {
        try connection.rows(knownSinceSQL, [.texts(candidates.map(\.string)), .int(position.value)]) { UserID(trusted: $0.text(0)) }
    }

    private static let knownSinceSQL = SQL(
        """
        SELECT DISTINCT k.state_key FROM \(joined)
        WHERE k.type = 'm.room.member' AND {k.state_key IN $1} AND COALESCE(e.position, 0) < $2 AND EXISTS (
            SELECT 1 FROM memberships m WHERE m.room_nid = s.room_nid AND m.membership = 'join' AND m.position < $2)
        """)

    /// Whether this server has had a member in the room since before `position`.
    package static func isLocal(
        _ room: RoomNID, sinceBefore position: StreamPosition, on connection: any SQLConnection
    ) throws -> Bool {
        try connection.exists(
            "SELECT 1 FROM memberships WHERE room_nid = $1 AND membership = 'join' AND position < $2 LIMIT 1",
            [.int(room.value), .int(position.value)])
    }

    /// Those of `candidates` who are joined to a room that `viewer`, a local user, is joined to. Rooms of `excluded` do not count.
    package static func companions(
        of viewer: UserID, among candidates: [UserID], except excluded: Set<RoomID> = [], on connection: any SQLConnection
    ) throws -> [UserID] {
        var parameters: [SQLValue] = [.text(viewer.string), .texts(candidates.map(\.string))]
        if !excluded.isEmpty { parameters.append(.texts(excluded.map(\.string))) }
        let sql = excluded.isEmpty ? companionsSQL : companionsWithExceptionsSQL
        return try connection.rows(sql, parameters) { UserID(trusted: $0.text(0)) }
    }

    private static let companionsSQL = SQL("SELECT DISTINCT k.state_key \(companions)")
    private static let companionsWithExceptionsSQL = SQL(
        """
        SELECT DISTINCT k.state_key \(companions)
            AND NOT EXISTS (SELECT 1 FROM rooms r WHERE r.room_nid = s.room_nid AND {r.room_id IN $3})
        """)

    private static let companions = """
        FROM \(joined)
        JOIN memberships m ON m.user_id = $1 AND m.room_nid = s.room_nid AND m.membership = 'join'
        WHERE k.type = 'm.room.member' AND {k.state_key IN $2}
        """

    /// The rooms that each of `users` is joined to.
    package static func rooms(of users: [UserID], on connection: any SQLConnection) throws -> [UserID: [RoomNID]] {
        var rooms = Dictionary(users.map { ($0, [RoomNID]()) }) { $1 }
        try connection.query(roomsSQL, [.texts(users.map(\.string))]) { row in
            rooms[UserID(trusted: row.text(0)), default: []].append(RoomNID(row.int(1)))
        }
        return rooms
    }

    private static let roomsSQL = SQL(
        "SELECT k.state_key, s.room_nid FROM \(joined) WHERE k.type = 'm.room.member' AND {k.state_key IN $1}")

    /// Takes all who are joined to a room by its current state into `joined_members`: what a room was when this server came into it is told
    /// by no events.
    package static func takeMembers(of room: RoomNID, on connection: any SQLConnection) throws {
        try JoinedMemberStore.deleteAll(in: room, on: connection)
        try connection.enqueue(
            """
            INSERT INTO joined_members (user_id, room_nid)
            SELECT k.state_key, s.room_nid
            FROM current_state s
            JOIN state_keys k ON k.key_nid = s.key_nid
            JOIN events e ON e.event_nid = s.event_nid
            WHERE s.room_nid = $1 AND k.type = 'm.room.member' AND e.membership = 'join'
            ON CONFLICT DO NOTHING
            """, [.int(room.value)])
    }
}
