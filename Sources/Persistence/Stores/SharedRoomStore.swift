// Who shares rooms with whom, where one of the two is a user of another server: over `joined_members` (migration 10), `memberships`,
// `current_state` and `events` (migration 1).

import MatrixCore

/// Asks for common rooms, by the current state of rooms: it is written together with its events. What is asked `lately` goes by
/// `joined_members`, which is cheaper and follows at a distance of some moments.
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

    /// The same as `known`, lately.
    package static func knownLately(_ candidates: [UserID], on connection: any SQLConnection) throws -> [UserID] {
        try connection.rows(
            """
            SELECT DISTINCT j.user_id FROM joined_members j
            WHERE {j.user_id IN $1}
                AND EXISTS (SELECT 1 FROM memberships m WHERE m.room_nid = j.room_nid AND m.membership = 'join')
            """, [.texts(candidates.map(\.string))]
        ) { UserID(trusted: $0.text(0)) }
    }

    /// Whether this server has had a member in the room since before `position`.
    package static func isLocal(
        _ room: RoomNID, sinceBefore position: StreamPosition, on connection: any SQLConnection
    ) throws -> Bool {
        try connection.exists(
            "SELECT 1 FROM memberships WHERE room_nid = $1 AND membership = 'join' AND position < $2 LIMIT 1",
            [.int(room.value), .int(position.value)])
    }

    /// Those of `candidates` who are joined to a room that `viewer`, a local user, is joined to.
    package static func companions(
        of viewer: UserID, among candidates: [UserID], on connection: any SQLConnection
    ) throws -> [UserID] {
        try connection.rows(companionsSQL, [.text(viewer.string), .texts(candidates.map(\.string))]) { UserID(trusted: $0.text(0)) }
    }

    private static let companionsSQL = SQL(
        """
        SELECT DISTINCT k.state_key FROM \(joined)
        JOIN memberships m ON m.user_id = $1 AND m.room_nid = s.room_nid AND m.membership = 'join'
        WHERE k.type = 'm.room.member' AND {k.state_key IN $2}
        """)

    /// The same lately, for many candidates at once. Rooms of `excluded` do not count.
    package static func companionsLately(
        of viewer: UserID, among candidates: [UserID], except excluded: Set<RoomID>, on connection: any SQLConnection
    ) throws -> [UserID] {
        try connection.rows(
            """
            SELECT DISTINCT j.user_id
            FROM joined_members j JOIN memberships m ON m.user_id = $1 AND m.room_nid = j.room_nid
            JOIN rooms r ON r.room_nid = j.room_nid
            WHERE {j.user_id IN $2} AND m.membership = 'join' AND {r.room_id NOT IN $3}
            """, [.text(viewer.string), .texts(candidates.map(\.string)), .texts(excluded.map(\.string))]
        ) { UserID(trusted: $0.text(0)) }
    }

    /// The rooms that each of `users` is joined to.
    package static func rooms(of users: [UserID], on connection: any SQLConnection) throws -> [UserID: [RoomNID]] {
        try rooms(roomsSQL, of: users, on: connection)
    }

    private static let roomsSQL = SQL(
        "SELECT k.state_key, s.room_nid FROM \(joined) WHERE k.type = 'm.room.member' AND {k.state_key IN $1}")

    /// The same, lately.
    package static func roomsLately(of users: [UserID], on connection: any SQLConnection) throws -> [UserID: [RoomNID]] {
        try rooms("SELECT user_id, room_nid FROM joined_members WHERE {user_id IN $1}", of: users, on: connection)
    }

    private static func rooms(_ sql: SQL, of users: [UserID], on connection: any SQLConnection) throws -> [UserID: [RoomNID]] {
        var rooms = Dictionary(users.map { ($0, [RoomNID]()) }) { $1 }
        try connection.query(sql, [.texts(users.map(\.string))]) { row in
            rooms[UserID(trusted: row.text(0)), default: []].append(RoomNID(row.int(1)))
        }
        return rooms
    }

    /// Takes all who are joined to a room by its current state into `joined_members`: what a room was when this server came into it is told
    /// by no events.
    package static func takeMembers(of room: RoomNID, on connection: any SQLConnection) throws {
        try connection.enqueue("DELETE FROM joined_members WHERE room_nid = $1", [.int(room.value)])
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
