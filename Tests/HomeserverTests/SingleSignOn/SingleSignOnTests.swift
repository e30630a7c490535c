// Accounts by single sign-on.

import Homeserver
import MatrixCore
import Persistence
import Rooms
import ServerConfiguration
import Synchronization
import TestSupport
import Testing

/// A provider that needs no network: whoever comes is whom the test names.
private struct FakeProvider: IdentityProvider {
    let appearance: ProviderAppearance

    init(_ id: String = "fake") { appearance = ProviderAppearance(id: id, name: "Provider \(id)") }

    func begin(_ purpose: SignOnPurpose, query: (String) -> String?) async throws -> SignOnAnswer {
        switch purpose {
        case .login(let client): .redirect("https://provider.example/\(appearance.id)?to=\(client.address)")
        case .confirmation(let session): .redirect("https://provider.example/\(appearance.id)?session=\(session)")
        }
    }
}

private struct SignOnFixture {
    let server: AccountsFixture
    let signOn: SingleSignOn
    let tokens: LoginTokens
    static let client = "https://client.example/?a=b"

    init(
        _ database: any Database, providers: [any IdentityProvider] = [FakeProvider()], options: String = "", terms: String? = nil
    ) async throws {
        var policy = RegistrationPolicy()
        policy.termsAtRegistration = terms
        server = try await AccountsFixture(database, policy: policy)
        var configuration = ServerConfiguration(serverName: AccountsFixture.server)
        configuration.login.singleSignOn.trustedClients = ["https://trusted.example/"]
        configuration.login.singleSignOn.updatesProfile = options == "updates"
        tokens = LoginTokens(database: database)
        signOn = SingleSignOn(
            configuration, providers: providers, database: database, accounts: server.accounts, registration: server.registration,
            profiles: server.profiles, loginTokens: tokens, sessions: server.sessions, logger: DatabaseFixture.logger)
    }

    func person(
        _ subject: String, localpart: String? = nil, confirms: Bool = false, displayName: String? = nil, mayTakeExisting: Bool = false,
        isRegistrationEnabled: Bool = true, session: String? = nil, extra: JSONObject = [:], emails: [String] = []
    ) -> SignOnPerson {
        SignOnPerson(
            provider: ProviderSession(provider: "fake", session: session), subject: subject, mayTakeExistingAccount: mayTakeExisting,
            isRegistrationEnabled: isRegistrationEnabled, extraAttributes: extra
        ) { failures throws(SignOnFailure) in
            SignOnAttributes(
                localpart: localpart.map { failures == 0 ? $0 : "\($0)\(failures)" }, confirmsLocalpart: confirms, displayName: displayName,
                emails: emails)
        }
    }

    func complete(_ person: SignOnPerson, client: String = Self.client) async throws -> SignOnAnswer {
        try await signOn.complete(person, client: try #require(ClientRedirect(client)))
    }

    /// Whom the token in an answer stands for.
    func identity(_ answer: SignOnAnswer) async throws -> LoginIdentity {
        let address: String? =
            switch answer.content {
            case .redirect(let address): address
            case .page(let page): page.values["redirect_url"]?.string
            }
        let token = try #require(address?.split(separator: "loginToken=").last)
        return try await tokens.identify(json(#"{"token": "\#(token)"}"#))
    }

    func failure(_ body: () async throws -> SignOnAnswer) async throws -> String? {
        do {
            _ = try await body()
            return nil
        } catch let failure as SignOnFailure {
            return failure.message
        }
    }
}

@Suite("Single sign-on") struct SingleSignOnTests {
    @Test("who comes for the first time gets an account, and the same one for ever", arguments: DatabaseKind.allCases)
    func registers(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let fixture = try await SignOnFixture(database)
            let session = ProviderSession(provider: "fake", session: "s1")
            let answer = try await fixture.complete(
                fixture.person("subject", localpart: "alice", displayName: "Alice", session: "s1", extra: ["color": "red"]))
            let identity = try await fixture.identity(answer)
            #expect(identity.user == AccountsFixture.alice && identity.provider == session)
            #expect(identity.attributes == Array(#"{"color":"red"}"#.utf8))
            #expect(try await fixture.server.profiles.nameAndAvatar(of: identity.user).displayName == "Alice")
            // A client that nobody vouches for is shown to the user first.
            guard case .page(let page) = answer.content else { throw Failure("no page") }
            #expect(page.template == "sso_redirect_confirm.html" && page.values["display_url"] == "client.example")
            #expect(page.values["new_user"] == true)

            // After a restart, and though the provider has another name for them now.
            let again = try await SignOnFixture(database)
            let second = try await again.complete(again.person("subject", localpart: "alison"), client: "https://trusted.example/x")
            #expect(try await again.identity(second).user == AccountsFixture.alice)
            guard case .redirect(let address) = second.content else { throw Failure("no redirect") }
            #expect(address.hasPrefix("https://trusted.example/x?loginToken="))
        }
    }

    @Test(
        "a name that is taken gets a number, and a person who comes many times at once gets one account", arguments: DatabaseKind.allCases)
    func names(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let fixture = try await SignOnFixture(database)
            try await fixture.server.register("alice")
            let users = try await withThrowingTaskGroup(of: UserID.self) { group in
                for _ in 0..<6 {
                    group.addTask { try await fixture.identity(fixture.complete(fixture.person("subject", localpart: "alice"))).user }
                }
                return try await group.reduce(into: Set()) { $0.insert($1) }
            }
            #expect(users == [UserID(trusted: "@alice1:test")])
        }
    }

    @Test("an account that is there already is somebody's only where the operator says so", arguments: DatabaseKind.allCases)
    func existing(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let fixture = try await SignOnFixture(database)
            try await fixture.server.register("alice")
            let hers = try await fixture.complete(fixture.person("a", localpart: "ALICE".lowercased(), mayTakeExisting: true))
            #expect(try await fixture.identity(hers).user == AccountsFixture.alice)
            // Whoever the operator's provider calls by that name too has an account of the same name then: names are the provider's word.
            let other = try await fixture.complete(fixture.person("b", localpart: "alice"))
            #expect(try await fixture.identity(other).user == UserID(trusted: "@alice1:test"))
        }
    }

    @Test("where registration is off, only those come in who have an account")
    func closed() async throws {
        try await withDatabase(.sqlite) { database in
            let fixture = try await SignOnFixture(database)
            let stranger = fixture.person("a", localpart: "alice", isRegistrationEnabled: false)
            #expect(
                try await fixture.failure { try await fixture.complete(stranger) } == "User does not exist and registrations are disabled")
            #expect(try await !fixture.server.accounts.exists(AccountsFixture.alice))
            _ = try await fixture.complete(fixture.person("a", localpart: "alice"))
            #expect(try await fixture.identity(fixture.complete(stranger)).user == AccountsFixture.alice)
        }
    }

    @Test("nobody is let in without being told apart, nor under a name that cannot be")
    func impossible() async throws {
        try await withDatabase(.sqlite) { database in
            let fixture = try await SignOnFixture(database)
            #expect(try await fixture.failure { try await fixture.complete(fixture.person("", localpart: "alice")) } != nil)
            #expect(try await fixture.failure { try await fixture.complete(fixture.person("a", localpart: "Föhn")) } != nil)
            #expect(try await fixture.failure { try await fixture.complete(fixture.person("a", localpart: "_bot")) } != nil)
        }
    }

    @Test("a name follows the provider where the operator wants it", arguments: [true, false])
    func profile(updates: Bool) async throws {
        try await withDatabase(.sqlite) { database in
            let fixture = try await SignOnFixture(database, options: updates ? "updates" : "")
            _ = try await fixture.complete(fixture.person("a", localpart: "alice", displayName: "Alice"))
            _ = try await fixture.complete(fixture.person("a", localpart: "alice", displayName: "Alice L."))
            let name = try await fixture.server.profiles.nameAndAvatar(of: AccountsFixture.alice).displayName
            #expect(name == (updates ? "Alice L." : "Alice"))
        }
    }

    @Test("an account that has ended gets a page and no token")
    func deactivated() async throws {
        try await withDatabase(.sqlite) { database in
            let fixture = try await SignOnFixture(database)
            _ = try await fixture.complete(fixture.person("a", localpart: "alice"))
            _ = try await database.write { try AccountStore.setDeactivated(true, AccountsFixture.alice, on: $0) }
            let answer = try await fixture.complete(fixture.person("a", localpart: "alice"))
            #expect(answer == .page("sso_account_deactivated.html", [:], status: 403))
        }
    }

    // MARK: Choosing a name

    @Test("who has no name yet chooses one, with what is taken over", arguments: DatabaseKind.allCases)
    func choosing(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let fixture = try await SignOnFixture(database)
            try await fixture.server.register("alice")
            let first = try await fixture.complete(fixture.person("a", displayName: "Alice", emails: ["a@x.example", "b@x.example"]))
            #expect(first.content == .redirect("/_synapse/client/pick_username/account_details"))
            let cookie = try #require(first.cookies.first?.value)
            let signOn = try await SignOnFixture(database).signOn

            guard case .page(let page) = try await signOn.accountDetails(cookie).content else { throw Failure("no page") }
            #expect(page.values["user_attributes"]?["display_name"] == "Alice" && page.values["idp"]?["idp_name"] == "Provider fake")
            #expect(try await !signOn.isAvailable("alice", cookie))
            #expect(try await signOn.isAvailable("alison", cookie))
            #expect(try await errorCode { _ = try await signOn.isAvailable("Alison", cookie) } == "M_INVALID_USERNAME")

            // Nothing is made before a name is chosen, and none that is taken or cannot be.
            #expect(try await signOn.register(cookie).content == .redirect("/_synapse/client/pick_username/account_details"))
            for (name, error) in [("alice", "This name is taken."), ("Al ice", MatrixError.invalidUsername.message)] {
                let choice = SingleSignOn.Choice(localpart: name, usesDisplayName: true, emails: [])
                guard case .page(let page) = try await signOn.choose(choice, cookie).content else { throw Failure("no page") }
                #expect(page.values["error"] == .string(error) && page.values["user_attributes"]?["localpart"] == .string(name))
            }
            let choice = SingleSignOn.Choice(localpart: "alison", usesDisplayName: false, emails: ["b@x.example", "c@evil.example"])
            #expect(try await signOn.choose(choice, cookie).content == .redirect("/_synapse/client/sso_register"))
            let answer = try await signOn.register(cookie)
            let user = UserID(trusted: "@alison:test")
            #expect(try await fixture.identity(answer).user == user)
            #expect(try await fixture.server.profiles.nameAndAvatar(of: user).displayName == "alison")
            #expect(answer.cookies.last?.value == "")
            #expect(
                try await database.read { try ThirdPartyStore.identifiers(of: user, on: $0) }.map(\.address) == ["b@x.example"])

            // The registration is over, and who comes again has the account.
            #expect(try await fixture.failure { try await signOn.accountDetails(cookie) } == "unknown session")
            #expect(try await fixture.identity(fixture.complete(fixture.person("a"))).user == user)
        }
    }

    @Test("a suggested name is asked for, and can be another")
    func confirming() async throws {
        try await withDatabase(.sqlite) { database in
            let fixture = try await SignOnFixture(database)
            let first = try await fixture.complete(fixture.person("a", localpart: "alice", confirms: true))
            let cookie = try #require(first.cookies.first?.value)
            guard case .page(let page) = try await fixture.signOn.accountDetails(cookie).content else { throw Failure("no page") }
            #expect(page.values["user_attributes"]?["localpart"] == "alice")
            #expect(try await fixture.signOn.register(cookie).content == .redirect("/_synapse/client/pick_username/account_details"))
            _ = try await fixture.signOn.choose(.init(localpart: "al", usesDisplayName: true, emails: []), cookie)
            #expect(try await fixture.identity(fixture.signOn.register(cookie)).user == UserID(trusted: "@al:test"))
        }
    }

    @Test("where there are terms, nobody gets an account without agreeing to those in force")
    func terms() async throws {
        try await withDatabase(.sqlite) { database in
            let fixture = try await SignOnFixture(database, terms: "2")
            try await fixture.server.register("bob")
            let first = try await fixture.complete(fixture.person("a", localpart: "alice", emails: ["Alice@X.example"]))
            let consent = SignOnAnswer.redirect("/_synapse/client/new_user_consent")
            #expect(first.content == consent.content)
            let cookie = try #require(first.cookies.first?.value)
            guard case .page(let page) = try await fixture.signOn.terms(cookie).content else { throw Failure("no page") }
            #expect(page.values["user_id"] == "@alice:test" && page.values["terms_url"] == "/_matrix/consent?v=2")
            #expect(try await fixture.signOn.register(cookie) == consent)
            #expect(try await fixture.signOn.agree(toTerms: "1", cookie) == consent)
            #expect(try await fixture.signOn.agree(toTerms: "2", cookie).content == .redirect("/_synapse/client/sso_register"))
            #expect(try await fixture.identity(fixture.signOn.register(cookie)).user == AccountsFixture.alice)
            let (account, owner) = try await database.read {
                (
                    try AccountStore.account(AccountsFixture.alice, on: $0),
                    try ThirdPartyStore.user("email", "alice@x.example", on: $0)
                )
            }
            #expect(account?.consentVersion == "2" && owner == AccountsFixture.alice)
        }
    }

    @Test("without the browser's secret there is nothing to see and nothing to try")
    func secret() async throws {
        try await withDatabase(.sqlite) { database in
            let fixture = try await SignOnFixture(database)
            _ = try await fixture.complete(fixture.person("a"))
            for cookie in [nil, "", "guessed"] {
                #expect(try await fixture.failure { try await fixture.signOn.accountDetails(cookie) } != nil)
                #expect(try await fixture.failure { try await fixture.signOn.register(cookie) } != nil)
                #expect(try await errorCode { _ = try await fixture.signOn.isAvailable("alice", cookie) } == "M_UNKNOWN")
            }
        }
    }

    // MARK: Beginnings and ends

    @Test("one provider is gone to at once, of several one is picked")
    func providers() async throws {
        try await withDatabase(.sqlite) { database in
            let client = "https://client.example/"
            let one = try await SignOnFixture(database).signOn
            #expect(try await one.begin(nil, client: client) { _ in nil } == .redirect("https://provider.example/fake?to=\(client)"))
            #expect(try await errorCode { _ = try await one.begin("other", client: client) { _ in nil } } == "M_NOT_FOUND")
            #expect(try await errorCode { _ = try await one.begin(nil, client: "javascript:x") { _ in nil } } == "M_INVALID_PARAM")
            let two = try await SignOnFixture(database, providers: [FakeProvider("a"), FakeProvider("b")]).signOn
            let encoded = "https%3A%2F%2Fclient.example%2F"
            #expect(
                try await two.begin(nil, client: client) { _ in nil } == .redirect("/_synapse/client/pick_idp?redirectUrl=\(encoded)"))
            guard case .page(let page) = try two.pick(nil, client: client).content else { throw Failure("no page") }
            #expect(page.values["providers"]?.array?.compactMap { $0["idp_id"]?.string } == ["a", "b"])
            #expect(
                try two.pick("b", client: client)
                    == .redirect("https://test/_matrix/client/v3/login/sso/redirect/b?redirectUrl=\(encoded)"))
            #expect(throws: SignOnFailure.self) { try two.pick("c", client: client) }
            let none = try await SignOnFixture(database, providers: []).signOn
            #expect(try await errorCode { _ = try await none.begin(nil, client: client) { _ in nil } } == "M_UNRECOGNIZED")
        }
    }

    @Test("when a session at the provider ends, so does what came of it, and nothing else", arguments: DatabaseKind.allCases)
    func logout(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let fixture = try await SignOnFixture(database)
            let sessions = fixture.server.sessions
            func logIn(_ session: String) async throws -> OpenedSession {
                let identity = try await fixture.identity(fixture.complete(fixture.person("a", localpart: "alice", session: session)))
                return try await sessions.open(
                    identity.user, device: nil, displayName: nil, withRefreshToken: false, provider: identity.provider)
            }
            let first = try await logIn("s1"), second = try await logIn("s2")
            let pending = try await fixture.complete(fixture.person("a", localpart: "alice", session: "s1"))
            let registration = try await fixture.complete(fixture.person("b", session: "s1"))
            try await fixture.signOn.end(ProviderSession(provider: "other", session: "s1"), of: nil)
            try await fixture.signOn.end(ProviderSession(provider: "fake", session: "s1"), of: AccountsFixture.bob)
            #expect(try await fixture.server.isValid(first.accessToken))
            // The token and the registration that were under way are gone by now: they belong to the provider's session alone.
            #expect(try await errorCode { _ = try await fixture.identity(pending) } == "M_FORBIDDEN")
            #expect(try await fixture.failure { try await fixture.signOn.accountDetails(registration.cookies.first?.value) } != nil)
            try await fixture.signOn.end(ProviderSession(provider: "fake", session: "s1"), of: AccountsFixture.alice)
            #expect(try await !fixture.server.isValid(first.accessToken))
            #expect(try await fixture.server.isValid(second.accessToken))
        }
    }
}

/// What a test did not find.
private struct Failure: Error {
    let message: String

    init(_ message: String) { self.message = message }
}
