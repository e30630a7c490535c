// Logins by providers: from the client's request to the token that it gets. Client-Server API §SSO client login/authentication.

import Federation
import Logging
import MatrixCore
import Persistence
import Rooms
import ServerConfiguration

/// Leads browsers to providers and back, and finds or makes the accounts of those who come.
package struct SingleSignOn: Sendable {
    /// How long the client has to use its token.
    private static let tokenLifetime: Duration = .seconds(120)
    /// How many names are tried for a new account.
    private static let nameLimit = 1000

    package let providers: [any IdentityProvider]
    let database: any Database
    let accounts: AccountService
    let registration: RegistrationService
    let profiles: ProfileService
    let loginTokens: LoginTokens
    let sessions: SessionService
    let registrations: SignOnRegistrations
    /// nil: this server keeps no media.
    private let pictures: ProviderPictures?
    let logger: Logger
    private let options: SingleSignOnConfiguration
    private let publicBaseURL: String
    /// A person who comes twice at once gets one account.
    private let people = KeyedQueue<ByteString>()

    package init(
        _ configuration: ServerConfiguration, providers: [any IdentityProvider], database: any Database, accounts: AccountService,
        registration: RegistrationService, profiles: ProfileService, pictures: ProviderPictures? = nil, loginTokens: LoginTokens,
        sessions: SessionService, logger: Logger
    ) {
        self.pictures = pictures
        self.providers = providers
        self.database = database
        self.accounts = accounts
        self.registration = registration
        self.profiles = profiles
        self.loginTokens = loginTokens
        self.sessions = sessions
        self.logger = logger
        registrations = SignOnRegistrations(database: database)
        options = configuration.login.singleSignOn
        publicBaseURL = configuration.publicBaseURL
    }

    package func provider(_ id: String) -> (any IdentityProvider)? { providers.first { $0.appearance.id == id } }

    // MARK: The beginning

    /// Where a client's request for single sign-on leads.
    ///
    /// - Parameters:
    ///   - id: the provider that the client has chosen.
    ///   - address: where the client wants the browser back.
    /// - Throws: `M_UNRECOGNIZED` without any provider, `M_NOT_FOUND` for an unknown one, `M_INVALID_PARAM`; `SignOnFailure`.
    package func begin(_ id: String?, client address: String, query: (String) -> String?) async throws -> SignOnAnswer {
        guard let first = providers.first else {
            throw MatrixError(status: 400, errcode: "M_UNRECOGNIZED", message: "Homeserver not configured for SSO.")
        }
        let client = try Self.client(address)
        if let id {
            guard let provider = provider(id) else { throw MatrixError.notFound("Unknown identity provider") }
            return try await provider.begin(.login(client: client), query: query)
        }
        guard providers.count > 1 else { return try await first.begin(.login(client: client), query: query) }
        return .redirect("/_synapse/client/pick_idp?redirectUrl=\(PercentEncoding.encode(client.address))")
    }

    /// The page with all providers, or where the choice of one leads.
    package func pick(_ id: String?, client address: String) throws -> SignOnAnswer {
        let client = try Self.client(address)
        guard let id else {
            return .page(
                "sso_login_idp_picker.html",
                ["redirect_url": .string(client.address), "providers": .array(providers.map { $0.appearance.templateValue })])
        }
        guard let provider = provider(id) else { throw SignOnFailure("unknown_idp", "Unknown identity provider ID") }
        let query = "redirectUrl=\(PercentEncoding.encode(client.address))"
        return .redirect("\(publicBaseURL)_matrix/client/v3/login/sso/redirect/\(provider.appearance.id)?\(query)")
    }

    private static func client(_ address: String) throws(MatrixError) -> ClientRedirect {
        guard let client = ClientRedirect(address) else {
            throw .invalidParam("redirectUrl is no address that a login can lead to")
        }
        return client
    }

    // MARK: The end

    /// Logs somebody in who has shown who they are: finds their account, makes it, or asks what is needed to make it.
    ///
    /// - Throws: `SignOnFailure`.
    package func complete(_ person: SignOnPerson, client: ClientRedirect) async throws -> SignOnAnswer {
        guard !person.subject.isEmpty, !person.subject.utf8.contains(0) else {
            throw SignOnFailure("mapping_error", "The provider does not say who the user is")
        }
        return try await people.run(ByteString("\(person.provider.provider)\n\(person.subject)")) {
            if let user = try await account(of: person) {
                if options.updatesProfile { try await updateProfile(of: user, person) }
                return try await finish(user, person.provider, person.extraAttributes, client: client, isNew: false)
            }
            guard person.isRegistrationEnabled else {
                throw SignOnFailure("mapping_error", "User does not exist and registrations are disabled")
            }
            let attributes = try await freeAttributes(of: person)
            let registration = SignOnRegistration(person, attributes, client: client)
            if let next = nextStep(of: registration) {
                return SignOnAnswer(.redirect(next), cookies: [try await registrations.begin(registration)])
            }
            return try await register(registration)
        }
    }

    /// Where somebody goes who still has something to say; nil where the account can be made.
    func nextStep(of registration: SignOnRegistration) -> String? {
        if registration.localpart == nil || !registration.isConfirmed { return "/_synapse/client/pick_username/account_details" }
        if let version = termsVersion, registration.termsVersion != version { return "/_synapse/client/new_user_consent" }
        return nil
    }

    /// The version of the terms that new users have to agree to; nil: there are none.
    var termsVersion: String? { registration.policy.termsAtRegistration }

    /// Makes the account.
    func register(_ registration: SignOnRegistration) async throws -> SignOnAnswer {
        guard let localpart = registration.localpart else { throw Self.noName }
        let (provider, subject) = (registration.provider.provider, registration.subject)
        let now = Timestamp.now
        let addresses = registration.usedEmails.map {
            ThirdPartyRow(
                medium: EmailAddress.medium, address: ThirdPartyIdentifiers.canonical(EmailAddress.medium, $0), validated: now, added: now)
        }
        let user: UserID
        do {
            user = try await self.registration.register(
                externalName: localpart, displayName: registration.usesDisplayName ? registration.displayName : nil,
                termsVersion: registration.termsVersion
            ) { user, connection in
                guard try ExternalIDStore.insert(provider, subject, user: user, on: connection) else {
                    throw SignOnFailure("mapping_error", "The user has an account already")
                }
                // An address that somebody else has shown to be theirs stays theirs.
                for row in addresses { _ = try ThirdPartyStore.insert(row, of: user, on: connection) }
            }
        } catch let error as MatrixError where error.status < 500 {
            throw SignOnFailure("mapping_error", error.message)
        }
        logger.info("an account was made by single sign-on", metadata: ["user": "\(user)", "provider": "\(provider)"])
        if registration.usesPicture, let picture = registration.picture { await pictures?.take(picture, for: user) }
        return try await finish(
            user, registration.provider, registration.extraAttributes, client: registration.client, isNew: true)
    }

    // MARK: Steps

    /// The account that is known to be somebody's, or that becomes so because it has their name.
    private func account(of person: SignOnPerson) async throws -> UserID? {
        let (provider, subject) = (person.provider.provider, person.subject)
        if let user = try await database.read({ try ExternalIDStore.user(provider, subject, on: $0) }) { return user }
        guard person.mayTakeExistingAccount, let localpart = try person.attributes(0).localpart else { return nil }
        let name = UserID(localpart: ByteString(localpart), server: accounts.serverName)
        guard let account = try await accounts.accountIgnoringCase(name) else { return nil }
        _ = try await database.write { try ExternalIDStore.insert(provider, subject, user: account.user, on: $0) }
        logger.info("an account was tied to a provider", metadata: ["user": "\(account.user)", "provider": "\(provider)"])
        return account.user
    }

    /// What the account of somebody is to be like, with a name that nobody has.
    private func freeAttributes(of person: SignOnPerson) async throws -> SignOnAttributes {
        for failures in 0..<Self.nameLimit {
            let attributes = try person.attributes(failures)
            guard let localpart = attributes.localpart else { return attributes }
            let user = UserID(localpart: ByteString(localpart), server: accounts.serverName)
            if try await !accounts.isTaken(user) { return attributes }
        }
        throw SignOnFailure("mapping_error", "Unable to generate a Matrix ID from the SSO response")
    }

    private func updateProfile(of user: UserID, _ person: SignOnPerson) async throws {
        let attributes = try person.attributes(0)
        if let picture = attributes.picture { await pictures?.take(picture, for: user) }
        guard let name = attributes.displayName else { return }
        try await profiles.set(
            ProfileField.displayName, to: try JSONDocument(parsing: JSONValue.string(name).canonicalBytes).root, of: user,
            by: Requester(user: user, device: nil, isAdmin: true))
    }

    /// Sends the browser back to the client with a token: at once where the operator trusts the client, and else with the user's consent.
    private func finish(
        _ user: UserID, _ provider: ProviderSession, _ extraAttributes: JSONObject, client: ClientRedirect, isNew: Bool
    ) async throws -> SignOnAnswer {
        guard let account = try await accounts.account(user), !account.isDeactivated else {
            return .page("sso_account_deactivated.html", [:], status: 403)
        }
        let attributes = extraAttributes.isEmpty ? nil : extraAttributes.canonicalBytes
        let token = try await loginTokens.make(
            for: user, lifetime: Self.tokenLifetime, provider: provider, attributes: attributes)
        let address = client.with(loginToken: token)
        // Where our own page for clients without one has the browser back, there is nobody to warn of.
        if client.isTrusted(by: options.trustedClients + ["\(publicBaseURL)_matrix/static/client/login"]) { return .redirect(address) }
        let profile = try await profiles.nameAndAvatar(of: user)
        return .page(
            "sso_redirect_confirm.html",
            [
                "display_url": .string(client.display), "redirect_url": .string(address), "new_user": .bool(isNew),
                "user_id": .string(user.string),
                "user_profile": [
                    "display_name": profile.displayName.map { .string($0) } ?? .null,
                    "avatar_url": profile.avatarURL.map { .string($0) } ?? .null,
                ],
            ])
    }
}

extension ProviderAppearance {
    /// What templates know of a provider.
    var templateValue: JSONValue {
        [
            "idp_id": .string(id), "idp_name": .string(name), "idp_icon": icon.map { .string($0) } ?? .null,
            "idp_brand": brand.map { .string($0) } ?? .null,
        ]
    }
}
