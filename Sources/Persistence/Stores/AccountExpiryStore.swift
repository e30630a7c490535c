// When accounts end (column `users.expiration_ts`, migration 22), and whose owners were told.

import MatrixCore

/// Looks through the ends of accounts in their order.
package enum AccountExpiryStore {
    /// Under which the mark stands in `commit_readers`: it, too, says how far somebody has come who goes through something in order; here,
    /// through time, in ms since the epoch.
    private static let mark = "account_expiry_notices"

    /// The living accounts that end in a time, in the order of their ends.
    ///
    /// - Parameters:
    ///   - after: accounts that end later.
    ///   - user: and those that end just then, of users after this one.
    package static func ending(
        after: Timestamp, _ user: UserID?, until: Timestamp, limit: Int, on connection: any SQLConnection
    ) throws -> [(user: UserID, end: Timestamp)] {
        try connection.rows(
            """
            SELECT user_id, expiration_ts FROM users
            WHERE (expiration_ts > $1 OR expiration_ts = $1 AND user_id > $2) AND expiration_ts <= $3 AND NOT deactivated
            ORDER BY expiration_ts, user_id LIMIT $4
            """,
            [
                .int(after.milliseconds), .text(user?.string ?? "\u{10FFFF}"), .int(until.milliseconds), .int(Int64(limit)),
            ]
        ) { (UserID(trusted: $0.text(0)), Timestamp(milliseconds: $0.int(1))) }
    }

    /// Up to which end the owners of accounts were told; nil where nobody was yet.
    package static func toldUntil(on connection: any SQLConnection) throws -> Timestamp? {
        try CommitReaderStore.position(of: mark, on: connection).map { Timestamp(milliseconds: $0.value) }
    }

    package static func setTold(until end: Timestamp, on connection: any SQLConnection) throws {
        try CommitReaderStore.setPosition(StreamPosition(end.milliseconds), of: mark, on: connection)
    }

    /// Gives an account another end.
    ///
    /// - Returns: false where it has not the end that is to be replaced, or is deactivated.
    package static func replace(
        _ end: Timestamp, by next: Timestamp, of user: UserID, on connection: any SQLConnection
    ) throws -> Bool {
        try connection.execute(
            "UPDATE users SET expiration_ts = $3 WHERE user_id = $1 AND expiration_ts = $2 AND NOT deactivated",
            [.text(user.string), .int(end.milliseconds), .int(next.milliseconds)]) == 1
    }
}
