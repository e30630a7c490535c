// Whose devices changed, and who shares a room with whom: table `device_list_changes` (migrations 3, 14 and 19), with `memberships`,
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

/// What of a user's devices changed.
package enum DeviceListSubject: Sendable, Hashable {
    case device(DeviceID)
    case crossSigningKeys

    fileprivate init(_ column: String) { self = column.isEmpty ? .crossSigningKeys : .device(DeviceID(trusted: column)) }

    fileprivate var column: String {
        switch self {
        case .device(let device): device.string
        case .crossSigningKeys: ""
        }
    }
}

/// A change of a user of this server that other servers are told of.
package struct DeviceListAnnouncement: Sendable, Hashable {
    package let position: StreamPosition
    package let user: UserID
    package let subject: DeviceListSubject

    fileprivate init(_ row: SQLRow) {
        position = StreamPosition(row.int(0))
        user = UserID(trusted: row.text(1))
        subject = DeviceListSubject(row.text(2))
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
    /// - Parameters:
    ///   - subject: what changed; nil where that is not known.
    ///   - viewer: who alone is told; nil: everyone who shares a room with the user.
    package static func insert(
        _ user: UserID, _ subject: DeviceListSubject? = nil, seenBy viewer: UserID? = nil, position: StreamPosition,
        on connection: any SQLConnection
    ) throws {
        try connection.enqueue(
            "INSERT INTO device_list_changes (position, user_id, viewer_id, device_id) VALUES ($1, $2, $3, $4)",
            [.int(position.value), .text(user.string), .optional(viewer?.string), .optional(subject?.column)])
    }

    /// The same for everyone, and the earlier changes of the user are forgotten: who asks from before them finds this one.
    package static func replace(_ user: UserID, position: StreamPosition, on connection: any SQLConnection) throws {
        try connection.enqueue(
            "DELETE FROM device_list_changes WHERE user_id = $1 AND viewer_id IS NULL AND position < $2",
            [.text(user.string), .int(position.value)])
        try insert(user, position: position, on: connection)
    }

    /// When a device of a user came, went or changed last; nil: never. Other servers follow a user's devices by these positions
    /// (`stream_id`), so changes of the cross-signing keys, which are told without a `stream_id`, do not count.
    package static func lastDeviceChange(of user: UserID, on connection: any SQLConnection) throws -> StreamPosition? {
        try lastDeviceChanges(of: [user], before: StreamPosition(.max), on: connection)[user]
    }

    /// When a device of each of these users changed last before `position`.
    package static func lastDeviceChanges(
        of users: [UserID], before position: StreamPosition, on connection: any SQLConnection
    ) throws -> [UserID: StreamPosition] {
        var result: [UserID: StreamPosition] = [:]
        try connection.query(
            """
            SELECT user_id, max(position) FROM device_list_changes
            WHERE {user_id IN $1} AND viewer_id IS NULL AND (device_id IS NULL OR device_id <> '') AND position < $2 GROUP BY user_id
            """, [.texts(users.map(\.string)), .int(position.value)]
        ) { row in result[UserID(trusted: row.text(0))] = StreamPosition(row.int(1)) }
        return result
    }

    /// The changes at these positions that other servers may be told of, in order.
    package static func announcements(
        at positions: [StreamPosition], on connection: any SQLConnection
    ) throws -> [DeviceListAnnouncement] {
        try connection.rows(
            """
            SELECT position, user_id, device_id FROM device_list_changes
            WHERE {position IN $1} AND viewer_id IS NULL AND device_id IS NOT NULL ORDER BY position
            """, [.ints(positions.map(\.value))], DeviceListAnnouncement.init)
    }

    /// The newest change of each device, and of the cross-signing keys, of the local users who share a room with a server, of those that
    /// changed after `after` up to `upTo`; the oldest `limit` of these, in order.
    package static func announcements(
        for server: ServerName, after: StreamPosition, upTo: StreamPosition, limit: Int, on connection: any SQLConnection
    ) throws -> [DeviceListAnnouncement] {
        try connection.rows(
            """
            SELECT max(c.position) AS newest, c.user_id, c.device_id FROM device_list_changes c
            WHERE c.position > $2 AND c.position <= $3 AND c.viewer_id IS NULL AND c.device_id IS NOT NULL AND EXISTS (
                SELECT 1 FROM memberships m JOIN server_rooms s ON s.room_nid = m.room_nid
                WHERE m.user_id = c.user_id AND m.membership = 'join' AND s.server_name = $1 AND s.last_position IS NULL)
            GROUP BY c.user_id, c.device_id ORDER BY newest LIMIT $4
            """, [.text(server.string), .int(after.value), .int(upTo.value), .int(limit)], DeviceListAnnouncement.init)
    }

    /// The users of this server whose devices changed after `position` up to `upTo`, and when first.
    package static func announced(
        after position: StreamPosition, upTo: StreamPosition, on connection: any SQLConnection
    ) throws -> [(user: UserID, first: StreamPosition)] {
        try connection.rows(
            """
            SELECT user_id, min(position) FROM device_list_changes
            WHERE position > $1 AND position <= $2 AND viewer_id IS NULL AND device_id IS NOT NULL GROUP BY user_id
            """, [.int(position.value), .int(upTo.value)]
        ) { (UserID(trusted: $0.text(0)), StreamPosition($0.int(1))) }
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
