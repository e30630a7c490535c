// Who somebody is, by their password. Client-Server API §Password-based.

import MatrixCore
import Persistence

/// Checks passwords, for logins and for stages of user-interactive authentication.
package struct LoginService: Sendable {
    private static let refusal = "Invalid username or password"

    private let accounts: AccountService
    private let passwords: PasswordHasher
    private let rateLimits: RateLimiter
    private let isEnabled: Bool

    /// - Parameter isEnabled: `password_config.enabled`.
    package init(accounts: AccountService, passwords: PasswordHasher, rateLimits: RateLimiter, isEnabled: Bool) {
        self.accounts = accounts
        self.passwords = passwords
        self.rateLimits = rateLimits
        self.isEnabled = isEnabled
    }

    /// The types that `GET /login` offers.
    package var types: [String] { isEnabled ? ["m.login.password"] : [] }

    /// The account of a login, within the limits on logins from `address` and into one account.
    ///
    /// - Throws: `M_FORBIDDEN` for a wrong password or an unknown account, `M_USER_DEACTIVATED`, `M_USER_LOCKED`,
    ///   `M_LIMIT_EXCEEDED`, or what is wrong with the submission.
    package func logIn(_ submission: JSON, from address: String) async throws -> UserID {
        guard let type = submission["type"] else { throw MatrixError.missingParam("Missing JSON keys.") }
        guard let type = type.string else { throw MatrixError.invalidParam("Bad parameter: type") }
        try rateLimits.check(.loginAddress, of: ByteString(address))
        guard type == "m.login.password" else { throw MatrixError.unknown("Unknown login type \(type.prefix(64))", status: 400) }
        let account = try await verify(submission)
        try rateLimits.check(.loginAccount, of: ByteString(account.user.string.lowercased()))
        if account.isDeactivated { throw MatrixError.userDeactivated }
        if account.isLocked { throw MatrixError.userLocked }
        return account.user
    }

    /// Checks an `m.login.password` stage, and tells whose password it is.
    package func verifyStage(_ auth: JSON) async throws -> UserID {
        try await verify(auth).user
    }

    // MARK: Steps

    private func verify(_ submission: JSON) async throws -> AccountRow {
        guard isEnabled else { throw MatrixError.unknown("Password login has been disabled.", status: 400) }
        guard let password = submission["password"]?.string else { throw MatrixError.invalidParam("Bad parameter: password") }
        switch try LoginIdentifier(submission: submission) {
        case .user(let name):
            return try await verify(password, of: name)
        case .thirdParty(let medium, let address):
            // No address is known to this server; it answers as it does for an unknown name.
            let subject = ByteString("\(medium):\(address)")
            try rateLimits.check(.loginFailedAttempts, of: subject, isCounted: false)
            _ = try await passwords.verify(password, against: nil)
            rateLimits.note(.loginFailedAttempts, of: subject)
            throw MatrixError.forbidden(Self.refusal)
        }
    }

    private func verify(_ password: String, of name: String) async throws -> AccountRow {
        let subject = ByteString((name.hasPrefix("@") ? name : "@\(name):\(accounts.serverName)").lowercased())
        try rateLimits.check(.loginFailedAttempts, of: subject, isCounted: false)
        let account = try await account(named: name)
        guard try await passwords.verify(password, against: account?.passwordHash), let account else {
            rateLimits.note(.loginFailedAttempts, of: subject)
            throw MatrixError.forbidden(Self.refusal)
        }
        return account
    }

    /// The account that a login's `user` means; nil where it is none of this server's.
    private func account(named name: String) async throws -> AccountRow? {
        let text = name.hasPrefix("@") ? name : "@\(name):\(accounts.serverName)"
        let user: UserID
        do {
            user = try UserID(parsing: text)
        } catch {
            return nil
        }
        return try await accounts.accountIgnoringCase(user)
    }
}
