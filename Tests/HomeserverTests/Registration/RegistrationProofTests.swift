// Registration by token and by address, on both databases.

import Homeserver
import MatrixCore
import Persistence
import ServerConfiguration
import TestSupport
import Testing

@Suite("Registration with a proof")
struct RegistrationProofTests {
    private static let path = "/_matrix/client/v3/register"

    private static var tokenPolicy: RegistrationPolicy {
        var policy = RegistrationPolicy(isEnabled: true)
        policy.options.requiresToken = true
        return policy
    }

    private func register(_ server: AccountsFixture, _ body: String) async throws -> UserID {
        try await server.registration.register(json(body), path: Self.path, from: "192.0.2.1").user
    }

    private func session(_ server: AccountsFixture, _ body: String) async throws -> String {
        try #require(await #expect(throws: InteractiveAuthRequired.self) { _ = try await register(server, body) }).session
    }

    private func auth(_ session: String, _ type: String, _ more: String = "") -> String {
        #"{"auth":{"type":"\#(type)","session":"\#(session)"\#(more)}}"#
    }

    @Test("a token is held while somebody registers, and used when they are done", arguments: DatabaseKind.allCases)
    func tokenIsHeld(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let server = try await AccountsFixture(database, policy: Self.tokenPolicy)
            _ = try await server.tokens.create("once", usesAllowed: 1, expiry: nil)
            let first = try await session(server, #"{"username":"alice","password":"x"}"#)
            let second = try await session(server, #"{"username":"bob","password":"x"}"#)
            let token = #","token":"once""#
            await #expect(throws: InteractiveAuthRequired.self) {
                _ = try await register(server, auth(first, "m.login.registration_token", token))
            }
            let held = try await server.tokens.token("once")
            #expect(held?.pending == 1 && held?.isValid(at: .now) == false)
            // It is not there for another, but for the one who has shown it.
            let refused = await #expect(throws: InteractiveAuthRequired.self) {
                _ = try await register(server, auth(second, "m.login.registration_token", token))
            }
            #expect(try JSONDocument(parsing: #require(refused).body).root["errcode"]?.string == "M_UNAUTHORIZED")
            #expect(try await register(server, auth(first, "m.login.dummy")) == AccountsFixture.alice)
            let row = try await server.tokens.token("once")
            #expect(row?.pending == 0 && row?.completed == 1)
            // The same request again makes and uses nothing.
            #expect(try await register(server, auth(first, "m.login.dummy")) == AccountsFixture.alice)
            #expect(try await server.tokens.token("once")?.completed == 1)
        }
    }

    @Test("a session that ends without an account gives its token back", arguments: DatabaseKind.allCases)
    func tokenIsGivenBack(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let server = try await AccountsFixture(database, policy: Self.tokenPolicy)
            _ = try await server.tokens.create("few", usesAllowed: 3, expiry: nil)
            for name in ["alice", "bob"] {
                let id = try await session(server, #"{"username":"\#(name)","password":"x"}"#)
                _ = try? await register(server, auth(id, "m.login.registration_token", #","token":"few""#))
                if name == "alice" { _ = try await register(server, auth(id, "m.login.dummy")) }
            }
            #expect(try await server.tokens.token("few")?.pending == 1)
            let future = Timestamp.now.advanced(byMilliseconds: 1)
            try await database.write { try InteractiveAuthStore.deleteSessions(createdBefore: future, on: $0) }
            let row = try await server.tokens.token("few")
            #expect(row?.pending == 0 && row?.completed == 1)
        }
    }

    @Test("eight requests for the last use of a token at the same moment give one account", arguments: DatabaseKind.allCases)
    func race(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let server = try await AccountsFixture(database, policy: Self.tokenPolicy)
            _ = try await server.tokens.create("once", usesAllowed: 1, expiry: nil)
            var ids: [String] = []
            for index in 0..<8 { ids.append(try await session(server, #"{"username":"user\#(index)","password":"x"}"#)) }
            await withTaskGroup(of: Void.self) { group in
                for id in ids {
                    group.addTask { _ = try? await register(server, auth(id, "m.login.registration_token", #","token":"once""#)) }
                }
            }
            #expect(try await server.tokens.token("once")?.pending == 1)
        }
    }

    @Test("two last requests of one session at the same moment make one account", arguments: DatabaseKind.allCases)
    func repeatedRequest(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let server = try await AccountsFixture(database)
            // Without a name: each would make up one of its own.
            let id = try await session(server, #"{"password":"x"}"#)
            let users = try await withThrowingTaskGroup(of: UserID.self) { group in
                for _ in 0..<6 { group.addTask { try await register(server, auth(id, "m.login.dummy")) } }
                return try await group.reduce(into: Set<UserID>()) { $0.insert($1) }
            }
            #expect(users.count == 1)
        }
    }

    @Test("expired tokens, those that are used up and those of odd letters are not valid", arguments: DatabaseKind.allCases)
    func validity(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let tokens = RegistrationTokens(database: database)
            _ = try await tokens.create("good", usesAllowed: nil, expiry: nil)
            _ = try await tokens.create("late", usesAllowed: nil, expiry: Timestamp(milliseconds: 1))
            _ = try await tokens.create("none", usesAllowed: 0, expiry: nil)
            #expect(try await tokens.isValid("good"))
            for token in ["late", "none", "unheard", "", "a b", "a\0", String(repeating: "a", count: 65)] {
                #expect(try await !tokens.isValid(token), "\(token)")
            }
            #expect(try await tokens.tokens(isValid: false).map(\.token) == ["late", "none"])
            #expect(try await tokens.tokens(isValid: nil).count == 3)
            #expect(try await errorCode { _ = try await tokens.create("good", usesAllowed: nil, expiry: nil) } == "M_INVALID_PARAM")
            let made = try await tokens.create(nil, usesAllowed: nil, expiry: nil)
            #expect(made.token.utf8.count == 22 && RegistrationTokens.isWellFormed(made.token))
            var change = RegistrationTokens.Change()
            change.usesAllowed = .some(5)
            #expect(try await tokens.change("none", change)?.usesAllowed == 5)
            #expect(try await tokens.change("unheard", change) == nil)
            #expect(try await tokens.delete("none"))
            #expect(try await !tokens.delete("none"))
        }
    }

    // MARK: By e-mail

    private static var emailPolicy: RegistrationPolicy {
        var policy = RegistrationPolicy(isEnabled: true)
        policy.verifiesEmail = true
        policy.options.requiredMedia = [.email]
        return policy
    }

    private func begin(
        _ server: AccountsFixture, _ address: String, secret: String = "s3cret", for purpose: ProofPurpose = .registration
    ) async throws -> String {
        try await server.validation.begin(
            EmailValidation.Request(address: EmailAddress(address), secret: ClientSecret(secret), sendAttempt: 1), for: purpose,
            delivery: .awaited)
    }

    private func open(
        _ server: AccountsFixture, _ sid: String, secret: String = "s3cret", for purpose: ProofPurpose = .registration
    ) async throws {
        _ = try await server.validation.submit(
            session: sid, secret: ClientSecret(secret), token: #require(server.mails.parameter("token")), for: purpose)
    }

    @Test("an account gets the address that was shown, and its owner logs in with it", arguments: DatabaseKind.allCases)
    func email(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let server = try await AccountsFixture(database, policy: Self.emailPolicy)
            let id = try await session(server, #"{"username":"alice","password":"wonderland"}"#)
            let sid = try await begin(server, "Alice@Example.org")
            let stage = auth(id, "m.login.email.identity", #","threepid_creds":{"sid":"\#(sid)","client_secret":"s3cret"}"#)
            // The link is not opened yet.
            await #expect(throws: InteractiveAuthRequired.self) { _ = try await register(server, stage) }
            try await open(server, sid)
            #expect(try await register(server, stage) == AccountsFixture.alice)
            #expect(try await server.identifiers.identifiers(of: AccountsFixture.alice).map(\.address) == ["alice@example.org"])
            let login = #"""
                {"type":"m.login.password","password":"wonderland",
                 "identifier":{"type":"m.id.thirdparty","medium":"email","address":"ALICE@example.org"}}
                """#
            #expect(try await server.login.logIn(json(login), from: "192.0.2.1").user == AccountsFixture.alice)
            // What was shown once is used up.
            let other = try await session(server, #"{"username":"bob","password":"wonderland"}"#)
            let again = auth(other, "m.login.email.identity", #","threepid_creds":{"sid":"\#(sid)","client_secret":"s3cret"}"#)
            await #expect(throws: InteractiveAuthRequired.self) { _ = try await register(server, again) }
        }
    }

    @Test("an address that is somebody's by now, or that the operator does not want, makes no account")
    func refusedAddresses() async throws {
        try await withDatabase(.sqlite) { database in
            var policy = Self.emailPolicy
            policy.options.allowedThirdPartyIDs = [ThirdPartyRule(medium: "email", pattern: #"^[^@]+@example\.org$"#)]
            let server = try await AccountsFixture(database, policy: policy)
            for (name, address, expected) in [
                ("alice", "a@example.org", nil), ("bob", "a@example.org", "M_THREEPID_IN_USE"),
                ("carol", "c@example.com", "M_THREEPID_DENIED"),
            ] as [(String, String, String?)] {
                let id = try await session(server, #"{"username":"\#(name)","password":"x"}"#)
                let sid = try await begin(server, address, secret: name)
                try await open(server, sid, secret: name)
                let stage = auth(id, "m.login.email.identity", #","threepid_creds":{"sid":"\#(sid)","client_secret":"\#(name)"}"#)
                #expect(try await errorCode { _ = try await register(server, stage) } == expected, "\(name)")
            }
            // Nothing is left of the account that was refused.
            #expect(try await !server.accounts.exists(AccountsFixture.bob))
        }
    }

    @Test("a link that was opened to add an address registers nobody")
    func purpose() async throws {
        try await withDatabase(.sqlite) { database in
            let server = try await AccountsFixture(database, policy: Self.emailPolicy)
            let id = try await session(server, #"{"username":"alice","password":"x"}"#)
            let sid = try await begin(server, "a@example.org", for: .addition)
            try await open(server, sid, for: .addition)
            let stage = auth(id, "m.login.email.identity", #","threepid_creds":{"sid":"\#(sid)","client_secret":"s3cret"}"#)
            await #expect(throws: InteractiveAuthRequired.self) { _ = try await register(server, stage) }
        }
    }
}
