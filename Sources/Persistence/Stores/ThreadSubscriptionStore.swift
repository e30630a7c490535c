// Threads that people follow: table `thread_subscriptions` (migration 13).

import MatrixCore

/// Which thread, and who.
package struct ThreadSubscriptionKey: Sendable, Hashable {
    package let user: UserID
    package let room: RoomID
    package let root: EventID

    package init(user: UserID, room: RoomID, root: EventID) {
        self.user = user
        self.room = room
        self.root = root
    }
}

/// How a user stands to a thread.
package enum ThreadSubscription: Sendable, Hashable {
    /// - automatic: the client subscribed by itself, e.g. because of a mention.
    case subscribed(automatic: Bool)
    /// - at: the newest position when it happened.
    case unsubscribed(at: StreamPosition)
}

/// One row of `thread_subscriptions`.
package struct ThreadSubscriptionRow: Sendable {
    package let room: RoomID
    package let root: EventID
    package let subscription: ThreadSubscription
    package let position: StreamPosition
}

/// Reads and writes thread subscriptions. MSC4306.
package enum ThreadSubscriptionStore {
    package static func set(
        _ subscription: ThreadSubscription, _ key: ThreadSubscriptionKey, at position: StreamPosition, on connection: any SQLConnection
    ) throws {
        var isAutomatic = false
        var unsubscribedAt: StreamPosition?
        switch subscription {
        case .subscribed(let automatic): isAutomatic = automatic
        case .unsubscribed(let end): unsubscribedAt = end
        }
        try connection.enqueue(
            """
            INSERT INTO thread_subscriptions (user_id, room_id, root_id, automatic, unsubscribed_at, position)
            VALUES ($1, $2, $3, $4, $5, $6)
            ON CONFLICT (user_id, room_id, root_id) DO UPDATE SET
                automatic = excluded.automatic, unsubscribed_at = excluded.unsubscribed_at, position = excluded.position
            """,
            [
                .text(key.user.string), .text(key.room.string), .text(key.root.string), .bool(isAutomatic),
                .optional(unsubscribedAt?.value), .int(position.value),
            ])
    }

    package static func subscription(_ key: ThreadSubscriptionKey, on connection: any SQLConnection) throws -> ThreadSubscription? {
        try connection.first(
            """
            SELECT automatic, unsubscribed_at FROM thread_subscriptions WHERE user_id = $1 AND room_id = $2 AND root_id = $3
            """, [.text(key.user.string), .text(key.room.string), .text(key.root.string)]
        ) { subscription($0.bool(0), $0.optionalInt(1)) }
    }

    /// Which of these threads of a room the user is subscribed to.
    package static func subscribed(
        _ user: UserID, to roots: Set<EventID>, in room: RoomID, on connection: any SQLConnection
    ) throws -> Set<EventID> {
        guard !roots.isEmpty else { return [] }
        let rows = try connection.rows(
            "SELECT root_id FROM thread_subscriptions WHERE user_id = $1 AND room_id = $2 AND {root_id IN $3} AND unsubscribed_at IS NULL",
            [.text(user.string), .text(room.string), .texts(roots.map(\.string))]
        ) { EventID(trusted: $0.text(0)) }
        return Set(rows)
    }

    /// The newest changes with `after < position <= upTo`, at most `limit`, newest first.
    package static func changes(
        of user: UserID, after: StreamPosition, upTo: StreamPosition, limit: Int, on connection: any SQLConnection
    ) throws -> [ThreadSubscriptionRow] {
        try connection.rows(
            """
            SELECT room_id, root_id, automatic, unsubscribed_at, position FROM thread_subscriptions
            WHERE user_id = $1 AND position > $2 AND position <= $3 ORDER BY position DESC LIMIT $4
            """, [.text(user.string), .int(after.value), .int(upTo.value), .int(limit)]
        ) { row in
            ThreadSubscriptionRow(
                room: RoomID(trusted: row.text(0)), root: EventID(trusted: row.text(1)),
                subscription: subscription(row.bool(2), row.optionalInt(3)), position: StreamPosition(row.int(4)))
        }
    }

    package static func deleteAll(of user: UserID, on connection: any SQLConnection) throws {
        try connection.enqueue("DELETE FROM thread_subscriptions WHERE user_id = $1", [.text(user.string)])
    }

    private static func subscription(_ isAutomatic: Bool, _ unsubscribedAt: Int64?) -> ThreadSubscription {
        guard let unsubscribedAt else { return .subscribed(automatic: isAutomatic) }
        return .unsubscribed(at: StreamPosition(unsubscribedAt))
    }
}
