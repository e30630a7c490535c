// Sessions of user-interactive authentication on both databases.

import Homeserver
import MatrixCore
import Persistence
import TestSupport
import Testing

@Suite("Interactive authentication")
struct InteractiveAuthenticationTests {
    static let operation = InteractiveAuthSessionTests.operation

    /// A stage that is done by who says the right word.
    private struct WordStage: InteractiveAuthStage {
        static let type = "word"

        func verify(_ submission: StageSubmission) async throws -> StageOutcome {
            guard submission.auth["word"]?.string == "swordfish" else { throw MatrixError.forbidden("wrong") }
            return StageOutcome(StageResult(user: UserID(trusted: "@alice:test")))
        }
    }

    private static let flows = [["word"]]
    private static let rightWord = #""type":"word","word":"swordfish""#

    private func service(_ database: any Database) -> InteractiveAuthentication {
        InteractiveAuthentication(database: database, stages: [WordStage(), DummyStage()])
    }

    private func ask(
        _ service: InteractiveAuthentication, _ body: String, operation: InteractiveAuthSession.Operation = Self.operation,
        flows: [[String]] = Self.flows
    ) async throws -> InteractiveAuthSession {
        try await service.authenticate(operation, body: json(body), flows: flows, from: "192.0.2.1")
    }

    private func challenge(
        _ service: InteractiveAuthentication, _ body: String, flows: [[String]] = Self.flows
    ) async throws -> InteractiveAuthRequired {
        try #require(await #expect(throws: InteractiveAuthRequired.self) { _ = try await ask(service, body, flows: flows) })
    }

    @Test("a session goes on after a restart, and keeps the parameters without secrets", arguments: DatabaseKind.allCases)
    func restart(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let id = try await challenge(service(database), #"{"username":"a","password":"x"}"#).session
            let done = try await ask(service(database), #"{"auth":{"session":"\#(id)",\#(Self.rightWord)}}"#)
            #expect(done.parameters["username"] == "a" && done.parameters["password"] == nil)
            #expect(done.provenUser?.string == "@alice:test")
            // Once done, it need not be presented again.
            #expect(try await ask(service(database), #"{"auth":{"session":"\#(id)"}}"#).completed == ["word"])
        }
    }

    @Test("a failed stage is told in a challenge, and can be tried again", arguments: DatabaseKind.allCases)
    func failure(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let required = try await challenge(service(database), #"{"auth":{"type":"word","word":"guess"}}"#)
            let body = try JSONDocument(parsing: required.body).root
            #expect(body["errcode"]?.string == "M_FORBIDDEN" && body["completed"]?.count == 0)
            let done = try await ask(service(database), #"{"auth":{"session":"\#(required.session)",\#(Self.rightWord)}}"#)
            #expect(done.isComplete(Self.flows))
        }
    }

    @Test("what was done on a page counts for the client that goes on", arguments: DatabaseKind.allCases)
    func outOfBand(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let service = service(database)
            let id = try await challenge(service, "{}").session
            await #expect(throws: MatrixError.self) {
                try await service.present("word", auth: json(#"{"word":"guess"}"#), session: id, from: "192.0.2.2")
            }
            try await service.present("word", auth: json(#"{"word":"swordfish"}"#), session: id, from: "192.0.2.2")
            #expect(try await ask(service, #"{"auth":{"session":"\#(id)"}}"#).isComplete(Self.flows))
            await #expect(throws: MatrixError.self) {
                try await service.present("unheard", auth: json("{}"), session: id, from: "192.0.2.2")
            }
        }
    }

    @Test("two stages of one session at the same moment are both kept", arguments: DatabaseKind.allCases)
    func together(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let (service, flows) = (service(database), [["word", "m.login.dummy"]])
            let id = try await challenge(service, "{}", flows: flows).session
            try await withThrowingTaskGroup(of: Void.self) { group in
                for (stage, auth) in [("word", #"{"word":"swordfish"}"#), ("m.login.dummy", "{}")] {
                    group.addTask { try await service.present(stage, auth: json(auth), session: id, from: "192.0.2.2") }
                }
                try await group.waitForAll()
            }
            #expect(try await ask(service, #"{"auth":{"session":"\#(id)"}}"#, flows: flows).isComplete(flows))
        }
    }

    @Test("a session of one operation or user does not authorise another")
    func otherOperation() async throws {
        try await withDatabase(.sqlite) { database in
            let service = service(database)
            let id = try await challenge(service, "{}").session
            _ = try await ask(service, #"{"auth":{"session":"\#(id)",\#(Self.rightWord)}}"#)
            for other in [
                InteractiveAuthSession.Operation(method: "POST", path: "/other", user: nil),
                InteractiveAuthSession.Operation(method: "PUT", path: Self.operation.path, user: nil),
                InteractiveAuthSession.Operation(
                    method: Self.operation.method, path: Self.operation.path, user: UserID(trusted: "@eve:example.org")),
            ] {
                let body = #"{"auth":{"session":"\#(id)"}}"#
                let refusal = try await errorCode { _ = try await ask(service, body, operation: other) }
                #expect(refusal == "M_FORBIDDEN")
            }
        }
    }

    @Test("a session that is not known, too much to keep, and an auth that is no object are refused")
    func malformed() async throws {
        try await withDatabase(.sqlite) { database in
            let service = service(database)
            for text in [#"{"auth":{"session":"nope"}}"#, #"{"auth":[]}"#, #"{"auth":{"type":1}}"#, #"{"auth":{"session":1}}"#] {
                let error = await #expect(throws: MatrixError.self) { _ = try await ask(service, text) }
                #expect(error?.status == 400)
            }
            let large = #"{"username":"\#(String(repeating: "a", count: 10_000))"}"#
            let refusal = try await errorCode { _ = try await ask(service, large) }
            #expect(refusal == "M_TOO_LARGE")
        }
    }

    @Test("sessions end two days after they began, and only so many are kept", arguments: DatabaseKind.allCases)
    func ends(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let service = service(database)
            let id = try await challenge(service, "{}").session
            try await service.sweep()
            _ = try await service.session(id)
            let future = Timestamp.now.advanced(byMilliseconds: 1)
            try await database.write { try InteractiveAuthStore.deleteSessions(createdBefore: future, on: $0) }
            #expect(try await errorCode { _ = try await service.session(id) } == "M_UNKNOWN")

            var ids: [String] = []
            for _ in 0..<5 {
                ids.append(try await challenge(service, "{}").session)
                try await Task.sleep(for: .milliseconds(2))
            }
            // Sessions in which something was done do not go for those in which nothing was.
            try await service.present("m.login.dummy", auth: json("{}"), session: ids[0], from: "192.0.2.1")
            try await database.write { try InteractiveAuthStore.trim(to: 2, on: $0) }
            var left: [String] = []
            for id in ids where try await errorCode({ _ = try await service.session(id) }) == nil { left.append(id) }
            #expect(left == [ids[0], ids[3], ids[4]])
        }
    }

    // MARK: Those who are logged in

    private static let deletion = InteractiveAuthSession.Operation(
        method: "DELETE", path: "/_matrix/client/v3/devices/D", user: AccountsFixture.alice)

    @Test("a user shows who they are by their own password and by nobody else's", arguments: DatabaseKind.allCases)
    func password(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let server = try await AccountsFixture(database)
            try await server.register("bob")
            let token = try await server.sessions.open(
                server.register("alice"), device: nil, displayName: nil, withRefreshToken: false
            ).accessToken
            let alice = try await server.sessions.authenticate(token: token)
            func confirm(_ name: String, _ password: String) async throws {
                let auth = #"{"auth":{"type":"m.login.password","user":"\#(name)","password":"\#(password)"}}"#
                _ = try await server.reauthentication.confirm(
                    alice, Self.deletion, body: json(auth), mayBeRecent: true, from: "192.0.2.1")
            }
            try await confirm("alice", "wonderland")
            await #expect(throws: InteractiveAuthRequired.self) { try await confirm("alice", "wrong") }
            #expect(try await errorCode { try await confirm("bob", "wonderland") } == "M_FORBIDDEN")
        }
    }

    @Test(
        "a recent proof is enough where the operator says so, for a while, and not for what cannot be undone",
        arguments: DatabaseKind.allCases)
    func recentProof(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let server = try await AccountsFixture(database, proofTimeout: .seconds(600))
            let session = try await server.sessions.open(
                server.register("alice"), device: nil, displayName: nil, withRefreshToken: true)
            var alice = try await server.sessions.authenticate(token: session.accessToken)
            func confirm(mayBeRecent: Bool) async throws -> Bool {
                try await server.reauthentication.confirm(
                    alice, Self.deletion, body: json("{}"), mayBeRecent: mayBeRecent, from: "192.0.2.1") == nil
            }
            // The login was a proof.
            #expect(try await confirm(mayBeRecent: true))
            await #expect(throws: InteractiveAuthRequired.self) { _ = try await confirm(mayBeRecent: false) }
            let (past, id) = (Timestamp.now.advanced(byMilliseconds: -601_000), alice.tokenID)
            try await database.write { try SessionStore.setValidated(accessToken: id, at: past, on: $0) }
            await #expect(throws: InteractiveAuthRequired.self) { _ = try await confirm(mayBeRecent: true) }
            // A refresh is none.
            let refreshed = try await server.sessions.refresh(try #require(session.refreshToken))
            alice = try await server.sessions.authenticate(token: refreshed.accessToken)
            await #expect(throws: InteractiveAuthRequired.self) { _ = try await confirm(mayBeRecent: true) }
        }
    }
}
