// Who has rate limits of their own: table `ratelimit_overrides` (migration 22).

import MatrixCore

/// One row of `ratelimit_overrides`. Zero for both: no limits at all.
package struct RateLimitOverrideRow: Sendable, Equatable {
    package var messagesPerSecond: Int64
    package var burstCount: Int64

    package init(messagesPerSecond: Int64, burstCount: Int64) {
        self.messagesPerSecond = messagesPerSecond
        self.burstCount = burstCount
    }
}

/// Reads and writes overrides.
package enum RateLimitStore {
    package static func overrides(on connection: any SQLConnection) throws -> [UserID: RateLimitOverrideRow] {
        let rows = try connection.rows("SELECT user_id, messages_per_second, burst_count FROM ratelimit_overrides", []) {
            (UserID(trusted: $0.text(0)), RateLimitOverrideRow(messagesPerSecond: $0.int(1), burstCount: $0.int(2)))
        }
        return Dictionary(uniqueKeysWithValues: rows)
    }

    package static func put(_ row: RateLimitOverrideRow, of user: UserID, on connection: any SQLConnection) throws {
        try connection.enqueue(
            """
            INSERT INTO ratelimit_overrides (user_id, messages_per_second, burst_count) VALUES ($1, $2, $3)
            ON CONFLICT (user_id) DO UPDATE SET messages_per_second = excluded.messages_per_second, burst_count = excluded.burst_count
            """, [.text(user.string), .int(row.messagesPerSecond), .int(row.burstCount)])
    }

    package static func delete(of user: UserID, on connection: any SQLConnection) throws {
        try connection.enqueue("DELETE FROM ratelimit_overrides WHERE user_id = $1", [.text(user.string)])
    }
}
