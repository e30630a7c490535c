// Who was here within a month: table `monthly_active_users` (migration 22).

import MatrixCore

/// Reads and writes the people who count as active.
package enum MonthlyUserStore {
    package static func users(on connection: any SQLConnection) throws -> [UserID: Timestamp] {
        let rows = try connection.rows("SELECT user_id, last_active_ts FROM monthly_active_users", []) {
            (UserID(trusted: $0.text(0)), Timestamp(milliseconds: $0.int(1)))
        }
        return Dictionary(uniqueKeysWithValues: rows)
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
