// Logins by signed tokens.

import Homeserver
import MatrixCore
import Persistence
import ServerConfiguration
import TestSupport
import Testing

@Suite("JWT logins") struct JWTLoginTests {
    private static let token = TokenVectors.tokens.first { $0.algorithm == .hs256 }?.token ?? ""

    private static func configuration(issuer: String? = nil, audiences: [String]? = ["martlet"]) -> JWTConfiguration {
        var configuration = JWTConfiguration(algorithm: .hs256, secret: TokenVectors.secret)
        configuration.displayNameClaim = "name"
        configuration.issuer = issuer
        configuration.audiences = audiences
        return configuration
    }

    private static func submission(_ token: String) throws -> JSON { try json(#"{"type": "org.matrix.login.jwt", "token": "\#(token)"}"#) }

    private static func message(_ body: () async throws -> Void) async throws -> String? {
        do {
            try await body()
            return nil
        } catch let error as MatrixError {
            return error.message
        }
    }

    @Test("whoever comes with a token gets an account, and the same one again", arguments: DatabaseKind.allCases)
    func registers(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let server = try await AccountsFixture(database)
            let login = try JWTLogin(Self.configuration(), accounts: server.accounts, registration: server.registration)
            let first = try await login.identify(Self.submission(Self.token))
            #expect(first.user == AccountsFixture.alice && first.provider == nil)
            #expect(try await server.profiles.nameAndAvatar(of: first.user).displayName == "Alice Liddell")
            #expect(try await server.accounts.account(first.user)?.passwordHash == nil)
            #expect(try await login.identify(Self.submission(Self.token)).user == AccountsFixture.alice)
        }
    }

    @Test("what a token must be, and how it is refused")
    func refusals() async throws {
        try await withDatabase(.sqlite) { database in
            let server = try await AccountsFixture(database)
            func refusal(_ configuration: JWTConfiguration, _ body: JSON) async throws -> String? {
                let login = try JWTLogin(configuration, accounts: server.accounts, registration: server.registration)
                return try await Self.message { _ = try await login.identify(body) }
            }
            let right = try Self.submission(Self.token)
            #expect(try await refusal(Self.configuration(issuer: "https://issuer.example"), right) == nil)
            #expect(
                try await refusal(Self.configuration(issuer: "https://else.example"), right)
                    == "JWT validation failed: invalid_claim: Invalid claim 'iss'")
            // A token for others does not open this server where nothing is said of whom tokens are for.
            for audiences in [nil, [], ["you"]] as [[String]?] {
                #expect(
                    try await refusal(Self.configuration(audiences: audiences), right)
                        == "JWT validation failed: invalid_claim: Invalid claim 'aud'")
            }
            var other = Self.configuration()
            other.secret = "another secret"
            #expect(try await refusal(other, right) == "JWT validation failed: Signature verification failed")
            other = Self.configuration()
            other.subjectClaim = "uid"
            #expect(try await refusal(other, right) == "Invalid JWT")
            #expect(try await refusal(Self.configuration(), json("{}")) == "Token field for JWT is missing")
            #expect(
                try await refusal(Self.configuration(), Self.submission("nonsense"))
                    == "JWT validation failed: decode_error: A token has three parts")
            #expect(try await server.accounts.exists(AccountsFixture.alice))
        }
    }

    @Test("a name that no account may have is refused")
    func invalidName() async throws {
        try await withDatabase(.sqlite) { database in
            let server = try await AccountsFixture(database)
            var configuration = Self.configuration()
            configuration.subjectClaim = "name"
            let login = try JWTLogin(configuration, accounts: server.accounts, registration: server.registration)
            #expect(try await errorCode { _ = try await login.identify(Self.submission(Self.token)) } == "M_INVALID_USERNAME")
        }
    }

    @Test("a secret that is no key for its algorithm stops the start")
    func unusableKey() async throws {
        try await withDatabase(.sqlite) { database in
            let server = try await AccountsFixture(database)
            let configuration = JWTConfiguration(algorithm: .rs256, secret: "not a key")
            #expect(throws: JWTLogin.UnusableKey.self) {
                try JWTLogin(configuration, accounts: server.accounts, registration: server.registration)
            }
        }
    }
}
