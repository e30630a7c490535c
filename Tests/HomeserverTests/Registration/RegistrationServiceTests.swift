// Making accounts and logging in, on both databases.

import Homeserver
import MatrixCore
import Persistence
import ServerConfiguration
import TestSupport
import Testing

@Suite("Registration and login")
struct RegistrationServiceTests {
    static let path = "/_matrix/client/v3/register"

    private func session(of server: AccountsFixture, _ body: String) async throws -> String {
        let challenge = await #expect(throws: InteractiveAuthRequired.self) {
            _ = try await server.registration.register(json(body), path: Self.path, from: "192.0.2.1")
        }
        return try #require(challenge).session
    }

    @Test("a client registers in two requests and need not repeat name and password", arguments: DatabaseKind.allCases)
    func twoRequests(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let server = try await AccountsFixture(database)
            let id = try await session(of: server, #"{"username":"Alice","password":"wonderland","device_id":"D"}"#)
            let second = #"{"auth":{"type":"m.login.dummy","session":"\#(id)"}}"#
            let registered = try await server.registration.register(json(second), path: Self.path, from: "192.0.2.1")
            #expect(registered.user == AccountsFixture.alice)
            #expect(registered.parameters["device_id"] == "D" && registered.parameters["password"] == nil)

            // The same request again gives the same account.
            #expect(try await server.registration.register(json(second), path: Self.path, from: "192.0.2.1").user == registered.user)

            let login = #"{"type":"m.login.password","identifier":{"type":"m.id.user","user":"alice"},"password":"wonderland"}"#
            #expect(try await server.login.logIn(json(login), from: "192.0.2.1").user == AccountsFixture.alice)
            let profile = String(decoding: try await server.profiles.profile(of: AccountsFixture.alice), as: UTF8.self)
            #expect(profile == #"{"displayname":"alice"}"#)
        }
    }

    @Test("a name that is taken is refused at once, also in other letters", arguments: DatabaseKind.allCases)
    func taken(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let server = try await AccountsFixture(database)
            try await server.register("alice")
            for name in ["alice", "ALICE"] {
                #expect(
                    try await errorCode {
                        _ = try await server.registration.register(
                            json(#"{"username":"\#(name)","password":"x"}"#), path: Self.path, from: "192.0.2.1")
                    } == "M_USER_IN_USE")
            }
            #expect(try await errorCode { try await server.registration.checkAvailable("alice", from: "192.0.2.1") } == "M_USER_IN_USE")
            #expect(try await errorCode { try await server.registration.checkAvailable("a b", from: "192.0.2.1") } == "M_INVALID_USERNAME")
            #expect(try await errorCode { try await server.registration.checkAvailable("bob", from: "192.0.2.1") } == nil)
        }
    }

    @Test("two registrations of one name at the same moment make one account", arguments: DatabaseKind.allCases)
    func race(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let server = try await AccountsFixture(database)
            let codes = try await withThrowingTaskGroup(of: String?.self) { group in
                for _ in 0..<8 { group.addTask { try await errorCode { try await server.register("alice") } } }
                return try await group.reduce(into: [String?]()) { $0.append($1) }
            }
            #expect(codes.filter { $0 == nil }.count == 1)
            #expect(codes.filter { $0 == "M_USER_IN_USE" }.count == 7)
        }
    }

    @Test("a registration without a name is given one, one without a password is refused")
    func parameters() async throws {
        try await withDatabase(.sqlite) { database in
            let server = try await AccountsFixture(database)
            let body = #"{"auth":{"type":"m.login.dummy"},"password":"x"}"#
            let user = try await server.registration.register(json(body), path: Self.path, from: "192.0.2.1").user
            #expect(user.localpart.string.utf8.count == 12)
            let withoutPassword = #"{"auth":{"type":"m.login.dummy"},"username":"bob"}"#
            #expect(
                try await errorCode {
                    _ = try await server.registration.register(json(withoutPassword), path: Self.path, from: "192.0.2.1")
                } == "M_MISSING_PARAM")
        }
    }

    @Test("login knows the user by localpart, id, and the older members, whatever the case", arguments: DatabaseKind.allCases)
    func identifiers(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let server = try await AccountsFixture(database)
            try await server.register("alice")
            for identifier in [
                #""identifier":{"type":"m.id.user","user":"alice"}"#, #""identifier":{"type":"m.id.user","user":"@alice:test"}"#,
                #""user":"alice""#, #""user":"@ALICE:test""#,
            ] {
                let body = #"{"type":"m.login.password","password":"wonderland",\#(identifier)}"#
                #expect(try await server.login.logIn(json(body), from: "192.0.2.1").user == AccountsFixture.alice)
            }
        }
    }

    @Test(
        "logins that cannot be are refused with the specification's error",
        arguments: [
            (#"{"type":"m.login.password","user":"alice","password":"wrong"}"#, "M_FORBIDDEN"),
            (#"{"type":"m.login.password","user":"nobody","password":"wonderland"}"#, "M_FORBIDDEN"),
            (#"{"type":"m.login.password","user":"@alice:elsewhere","password":"wonderland"}"#, "M_FORBIDDEN"),
            (#"{"type":"m.login.password","user":"alice"}"#, "M_INVALID_PARAM"),
            (#"{"type":"m.login.password","user":"alice","password":1}"#, "M_INVALID_PARAM"),
            (#"{"type":"m.login.password","password":"wonderland"}"#, "M_MISSING_PARAM"),
            (#"{"type":"m.login.unheard","user":"alice","password":"wonderland"}"#, "M_UNKNOWN"),
            (#"{"type":1}"#, "M_INVALID_PARAM"),
            (#"{"user":"alice","password":"wonderland"}"#, "M_MISSING_PARAM"),
            (#"{"type":"m.login.password","identifier":{"type":"m.id.unheard"},"password":"x"}"#, "M_UNKNOWN"),
            (#"{"type":"m.login.password","identifier":[],"password":"x"}"#, "M_INVALID_PARAM"),
        ])
    func refusals(body: String, errcode: String) async throws {
        try await withDatabase(.sqlite) { database in
            let server = try await AccountsFixture(database)
            try await server.register("alice")
            #expect(try await errorCode { _ = try await server.login.logIn(json(body), from: "192.0.2.1") } == errcode)
        }
    }

    @Test("a deactivated account is told so to who knows the password", arguments: DatabaseKind.allCases)
    func deactivated(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let server = try await AccountsFixture(database)
            let alice = try await server.register("alice")
            _ = try await database.write { try AccountStore.setDeactivated(true, alice, on: $0) }
            let right = #"{"type":"m.login.password","user":"alice","password":"wonderland"}"#
            #expect(try await errorCode { _ = try await server.login.logIn(json(right), from: "192.0.2.1") } == "M_USER_DEACTIVATED")
            let wrong = #"{"type":"m.login.password","user":"alice","password":"x"}"#
            #expect(try await errorCode { _ = try await server.login.logIn(json(wrong), from: "192.0.2.1") } == "M_FORBIDDEN")
        }
    }

    @Test("after some wrong passwords the account has to wait, and another has not")
    func failedAttempts() async throws {
        try await withDatabase(.sqlite) { database in
            var limits = RateLimits.none
            limits.login.failedAttempts = RateLimit(0.001, 3)
            let server = try await AccountsFixture(database, limits: limits)
            try await server.register("alice")
            try await server.register("bob")
            func tryToLogIn(_ name: String, _ password: String) async throws -> String? {
                let body = #"{"type":"m.login.password","user":"\#(name)","password":"\#(password)"}"#
                return try await errorCode { _ = try await server.login.logIn(json(body), from: "192.0.2.1") }
            }
            for _ in 0..<3 { #expect(try await tryToLogIn("alice", "wrong") == "M_FORBIDDEN") }
            #expect(try await tryToLogIn("Alice", "wonderland") == "M_LIMIT_EXCEEDED")
            #expect(try await tryToLogIn("bob", "wonderland") == nil)
        }
    }
}
