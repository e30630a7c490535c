// Who was here within a month: table `monthly_active_users` (migration 22).

import MatrixCore

/// Reads and writes the people who count as active.
package enum MonthlyUserStore {
    /// One row: who was here, when last, and whether they are a user of an application service.
    package struct Row: Sendable {
        package let user: UserID
        package let lastActive: Timestamp
        package let isUserOfService: Bool

        package init(user: UserID, lastActive: Timestamp, isUserOfService: Bool) {
            self.user = user
            self.lastActive = lastActive
            self.isUserOfService = isUserOfService
        }
    }

    package static func users(on connection: any SQLConnection) throws -> [Row] {
        try connection.rows(
            """
            SELECT m.user_id, m.last_active_ts, u.appservice_id IS NOT NULL
            FROM monthly_active_users m LEFT JOIN users u ON u.user_id = m.user_id
            """, []
        ) {
            Row(user: UserID(trusted: $0.text(0)), lastActive: Timestamp(milliseconds: $0.int(1)), isUserOfService: $0.bool(2))
        }
    }

    package static func put(_ users: [UserID], at time: Timestamp, on connection: any SQLConnection) throws {
        for user in users {
            try connection.enqueue(
                """
                INSERT INTO monthly_active_users (user_id, last_active_ts) VALUES ($1, $2)
                ON CONFLICT (user_id) DO UPDATE SET last_active_ts = excluded.last_active_ts
                """, [.text(user.string), .int(time.milliseconds)])
        }
    }

    package static func delete(_ users: [UserID], on connection: any SQLConnection) throws {
        try connection.enqueue("DELETE FROM monthly_active_users WHERE {user_id IN $1}", [.texts(users.map(\.string))])
    }
}
