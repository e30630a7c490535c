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

    /// The oldest room that a user is in or invited to and another local user is in.
    package static func room(of user: UserID, with other: UserID, on connection: any SQLConnection) throws -> RoomID? {
        try connection.first(
            """
            SELECT r.room_id FROM memberships m
            JOIN memberships o ON o.room_nid = m.room_nid AND o.user_id = $2 AND o.membership = 'join'
            JOIN rooms r ON r.room_nid = m.room_nid
            WHERE m.user_id = $1 AND m.membership IN ('join', 'invite') ORDER BY m.room_nid LIMIT 1
            """, [.text(user.string), .text(other.string)]
        ) { RoomID(trusted: $0.text(0)) }
    }

    /// The newest member event of a local user in a room.
    package static func event(of user: UserID, in room: RoomNID, on connection: any SQLConnection) throws -> EventNID? {
        try connection.first(
            "SELECT event_nid FROM memberships WHERE user_id = $1 AND room_nid = $2", [.text(user.string), .int(room.value)]
        ) { EventNID($0.int(0)) }
    }

    /// A local user's membership in a room, be this server in it or not.
    package static func membership(of user: UserID, in room: RoomID, on connection: any SQLConnection) throws -> Membership? {
        try connection.first(
            """
            SELECT m.membership FROM memberships m JOIN rooms r ON r.room_nid = m.room_nid WHERE m.user_id = $1 AND r.room_id = $2
            """, [.text(user.string), .text(room.string)]
        ) { Membership(rawValue: $0.text(0)) } ?? nil
    }

    /// The local users with this membership in a room.
    package static func users(in room: RoomNID, membership: Membership, on connection: any SQLConnection) throws -> [UserID] {
        try connection.rows(
            "SELECT user_id FROM memberships WHERE room_nid = $1 AND membership = $2",
            [.int(room.value), .text(membership.rawValue)]
        ) { UserID(trusted: $0.text(0)) }
    }

    /// Whether the user has left the room and forgotten it.
    package static func isForgotten(_ user: UserID, _ room: RoomNID, on connection: any SQLConnection) throws -> Bool {
        try connection.first(
            "SELECT forgotten FROM memberships WHERE user_id = $1 AND room_nid = $2", [.text(user.string), .int(room.value)]
        ) { $0.bool(0) } ?? false
    }

    /// The local members of a room of whom something is kept that names the room: tags, the list of direct chats, or push rules.
    package static func membersWithRoomData(
        _ room: RoomNID, id: RoomID, on connection: any SQLConnection
    ) throws -> [UserID] {
        try connection.rows(
            """
            SELECT m.user_id FROM memberships m WHERE m.room_nid = $1 AND m.membership = 'join' AND (
                EXISTS (SELECT 1 FROM account_data a WHERE a.user_id = m.user_id AND a.room_id = $2 AND a.type = 'm.tag')
                OR EXISTS (SELECT 1 FROM account_data a WHERE a.user_id = m.user_id AND a.room_id = '' AND a.type = 'm.direct')
                OR EXISTS (SELECT 1 FROM push_rules p WHERE p.user_id = m.user_id))
            """, [.int(room.value), .text(id.string)]
        ) { UserID(trusted: $0.text(0)) }
    }

    /// The guests of this server who are in a room or invited to it.
    package static func guests(in room: RoomNID, on connection: any SQLConnection) throws -> [UserID] {
        try connection.rows(
            """
            SELECT m.user_id FROM memberships m JOIN users u ON u.user_id = m.user_id
            WHERE m.room_nid = $1 AND m.membership IN ('join', 'invite') AND u.is_guest
            """, [.int(room.value)]
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
