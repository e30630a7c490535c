// Making accounts. Client-Server API §Account registration.

import MatrixCore
import Persistence

/// Registers accounts: for clients by the flows of the policy, and for administrators.
package struct RegistrationService: Sendable {
    /// A name is made up of this many digits where the client gives none.
    private static let generatedLength = 12
    /// The longest user name and password of a request, in characters.
    private static let parameterLimit = 512

    let accounts: AccountService
    private let passwords: PasswordHasher
    let rateLimits: RateLimiter
    private let interactive: InteractiveAuthentication
    let policy: RegistrationPolicy
    private let autoJoin: AutoJoin?

    package init(
        accounts: AccountService, passwords: PasswordHasher, rateLimits: RateLimiter, interactive: InteractiveAuthentication,
        policy: RegistrationPolicy, autoJoin: AutoJoin? = nil
    ) {
        self.accounts = accounts
        self.passwords = passwords
        self.rateLimits = rateLimits
        self.interactive = interactive
        self.policy = policy
        self.autoJoin = autoJoin
    }

    /// What a finished registration gives: the account, and the parameters of the session's requests.
    package struct Registered: Sendable {
        package let user: UserID
        package let parameters: JSONObject
    }

    /// Whether a client could register `name`.
    ///
    /// - Throws: `M_FORBIDDEN` where registration is closed, `M_INVALID_USERNAME`, `M_USER_IN_USE`.
    package func checkAvailable(_ name: String) async throws {
        guard !policy.flows.isEmpty else { throw Self.disabled }
        if policy.hidesTakenNames { return }
        _ = try await free(name)
    }

    /// Registers an account for a client; each call is one request of the user-interactive authentication.
    ///
    /// - Throws: `InteractiveAuthRequired` until the stages are done; `M_FORBIDDEN` where registration is closed;
    ///   `M_INVALID_USERNAME`, `M_USER_IN_USE`, `M_MISSING_PARAM`, `M_LIMIT_EXCEEDED`.
    ///
    /// - Parameter guest: whose account becomes a person's by this.
    package func register(_ body: JSON, path: String, from address: String, upgrading guest: UserID? = nil) async throws -> Registered {
        try rateLimits.check(.registration, of: ByteString(address), isCounted: false)
        let flows = policy.flows
        guard !flows.isEmpty else { throw Self.disabled }
        let name = try Self.string("username", in: body)?.lowercased()
        let password = try Self.string("password", in: body)
        if let password { try policy.passwords.check(password) }

        let operation = InteractiveAuthSession.Operation(method: "POST", path: path, user: nil)
        let earlier = try await interactive.session(named: body, for: operation)
        if let name, guest == nil, earlier?.registeredUser?.localpart.string != name { try await checkEarly(name) }

        let session: InteractiveAuthSession
        do {
            session = try await interactive.authenticate(
                operation, body: body, flows: flows, secrets: password == nil ? ["password", "initial_device_display_name"] : ["password"]
            ) { stage, _ in
                guard stage == "m.login.dummy" else { throw MatrixError.unknown("Unknown stage", status: 400) }
                return nil
            }
        } catch let challenge as InteractiveAuthRequired {
            try await interactive.keep(password, of: challenge, hashedBy: passwords)
            throw challenge
        }
        if let user = session.registeredUser { return Registered(user: user, parameters: session.parameters) }
        let hash: String
        if let password {
            hash = try await passwords.hash(password)
        } else if let kept = session.passwordHash {
            hash = kept
        } else {
            throw MatrixError.missingParam("Missing params: password")
        }
        let wanted = name ?? session.parameters["username"]?.string?.lowercased()
        try rateLimits.check(.registration, of: ByteString(address))
        let user: UserID
        if let guest { user = try await promote(guest, passwordHash: hash) } else { user = try await create(wanted, passwordHash: hash) }
        await interactive.setRegisteredUser(user, session: session.id)
        return Registered(user: user, parameters: session.parameters)
    }

    /// Registers an account at the word of an administrator: no flows and no limits.
    package func register(
        name: String, password: String, displayName: String?, isAdmin: Bool, userType: String?
    ) async throws -> UserID {
        let hash = try await passwords.hash(password)
        let user = try await free(name.lowercased())
        return try await insert(
            AccountRow(user: user, passwordHash: hash, created: .now, userType: userType, isAdmin: isAdmin),
            displayName: displayName ?? user.localpart.string)
    }

    // MARK: Steps

    /// A new account's name is checked before the flow begins, so that nobody solves stages in vain.
    private func checkEarly(_ name: String) async throws {
        try Localpart.check(name, server: accounts.serverName)
        if !policy.hidesTakenNames { _ = try await free(name) }
    }

    /// The id of a new account called `name`.
    private func free(_ name: String) async throws -> UserID {
        try Localpart.check(name, server: accounts.serverName)
        let user = UserID(localpart: ByteString(name), server: accounts.serverName)
        if try await accounts.isTaken(user) { throw MatrixError.userInUse }
        return user
    }

    private func create(_ name: String?, passwordHash: String) async throws -> UserID {
        let user: UserID
        if let name {
            user = try await free(name)
        } else {
            user = UserID(localpart: ByteString(Self.generatedName()), server: accounts.serverName)
        }
        return try await insert(
            AccountRow(user: user, passwordHash: passwordHash, created: .now), displayName: user.localpart.string)
    }

    func insert(_ account: AccountRow, displayName: String) async throws -> UserID {
        guard try await accounts.create(account, displayName: displayName) else { throw MatrixError.userInUse }
        await autoJoin?.join(account.user, isGuest: account.isGuest)
        return account.user
    }

    /// Digits, as Synapse gives: no person can register such a name, so none is taken by chance.
    static func generatedName() -> String {
        var generator = SystemRandomNumberGenerator()
        return (0..<generatedLength).map { _ in String(Int.random(in: 0...9, using: &generator)) }.joined()
    }

    private static func string(_ key: String, in body: JSON) throws(MatrixError) -> String? {
        guard let value = body[key], !value.isNull else { return nil }
        guard let text = value.string, text.unicodeScalars.count <= parameterLimit else { throw .invalidParam("Invalid \(key)") }
        return text
    }

    private static var disabled: MatrixError { .forbidden("Registration has been disabled") }
}
