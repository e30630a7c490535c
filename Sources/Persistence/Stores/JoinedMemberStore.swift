// Who is joined where, users of other servers too: table `joined_members` (migration 10). It follows the commit stream; what must be
// right at this moment is asked of the room, or of `MembershipStore` for a local user.

import MatrixCore

/// Reads and writes joined members.
package enum JoinedMemberStore {
    package static func insert(_ user: UserID, _ room: RoomNID, on connection: any SQLConnection) throws {
        try connection.enqueue(
            "INSERT INTO joined_members (user_id, room_nid) VALUES ($1, $2) ON CONFLICT DO NOTHING",
            [.text(user.string), .int(room.value)])
    }

    package static func delete(_ user: UserID, _ room: RoomNID, on connection: any SQLConnection) throws {
        try connection.enqueue(
            "DELETE FROM joined_members WHERE user_id = $1 AND room_nid = $2", [.text(user.string), .int(room.value)])
    }

    package static func deleteAll(in room: RoomNID, on connection: any SQLConnection) throws {
        try connection.enqueue("DELETE FROM joined_members WHERE room_nid = $1", [.int(room.value)])
    }

    /// The rooms after `after` in which a local user and `other` both are, in the order of their ids, at most `limit`.
    ///
    /// - Parameter isOtherLocal: `other` is a user of this server too.
    package static func mutualRooms(
        of user: UserID, and other: UserID, isOtherLocal: Bool, after: String, limit: Int, on connection: any SQLConnection
    ) throws -> [RoomID] {
        try connection.rows(
            SQL("SELECT r.room_id \(mutual(isOtherLocal)) AND r.room_id > $3 ORDER BY r.room_id LIMIT $4"),
            [.text(user.string), .text(other.string), .text(after), .int(limit)]
        ) { RoomID(trusted: $0.text(0)) }
    }

    package static func mutualRoomCount(
        of user: UserID, and other: UserID, isOtherLocal: Bool, on connection: any SQLConnection
    ) throws -> Int64 {
        try connection.first(
            SQL("SELECT count(*) \(mutual(isOtherLocal))"), [.text(user.string), .text(other.string)]
        ) { $0.int(0) } ?? 0
    }

    private static func mutual(_ isOtherLocal: Bool) -> String {
        let other =
            isOtherLocal
            ? "SELECT 1 FROM memberships o WHERE o.user_id = $2 AND o.room_nid = m.room_nid AND o.membership = 'join'"
            : "SELECT 1 FROM joined_members o WHERE o.user_id = $2 AND o.room_nid = m.room_nid"
        return """
            FROM memberships m JOIN rooms r ON r.room_nid = m.room_nid
            WHERE m.user_id = $1 AND m.membership = 'join' AND EXISTS (\(other))
            """
    }
}
