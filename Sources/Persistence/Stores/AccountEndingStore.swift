// Deactivated accounts: columns of `users`, table `user_partings` (migration 12).

import MatrixCore

/// Ends accounts. Client-Server API §Deactivating accounts.
package enum AccountEndingStore {
    /// Marks an account as deactivated, without a password, and notes that its rooms are to be left. What the account kept on
    /// this server for itself goes. False if there is no such account.
    ///
    /// - Parameter erases: also hide its events from those who were not in the room with it, and remove its profile.
    package static func deactivate(_ user: UserID, erases: Bool, on connection: any SQLConnection) throws -> Bool {
        let id: [SQLValue] = [.text(user.string)]
        let count = try connection.execute(
            "UPDATE users SET deactivated = true, password_hash = NULL, erased = (erased OR $2) WHERE user_id = $1", id + [.bool(erases)])
        guard count == 1 else { return false }
        try connection.enqueue("INSERT INTO user_partings (user_id) VALUES ($1) ON CONFLICT DO NOTHING", id)
        try connection.enqueue("DELETE FROM account_data WHERE user_id = $1", id)
        try connection.enqueue("DELETE FROM push_rules WHERE user_id = $1", id)
        try CrossSigningStore.deleteAll(of: user, on: connection)
        try KeyBackupStore.deleteAll(of: user, on: connection)
        try ThreadSubscriptionStore.deleteAll(of: user, on: connection)
        try ThirdPartyStore.deleteAll(of: user, on: connection)
        try UserAddressStore.deleteAll(of: user, on: connection)
        try MonthlyUserStore.delete([user], on: connection)
        try RateLimitStore.delete(of: user, on: connection)
        if erases { try connection.enqueue("DELETE FROM profile_fields WHERE user_id = $1", id) }
        return true
    }

    /// Takes the mark of an ended account away, and with it that its events are hidden. False if there is no such account.
    package static func reactivate(_ user: UserID, on connection: any SQLConnection) throws -> Bool {
        let id: [SQLValue] = [.text(user.string)]
        let count = try connection.execute("UPDATE users SET deactivated = false, erased = false WHERE user_id = $1", id)
        try connection.enqueue("DELETE FROM user_partings WHERE user_id = $1", id)
        return count == 1
    }

    /// The users who had what they said erased.
    package static func erasedUsers(on connection: any SQLConnection) throws -> [UserID] {
        try connection.rows("SELECT user_id FROM users WHERE erased", []) { UserID(trusted: $0.text(0)) }
    }

    /// The accounts that have rooms to leave.
    package static func partings(on connection: any SQLConnection) throws -> [UserID] {
        try connection.rows("SELECT user_id FROM user_partings ORDER BY user_id LIMIT 1000", []) { UserID(trusted: $0.text(0)) }
    }

    package static func finishParting(of user: UserID, on connection: any SQLConnection) throws {
        try connection.enqueue("DELETE FROM user_partings WHERE user_id = $1", [.text(user.string)])
    }

    /// Those of `users` whose events are hidden from people who were not there with them.
    package static func erased(among users: [UserID], on connection: any SQLConnection) throws -> Set<UserID> {
        let condition = connection.dialect.contains("user_id", 1, .texts)
        return Set(
            try connection.rows(
                SQL("SELECT user_id FROM users WHERE erased AND \(condition)"), [.texts(users.map(\.string))]
            ) { UserID(trusted: $0.text(0)) })
    }
}
