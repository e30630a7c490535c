// Whose devices changed, and who shares a room with whom: table `device_list_changes` (migrations 3 and 14), with `memberships`,
// `state_changes` and `events` (migration 1). Client-Server API §Tracking the device list for a user.

import MatrixCore

/// A change of one user's membership in a room.
package struct MembershipTransition: Sendable, Hashable {
    package let room: RoomID
    package let user: UserID
    /// nil: there was none.
    package let before: Membership?
    package let after: Membership?

    package init(room: RoomID, user: UserID, before: Membership?, after: Membership?) {
        self.room = room
        self.user = user
        self.before = before
        self.after = after
    }
}

/// Somebody's devices or cross-signing keys changed.
package struct DeviceListEntry: Sendable, Hashable {
    package let user: UserID
    /// Who is told; nil: everyone who shares a room with the user.
    package let viewer: UserID?

    package init(user: UserID, viewer: UserID? = nil) {
        self.user = user
        self.viewer = viewer
    }
}

/// Reads and writes what device lists are told by.
package enum DeviceListStore {
    /// - Parameter viewer: who alone is told; nil: everyone who shares a room with the user.
    package static func insert(
        _ user: UserID, seenBy viewer: UserID? = nil, position: StreamPosition, on connection: any SQLConnection
    ) throws {
        try connection.enqueue(
            "INSERT INTO device_list_changes (position, user_id, viewer_id) VALUES ($1, $2, $3)",
            [.int(position.value), .text(user.string), .optional(viewer?.string)])
    }

    /// The same for everyone, and the earlier changes of the user are forgotten: who asks from before them finds this one.
    package static func replace(_ user: UserID, position: StreamPosition, on connection: any SQLConnection) throws {
        try connection.enqueue(
            "DELETE FROM device_list_changes WHERE user_id = $1 AND viewer_id IS NULL AND position < $2",
            [.text(user.string), .int(position.value)])
        try insert(user, position: position, on: connection)
    }

    /// When something about a user's devices changed last; nil: never.
    package static func lastChange(of user: UserID, on connection: any SQLConnection) throws -> StreamPosition? {
        try connection.first(
            "SELECT max(position) FROM device_list_changes WHERE user_id = $1 AND viewer_id IS NULL", [.text(user.string)]
        ) { $0.optionalInt(0).map { StreamPosition($0) } } ?? nil
    }

    /// Whether a change was stored at this position.
    package static func exists(_ position: StreamPosition, on connection: any SQLConnection) throws -> Bool {
        try connection.exists("SELECT 1 FROM device_list_changes WHERE position = $1", [.int(position.value)])
    }

    /// What changed after `after` up to `upTo` that `viewer` may be told of, each once.
    package static func entries(
        seenBy viewer: UserID, after: StreamPosition, upTo: StreamPosition, on connection: any SQLConnection
    ) throws -> [DeviceListEntry] {
        try connection.rows(
            """
            SELECT DISTINCT user_id, viewer_id FROM device_list_changes
            WHERE position > $1 AND position <= $2 AND (viewer_id IS NULL OR viewer_id = $3)
            """, [.int(after.value), .int(upTo.value), .text(viewer.string)]
        ) { DeviceListEntry(user: UserID(trusted: $0.text(0)), viewer: $0.optionalText(1).map { UserID(trusted: $0) }) }
    }

    /// Those of `candidates`, local users, who are joined to a room that `user` is joined to.
    package static func sharingRoom(
        with user: UserID, among candidates: [UserID], on connection: any SQLConnection
    ) throws -> [UserID] {
        try connection.rows(
            """
            SELECT DISTINCT theirs.user_id
            FROM memberships theirs JOIN memberships mine ON mine.room_nid = theirs.room_nid
            WHERE {theirs.user_id IN $2} AND theirs.membership = 'join' AND mine.user_id = $1 AND mine.membership = 'join'
            """, [.text(user.string), .texts(candidates.map(\.string))]
        ) { UserID(trusted: $0.text(0)) }
    }

    /// The membership changes after `after` up to `upTo`, in order, in the rooms where `user` is joined, and in those that `user`
    /// left in that time.
    package static func membershipTransitions(
        around user: UserID, after: StreamPosition, upTo: StreamPosition, on connection: any SQLConnection
    ) throws -> [MembershipTransition] {
        try connection.rows(
            """
            SELECT r.room_id, e.state_key, p.membership, e.membership
            FROM memberships mine
            JOIN state_changes c ON c.room_nid = mine.room_nid
            JOIN events e ON e.event_nid = c.event_nid
            JOIN rooms r ON r.room_nid = mine.room_nid
            LEFT JOIN events p ON p.event_nid = e.replaces_nid
            WHERE mine.user_id = $1 AND (mine.membership = 'join' OR mine.position > $2)
                AND c.position > $2 AND c.position <= $3 AND e.type = 'm.room.member'
            ORDER BY c.position
            """, [.text(user.string), .int(after.value), .int(upTo.value)]
        ) { row in
            MembershipTransition(
                room: RoomID(trusted: row.text(0)), user: UserID(trusted: row.text(1)),
                before: row.optionalText(2).flatMap(Membership.init(rawValue:)),
                after: row.optionalText(3).flatMap(Membership.init(rawValue:)))
        }
    }
}
