// Making accounts. Client-Server API §Account registration.

import MatrixCore
import Persistence

/// Registers accounts: for clients by the flows of the policy, and for administrators.
package struct RegistrationService: Sendable {
    /// A name is made up of this many digits where the client gives none.
    private static let generatedLength = 12
    /// The longest user name and password of a request, in characters.
    private static let parameterLimit = 512
    /// What a session does not keep.
    private static let secrets = ["password", "guest_access_token"]

    let database: any Database
    let accounts: AccountService
    private let passwords: PasswordHasher
    let rateLimits: RateLimiter
    private let interactive: InteractiveAuthentication
    let policy: RegistrationPolicy
    let usage: UsageLimits
    let services: ApplicationServices
    private let autoJoin: AutoJoin?

    package init(
        database: any Database, accounts: AccountService, passwords: PasswordHasher, rateLimits: RateLimiter,
        interactive: InteractiveAuthentication, policy: RegistrationPolicy, usage: UsageLimits, services: ApplicationServices,
        autoJoin: AutoJoin? = nil
    ) {
        self.database = database
        self.accounts = accounts
        self.passwords = passwords
        self.rateLimits = rateLimits
        self.interactive = interactive
        self.policy = policy
        self.usage = usage
        self.services = services
        self.autoJoin = autoJoin
    }

    /// What a finished registration gives: the account, and the parameters of the session's requests.
    package struct Registered: Sendable {
        package let user: UserID
        package let parameters: JSONObject
    }

    /// Whether a client could register `name`.
    ///
    /// - Throws: `M_FORBIDDEN` where registration is closed, `M_INVALID_USERNAME`, `M_USER_IN_USE`, `M_LIMIT_EXCEEDED`.
    package func checkAvailable(_ name: String, from address: String) async throws {
        guard policy.isEnabled else { throw Self.disabled }
        if policy.hidesTakenNames { return }
        try rateLimits.check(.usernameAvailability, of: ByteString(address))
        _ = try await free(name)
    }

    /// Registers an account for a client; each call is one request of the user-interactive authentication.
    ///
    /// - Parameter guest: whose account becomes a person's by this.
    /// - Throws: `InteractiveAuthRequired` until the stages are done; `M_FORBIDDEN` where registration is closed;
    ///   `M_INVALID_USERNAME`, `M_USER_IN_USE`, `M_MISSING_PARAM`, `M_THREEPID_IN_USE`, `M_LIMIT_EXCEEDED`.
    package func register(_ body: JSON, path: String, from address: String, upgrading guest: UserID? = nil) async throws -> Registered {
        try rateLimits.check(.registration, of: ByteString(address), isCounted: false)
        let flows = policy.flows
        guard !flows.isEmpty else { throw Self.disabled }
        let name = try Self.string("username", in: body)?.lowercased()
        let password = try Self.string("password", in: body)
        if let password { try policy.passwords.check(password) }

        let operation = InteractiveAuthSession.Operation(method: "POST", path: path, user: nil)
        let earlier = try await interactive.session(named: body, for: operation)
        if earlier == nil { try rateLimits.check(.registrationSession, of: ByteString(address)) }
        if let name, guest ?? earlier?.guest == nil, earlier?.registeredUser?.localpart.string != name { try await checkEarly(name) }

        let session: InteractiveAuthSession
        do {
            session = try await interactive.authenticate(
                operation, body: body, flows: flows,
                secrets: Self.secrets + (password == nil ? ["initial_device_display_name"] : []), guest: guest, from: address)
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
        try rateLimits.check(.registration, of: ByteString(address))
        try await checkAllowed(session.provenThirdPartyIDs)
        let wanted = name ?? session.parameters["username"]?.string?.lowercased()
        let user: UserID
        if let guest = guest ?? session.guest {
            user = try await promote(guest, passwordHash: hash, by: session)
        } else {
            user = try await create(wanted, passwordHash: hash, by: session)
        }
        return Registered(user: user, parameters: session.parameters)
    }

    /// Registers an account at the word of an administrator: no flows and no limits.
    package func register(
        name: String, password: String, displayName: String?, isAdmin: Bool, userType: String?
    ) async throws -> UserID {
        let hash = try await passwords.hash(password)
        let user = try await free(name.lowercased())
        let account = AccountRow(user: user, passwordHash: hash, created: .now, userType: userType, isAdmin: isAdmin)
        return try await insert(account, displayName: displayName ?? user.localpart.string)
    }

    // MARK: Steps

    /// A new account's name is checked before the flow begins, so that nobody solves stages in vain.
    private func checkEarly(_ name: String) async throws {
        try check(name)
        if !policy.hidesTakenNames { _ = try await free(name) }
    }

    private func check(_ name: String) throws(MatrixError) {
        try Localpart.check(name, server: accounts.serverName, allowsUnderscore: policy.allowsUnderscore)
    }

    /// The id of a new account called `name`.
    private func free(_ name: String) async throws -> UserID {
        try check(name)
        let user = UserID(localpart: ByteString(name), server: accounts.serverName)
        try services.check(user)
        if try await accounts.isTaken(user) { throw MatrixError.userInUse }
        return user
    }

    /// Whether an account may be made with these addresses, and another account at all.
    private func checkAllowed(_ proven: [ProvenThirdPartyID]) async throws {
        guard proven.allSatisfy({ policy.options.allows($0.address, of: $0.medium) }) else { throw MatrixError.threePIDDenied }
        try await usage.checkRegistration(with: proven)
    }

    private func create(_ name: String?, passwordHash: String, by session: InteractiveAuthSession) async throws -> UserID {
        let user: UserID
        if let name {
            user = try await free(name)
        } else {
            user = UserID(localpart: ByteString(Self.generatedName()), server: accounts.serverName)
        }
        var account = AccountRow(user: user, passwordHash: passwordHash, created: .now)
        if session.completed.contains(TermsStage.type) { account.consentVersion = policy.termsAtRegistration }
        return try await insert(account, displayName: user.localpart.string, by: session)
    }

    /// Stores an account, and what follows from the session that made it, as one unit: a session makes one account.
    ///
    /// - Parameter alongside: what else is stored together with the account.
    /// - Returns: the session's account, which another request of it may have made meanwhile.
    func insert(
        _ account: AccountRow, displayName: String, by session: InteractiveAuthSession? = nil,
        alongside: @escaping @Sendable (any SQLConnection) throws -> Void = { _ in }
    ) async throws -> UserID {
        var account = account
        account.expiration = policy.validity.map { account.created.advanced(byMilliseconds: $0.milliseconds) }
        let row = account
        let earlier = try await database.write { connection -> UserID? in
            if let session, let earlier = try Self.registeredUser(of: session, on: connection) { return earlier }
            guard try AccountService.insert(row, displayName: displayName, on: connection) else { throw MatrixError.userInUse }
            if let session { try Self.finish(session, with: row.user, on: connection) }
            try alongside(connection)
            return nil
        }
        if let earlier { return earlier }
        // Who has not agreed to the terms is put into the rooms later.
        if policy.termsAtRegistration == nil || row.consentVersion != nil { await autoJoin?.join(row.user, isGuest: row.isGuest) }
        return row.user
    }

    /// The account that a session has registered already; another request of the session waits here until this transaction ends.
    static func registeredUser(of session: InteractiveAuthSession, on connection: any SQLConnection) throws -> UserID? {
        try InteractiveAuthStore.registeredUser(InteractiveAuthentication.hash(session.id), on: connection)
    }

    /// Uses up what a session has shown: its token is used, its addresses are the account's.
    static func finish(_ session: InteractiveAuthSession, with user: UserID, on connection: any SQLConnection) throws {
        let hash = InteractiveAuthentication.hash(session.id)
        try InteractiveAuthStore.setRegisteredUser(user, of: hash, on: connection)
        try InteractiveAuthStore.useToken(of: hash, on: connection)
        for proven in session.provenThirdPartyIDs {
            let row = ThirdPartyRow(medium: proven.medium, address: proven.address, validated: proven.validated, added: .now)
            guard try ThirdPartyStore.insert(row, of: user, on: connection) else { throw MatrixError.threePIDInUse }
        }
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
