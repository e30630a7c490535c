// Who somebody is, by their password or by what else is offered. Client-Server API §Login, §Password-based.

import MatrixCore
import Persistence

/// Checks who logs in: passwords, also for stages of user-interactive authentication, and further methods.
package struct LoginService: Sendable {
    private static let refusal = "Invalid username or password"

    private let accounts: AccountService
    private let passwords: PasswordHasher
    private let rateLimits: RateLimiter
    private let isEnabled: Bool
    private let isReauthenticationEnabled: Bool
    private var methods: [any LoginMethod] = []
    /// What `GET /login` offers.
    package private(set) var flows: [LoginFlow]

    /// - Parameters:
    ///   - isEnabled: whether a password logs in (`password_config.enabled`).
    ///   - isReauthenticationEnabled: whether it proves who somebody is that is logged in; nil: as the former.
    package init(
        accounts: AccountService, passwords: PasswordHasher, rateLimits: RateLimiter, isEnabled: Bool,
        isReauthenticationEnabled: Bool? = nil
    ) {
        self.accounts = accounts
        self.passwords = passwords
        self.rateLimits = rateLimits
        self.isEnabled = isEnabled
        self.isReauthenticationEnabled = isReauthenticationEnabled ?? isEnabled
        flows = isEnabled ? [LoginFlow(PasswordStage.type)] : []
    }

    /// The same with further ways to log in, which are offered before the password.
    package func offering(_ methods: [any LoginMethod], flows: [LoginFlow]) -> LoginService {
        var service = self
        service.methods += methods
        service.flows = flows + self.flows
        return service
    }

    /// Who logs in, within the limits on logins from `address` and into one account.
    ///
    /// - Throws: `M_FORBIDDEN` for a wrong password or an unknown account, `M_USER_DEACTIVATED`, `M_USER_LOCKED`,
    ///   `M_LIMIT_EXCEEDED`, or what is wrong with the submission.
    package func logIn(_ submission: JSON, from address: String) async throws -> LoginIdentity {
        guard let type = submission["type"] else { throw MatrixError.missingParam("Missing JSON keys.") }
        guard let type = type.string else { throw MatrixError.invalidParam("Bad parameter: type") }
        try rateLimits.check(.loginAddress, of: ByteString(address))
        let (identity, account) = try await identify(submission, type: type)
        try rateLimits.check(.loginAccount, of: ByteString(account.user.string.lowercased()))
        if account.isDeactivated { throw MatrixError.userDeactivated }
        if account.isLocked { throw MatrixError.userLocked }
        return identity
    }

    /// Checks an `m.login.password` stage, and tells whose password it is. Failures are counted apart from those of logins: who is
    /// logged in does not lock out others.
    package func verifyStage(_ auth: JSON) async throws -> UserID {
        guard isReauthenticationEnabled else { throw Self.disabled }
        return try await verify(auth, failures: .reauthenticationFailures).user
    }

    /// The stages of user-interactive authentication by which a user can show who they are.
    package func reauthenticationStages(for user: UserID) async throws -> [String] {
        guard isReauthenticationEnabled, try await accounts.account(user)?.passwordHash != nil else { return [] }
        return [PasswordStage.type]
    }

    // MARK: Steps

    private func identify(_ submission: JSON, type: String) async throws -> (LoginIdentity, AccountRow) {
        if type == PasswordStage.type {
            guard isEnabled else { throw Self.disabled }
            let account = try await verify(submission, failures: .loginFailedAttempts)
            return (LoginIdentity(user: account.user), account)
        }
        guard let method = methods.first(where: { $0.type == type }) else {
            throw MatrixError.unknown("Unknown login type \(type.prefix(64))", status: 400)
        }
        let identity = try await method.identify(submission)
        guard let account = try await accounts.account(identity.user) else { throw MatrixError.forbidden("There is no such account") }
        return (identity, account)
    }

    private func verify(_ submission: JSON, failures: RateLimitedAction) async throws -> AccountRow {
        guard let password = submission["password"]?.string else { throw MatrixError.invalidParam("Bad parameter: password") }
        switch try LoginIdentifier(submission: submission) {
        case .user(let name):
            let subject = ByteString((name.hasPrefix("@") ? name : "@\(name):\(accounts.serverName)").lowercased())
            return try await verify(password, subject: subject, failures: failures) { try await account(named: name) }
        case .thirdParty(let medium, let address):
            let address = ThirdPartyIdentifiers.canonical(medium, address)
            return try await verify(password, subject: ByteString("\(medium):\(address)"), failures: failures) {
                try await accounts.account(medium: medium, address: address)
            }
        }
    }

    /// - Parameter subject: what failures are counted for: the name or address that was given, whether or not there is an account.
    private func verify(
        _ password: String, subject: ByteString, failures: RateLimitedAction, _ find: () async throws -> AccountRow?
    ) async throws -> AccountRow {
        try rateLimits.check(failures, of: subject, isCounted: false)
        let account = try await find()
        guard try await passwords.verify(password, against: account?.passwordHash), let account else {
            rateLimits.note(failures, of: subject)
            throw MatrixError.forbidden(Self.refusal)
        }
        return account
    }

    private static var disabled: MatrixError { .unknown("Password login has been disabled.", status: 400) }

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
