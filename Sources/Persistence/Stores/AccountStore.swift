// The accounts of this server: table `users` (migrations 2, 12, 21, 22 and 29).

import MatrixCore

/// One row of `users`.
package struct AccountRow: Sendable {
    package var user: UserID
    /// A bcrypt hash, or nil where the account has no password.
    package var passwordHash: String?
    package var created: Timestamp
    /// Synapse's user type, e.g. `bot` or `support`; nil for a person.
    package var userType: String?
    package var isAdmin = false
    package var isGuest = false
    package var isDeactivated = false
    package var isLocked = false
    package var isSuspended = false
    /// The version of the terms that the user has agreed to.
    package var consentVersion: String?
    /// When the account ends unless it is renewed.
    package var expiration: Timestamp?
    /// The id of the application service that registered the account; nil: none did.
    package var service: String?

    package init(user: UserID, passwordHash: String?, created: Timestamp, userType: String? = nil, isAdmin: Bool = false) {
        self.user = user
        self.passwordHash = passwordHash
        self.created = created
        self.userType = userType
        self.isAdmin = isAdmin
    }

    fileprivate static let columns = """
        user_id, password_hash, created_ts, user_type, is_admin, is_guest, deactivated, locked, suspended, consent_version, expiration_ts,
        appservice_id
        """

    fileprivate init(_ row: SQLRow) {
        user = UserID(trusted: row.text(0))
        passwordHash = row.optionalText(1)
        created = Timestamp(milliseconds: row.int(2))
        userType = row.optionalText(3)
        isAdmin = row.bool(4)
        isGuest = row.bool(5)
        isDeactivated = row.bool(6)
        isLocked = row.bool(7)
        isSuspended = row.bool(8)
        consentVersion = row.optionalText(9)
        expiration = row.optionalInt(10).map { Timestamp(milliseconds: $0) }
        service = row.optionalText(11)
    }
}

/// Reads and writes accounts.
package enum AccountStore {
    /// Adds an account; false if the id is taken.
    package static func insert(_ account: AccountRow, on connection: any SQLConnection) throws -> Bool {
        try connection.execute(
            """
            INSERT INTO users (user_id, folded_id, password_hash, created_ts, user_type, is_admin, is_guest, deactivated, locked, suspended,
                consent_version, consent_ts, expiration_ts, appservice_id)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14) ON CONFLICT DO NOTHING
            """,
            [
                .text(account.user.string), .text(folded(account.user)), .optional(account.passwordHash),
                .int(account.created.milliseconds), .optional(account.userType), .bool(account.isAdmin), .bool(account.isGuest),
                .bool(account.isDeactivated), .bool(account.isLocked), .bool(account.isSuspended), .optional(account.consentVersion),
                .optional(account.consentVersion == nil ? nil : account.created.milliseconds),
                .optional(account.expiration?.milliseconds), .optional(account.service),
            ]) == 1
    }

    package static func account(_ user: UserID, on connection: any SQLConnection) throws -> AccountRow? {
        try connection.first(
            SQL("SELECT \(AccountRow.columns) FROM users WHERE user_id = $1"), [.text(user.string)], AccountRow.init)
    }

    /// The accounts whose ids differ from `user` at most in the case of letters. Usually one or none;
    /// more where an imported database has accounts from before ids were lowercase.
    package static func accountsIgnoringCase(_ user: UserID, on connection: any SQLConnection) throws -> [AccountRow] {
        try connection.rows(
            SQL("SELECT \(AccountRow.columns) FROM users WHERE folded_id = $1 ORDER BY user_id LIMIT 100"), [.text(folded(user))],
            AccountRow.init)
    }

    /// Those of `users` that have an account, and whether it is deactivated.
    package static func deactivations(of users: [UserID], on connection: any SQLConnection) throws -> [UserID: Bool] {
        let rows = try connection.rows(
            "SELECT user_id, deactivated FROM users WHERE {user_id IN $1}", [.texts(users.map(\.string))]
        ) { (UserID(trusted: $0.text(0)), $0.bool(1)) }
        return Dictionary(uniqueKeysWithValues: rows)
    }

    package static func exists(_ user: UserID, on connection: any SQLConnection) throws -> Bool {
        try connection.exists("SELECT 1 FROM users WHERE user_id = $1", [.text(user.string)])
    }

    /// Sets or clears the password; false if there is no such account.
    package static func setPasswordHash(_ hash: String?, of user: UserID, on connection: any SQLConnection) throws -> Bool {
        try connection.execute(
            "UPDATE users SET password_hash = $2 WHERE user_id = $1", [.text(user.string), .optional(hash)]) == 1
    }

    /// Makes a guest's account a person's; false if there is no such guest.
    package static func promoteGuest(_ user: UserID, passwordHash: String, on connection: any SQLConnection) throws -> Bool {
        try connection.execute(
            "UPDATE users SET is_guest = false, password_hash = $2 WHERE user_id = $1 AND is_guest",
            [.text(user.string), .text(passwordHash)]) == 1
    }

    /// Whether there is a person's account besides this one.
    package static func existsOther(than user: UserID, on connection: any SQLConnection) throws -> Bool {
        try connection.exists(
            "SELECT 1 FROM users WHERE user_id <> $1 AND NOT is_guest AND user_type IS NULL LIMIT 1", [.text(user.string)])
    }

    package static func setAdmin(_ isAdmin: Bool, _ user: UserID, on connection: any SQLConnection) throws -> Bool {
        try connection.execute(
            "UPDATE users SET is_admin = $2 WHERE user_id = $1", [.text(user.string), .bool(isAdmin)]) == 1
    }

    package static func setDeactivated(_ isDeactivated: Bool, _ user: UserID, on connection: any SQLConnection) throws -> Bool {
        try connection.execute(
            "UPDATE users SET deactivated = $2 WHERE user_id = $1", [.text(user.string), .bool(isDeactivated)]) == 1
    }

    /// - Returns: false if there is no such account.
    package static func setLocked(_ isLocked: Bool, _ user: UserID, on connection: any SQLConnection) throws -> Bool {
        try connection.execute(
            "UPDATE users SET locked = $2 WHERE user_id = $1", [.text(user.string), .bool(isLocked)]) == 1
    }

    /// - Returns: false if there is no such account.
    package static func setSuspended(_ isSuspended: Bool, _ user: UserID, on connection: any SQLConnection) throws -> Bool {
        try connection.execute(
            "UPDATE users SET suspended = $2 WHERE user_id = $1", [.text(user.string), .bool(isSuspended)]) == 1
    }

    /// Notes to which version of the terms a user has agreed.
    ///
    /// - Returns: false if there is no such account.
    package static func setConsent(
        _ version: String, of user: UserID, at time: Timestamp, on connection: any SQLConnection
    ) throws -> Bool {
        try connection.execute(
            "UPDATE users SET consent_version = $2, consent_ts = $3 WHERE user_id = $1",
            [.text(user.string), .text(version), .int(time.milliseconds)]) == 1
    }

    /// Of which version of the terms a user was told; nil where there is no such account.
    package static func consentNotice(of user: UserID, on connection: any SQLConnection) throws -> String?? {
        try connection.first("SELECT consent_server_notice_sent FROM users WHERE user_id = $1", [.text(user.string)]) { $0.optionalText(0) }
    }

    package static func setConsentNotice(_ version: String, of user: UserID, on connection: any SQLConnection) throws {
        try connection.enqueue(
            "UPDATE users SET consent_server_notice_sent = $2 WHERE user_id = $1", [.text(user.string), .text(version)])
    }

    /// - Parameter isTold: the owner was told of that end, or is not to be.
    /// - Returns: false if there is no such account.
    package static func setExpiration(
        _ time: Timestamp?, of user: UserID, isTold: Bool = false, on connection: any SQLConnection
    ) throws -> Bool {
        try connection.execute(
            "UPDATE users SET expiration_ts = $2, renewal_email_sent = $3 WHERE user_id = $1",
            [.text(user.string), .optional(time?.milliseconds), .bool(isTold)]) == 1
    }

    /// Gives every living account without an end one.
    package static func setMissingExpirations(_ time: Timestamp, on connection: any SQLConnection) throws {
        try connection.enqueue(
            "UPDATE users SET expiration_ts = $1 WHERE expiration_ts IS NULL AND NOT deactivated", [.int(time.milliseconds)])
    }

    /// Stored ids are compared by this form when somebody logs in or registers.
    private static func folded(_ user: UserID) -> String { user.string.lowercased() }
}
