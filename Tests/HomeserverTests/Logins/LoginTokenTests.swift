// Tokens that are good for one login.

import Homeserver
import MatrixCore
import Persistence
import TestSupport
import Testing

@Suite("Login tokens") struct LoginTokenTests {
    private static func submission(_ token: String) throws -> JSON { try json(#"{"type": "m.login.token", "token": "\#(token)"}"#) }

    @Test("a token is good once, also after a restart", arguments: DatabaseKind.allCases)
    func once(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let provider = ProviderSession(provider: "oidc-somewhere", session: "s1")
            let token = try await LoginTokens(database: database).make(
                for: AccountsFixture.alice, lifetime: .seconds(60), provider: provider, attributes: Array(#"{"a":1}"#.utf8))
            let restarted = LoginTokens(database: database)
            let identity = try await restarted.identify(Self.submission(token))
            #expect(identity.user == AccountsFixture.alice && identity.provider == provider)
            #expect(identity.attributes == Array(#"{"a":1}"#.utf8))
            #expect(try await errorCode { _ = try await restarted.identify(Self.submission(token)) } == "M_FORBIDDEN")
        }
    }

    @Test("of many who come with a token at once, one is let in", arguments: DatabaseKind.allCases)
    func race(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let tokens = LoginTokens(database: database)
            let submission = try Self.submission(try await tokens.make(for: AccountsFixture.alice, lifetime: .seconds(60)))
            let admitted = await withTaskGroup(of: Bool.self) { group in
                for _ in 0..<8 { group.addTask { (try? await tokens.identify(submission)) != nil } }
                return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
            }
            #expect(admitted == 1)
        }
    }

    @Test("a token that has expired, was never given out, or is none at all is refused", arguments: DatabaseKind.allCases)
    func refused(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let tokens = LoginTokens(database: database)
            let expired = try await tokens.make(for: AccountsFixture.alice, lifetime: .zero)
            #expect(try await errorCode { _ = try await tokens.identify(Self.submission(expired)) } == "M_FORBIDDEN")
            #expect(try await errorCode { _ = try await tokens.identify(Self.submission("syl_made_up")) } == "M_FORBIDDEN")
            #expect(try await errorCode { _ = try await tokens.identify(json(#"{"token": 5}"#)) } == "M_INVALID_PARAM")
            #expect(try await errorCode { _ = try await tokens.identify(json("{}")) } == "M_MISSING_PARAM")
        }
    }

    @Test("no token is in the database, only its hash")
    func hashed() async throws {
        try await withDatabase(.sqlite) { database in
            let token = try await LoginTokens(database: database).make(for: AccountsFixture.alice, lifetime: .seconds(60))
            let stored = try await database.read { try $0.rows(SQL(once: "SELECT token_hash FROM login_tokens")) { $0.blob(0) } }
            #expect(stored == [TokenHash(token).bytes])
        }
    }

    @Test("logging out everywhere ends the user's tokens and nobody else's", arguments: DatabaseKind.allCases)
    func logout(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let server = try await AccountsFixture(database)
            try await server.register("alice")
            let tokens = LoginTokens(database: database)
            let hers = try await tokens.make(for: AccountsFixture.alice, lifetime: .seconds(60))
            let his = try await tokens.make(for: AccountsFixture.bob, lifetime: .seconds(60))
            try await server.sessions.endAll(of: AccountsFixture.alice)
            #expect(try await errorCode { _ = try await tokens.identify(Self.submission(hers)) } == "M_FORBIDDEN")
            #expect(try await tokens.identify(Self.submission(his)).user == AccountsFixture.bob)
        }
    }

    @Test("a token opens no session of a deactivated or locked account", arguments: DatabaseKind.allCases)
    func deactivated(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let server = try await AccountsFixture(database)
            try await server.register("alice")
            let tokens = LoginTokens(database: database)
            let login = LoginService(
                accounts: server.accounts, passwords: PasswordHasher(rounds: 4, pepper: ""), rateLimits: RateLimiter(.none),
                isEnabled: false
            ).offering([tokens], flows: [])
            let first = try await tokens.make(for: AccountsFixture.alice, lifetime: .seconds(60))
            #expect(try await login.logIn(Self.submission(first), from: "192.0.2.1").user == AccountsFixture.alice)
            let second = try await tokens.make(for: AccountsFixture.alice, lifetime: .seconds(60))
            _ = try await database.write { try AccountStore.setDeactivated(true, AccountsFixture.alice, on: $0) }
            #expect(try await errorCode { _ = try await login.logIn(Self.submission(second), from: "192.0.2.1") } == "M_USER_DEACTIVATED")
        }
    }
}
