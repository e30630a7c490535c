// Where the users of this server are: table `memberships` (migration 1).

import MatrixCore

/// A local user's relation to one room.
package struct MembershipRow: Sendable {
    package let room: RoomID
    package let roomNID: RoomNID
    package let membership: Membership
    package let event: EventNID
    package let position: StreamPosition
    package let forgotten: Bool
}

/// Reads and writes the rooms of local users.
package enum MembershipStore {
    /// Notes the newest membership. A new membership event brings a forgotten room back.
    package static func set(
        _ membership: Membership, of user: UserID, in room: RoomNID, event: EventNID, at position: StreamPosition,
        on connection: any SQLConnection
    ) throws {
        try connection.enqueue(
            """
            INSERT INTO memberships (user_id, room_nid, membership, event_nid, position, forgotten)
            VALUES ($1, $2, $3, $4, $5, false)
            ON CONFLICT (user_id, room_nid) DO UPDATE SET membership = excluded.membership,
                event_nid = excluded.event_nid, position = excluded.position, forgotten = false
            """,
            [
                .text(user.string), .int(room.value), .text(membership.rawValue), .int(event.value), .int(position.value),
            ])
    }

    /// Every room the user ever had to do with, in no order.
    package static func rooms(of user: UserID, on connection: any SQLConnection) throws -> [MembershipRow] {
        var result: [MembershipRow] = []
        try connection.query(
            """
            SELECT r.room_id, m.room_nid, m.membership, m.event_nid, m.position, m.forgotten
            FROM memberships m JOIN rooms r ON r.room_nid = m.room_nid WHERE m.user_id = $1
            """, [.text(user.string)]
        ) { row in
            guard let membership = Membership(rawValue: row.text(2)) else { return }
            result.append(
                MembershipRow(
                    room: RoomID(trusted: row.text(0)), roomNID: RoomNID(row.int(1)), membership: membership,
                    event: EventNID(row.int(3)), position: StreamPosition(row.int(4)), forgotten: row.bool(5)))
        }
        return result
    }

    /// The local users with this membership in a room.
    package static func users(in room: RoomNID, membership: Membership, on connection: any SQLConnection) throws -> [UserID] {
        try connection.rows(
            "SELECT user_id FROM memberships WHERE room_nid = $1 AND membership = $2",
            [.int(room.value), .text(membership.rawValue)]
        ) { UserID(trusted: $0.text(0)) }
    }

    /// Client-Server API §Leaving rooms, forget: only who has left can forget.
    /// - Returns: false when the user is in the room or never was.
    package static func forget(_ user: UserID, _ room: RoomNID, on connection: any SQLConnection) throws -> Bool {
        try connection.execute(
            """
            UPDATE memberships SET forgotten = true
            WHERE user_id = $1 AND room_nid = $2 AND membership IN ('leave', 'ban')
            """, [.text(user.string), .int(room.value)]) > 0
    }
}
