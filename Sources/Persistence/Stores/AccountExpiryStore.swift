// When accounts end (column `users.expiration_ts`, migration 22), and whose owners were told (`users.renewal_email_sent`, migration 28).

import MatrixCore

/// An account and when it ends.
package struct AccountEnd: Sendable, Equatable {
    package let user: UserID
    package let end: Timestamp

    package init(user: UserID, end: Timestamp) {
        self.user = user
        self.end = end
    }
}

/// Looks through the ends of accounts in their order.
package enum AccountExpiryStore {
    /// The living accounts that end until a time, of owners who can be written to and were not told, in the order of their ends.
    ///
    /// - Parameter last: only those that come after this one.
    package static func untold(
        after last: AccountEnd?, until: Timestamp, limit: Int, on connection: any SQLConnection
    ) throws -> [AccountEnd] {
        try connection.rows(
            """
            SELECT u.user_id, u.expiration_ts FROM users u
            WHERE (u.expiration_ts > $1 OR u.expiration_ts = $1 AND u.user_id > $2) AND u.expiration_ts <= $3
                AND NOT u.renewal_email_sent AND NOT u.deactivated
                AND EXISTS (SELECT 1 FROM user_threepids t WHERE t.user_id = u.user_id AND t.medium = 'email')
            ORDER BY u.expiration_ts, u.user_id LIMIT $4
            """,
            [
                .int(last?.end.milliseconds ?? .min), .text(last?.user.string ?? ""), .int(until.milliseconds), .int(Int64(limit)),
            ]
        ) { AccountEnd(user: UserID(trusted: $0.text(0)), end: Timestamp(milliseconds: $0.int(1))) }
    }

    /// Notes that somebody was told, unless the account has got another end meanwhile.
    package static func setTold(_ end: Timestamp, of user: UserID, on connection: any SQLConnection) throws {
        try connection.enqueue(
            "UPDATE users SET renewal_email_sent = true WHERE user_id = $1 AND expiration_ts = $2",
            [.text(user.string), .int(end.milliseconds)])
    }

    /// Gives an account another end, of which its owner is to be told in its time.
    ///
    /// - Returns: false where it has not the end that is to be replaced, or is deactivated.
    package static func replace(
        _ end: Timestamp, by next: Timestamp, of user: UserID, on connection: any SQLConnection
    ) throws -> Bool {
        try connection.execute(
            """
            UPDATE users SET expiration_ts = $3, renewal_email_sent = false
            WHERE user_id = $1 AND expiration_ts = $2 AND NOT deactivated
            """,
            [.text(user.string), .int(end.milliseconds), .int(next.milliseconds)]) == 1
    }
}
