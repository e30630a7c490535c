// The stages of user-interactive authentication.

import Homeserver
import MatrixCore
import Testing

@Suite("Interactive authentication")
struct InteractiveAuthSessionTests {
    static let operation = InteractiveAuthSession.Operation(method: "POST", path: "/_matrix/client/v3/register", user: nil)

    private func session(_ flows: [[String]]) -> InteractiveAuthSession {
        InteractiveAuthSession(id: "s", operation: Self.operation, flows: flows, parameters: ["username": "alice"])
    }

    @Test("a new session asks, verifies a stage of its flows, and proceeds when a flow is complete")
    func stages() {
        var session = session([["a", "b"], ["c"]])
        #expect(session.action(presenting: nil) == .ask)
        #expect(session.action(presenting: "a") == .verify(stage: "a"))
        session.complete("a")
        #expect(!session.isComplete)
        #expect(session.action(presenting: "a") == .ask)
        #expect(session.action(presenting: "b") == .verify(stage: "b"))
        session.complete("b")
        #expect(session.action(presenting: nil) == .proceed)
    }

    @Test("a stage that no flow has is not verified")
    func unknownStage() {
        #expect(session([["a"]]).action(presenting: "z") == .ask)
    }

    @Test("an empty body of a later request leaves the parameters of the first")
    func parameters() {
        var session = session([["a"]])
        session.resume(with: [:])
        #expect(session.parameters["username"] == "alice")
        session.resume(with: ["username": "bob"])
        #expect(session.parameters["username"] == "bob")
    }

    @Test("the challenge names session, flows, what is done, and what failed")
    func challenge() throws {
        var session = session([["a", "b"]])
        let first = try JSONDocument(parsing: session.challenge()).root
        #expect(first["session"]?.string == "s")
        #expect(first["flows"]?[0]?["stages"]?[1]?.string == "b")
        #expect(first["params"]?.isObject == true)
        #expect(first["completed"] == nil && first["errcode"] == nil)
        session.complete("a")
        let second = try JSONDocument(parsing: session.challenge(error: .forbidden("no"))).root
        #expect(second["completed"]?[0]?.string == "a")
        #expect(second["errcode"]?.string == "M_FORBIDDEN")
    }

    // MARK: The sessions

    private func body(_ text: String) throws -> JSON { try JSONDocument(parsing: Array(text.utf8)).root }

    @Test("the dummy stage leads through, and passwords are not kept")
    func dummy() async throws {
        let sessions = InteractiveAuthentication()
        let challenge = await #expect(throws: InteractiveAuthRequired.self) {
            _ = try await sessions.authenticate(
                Self.operation, body: body(#"{"username":"a","password":"x"}"#), flows: [["m.login.dummy"]]
            ) { _, _ in nil }
        }
        let id = try #require(challenge).session
        let done = try await sessions.authenticate(
            Self.operation, body: body(#"{"auth":{"type":"m.login.dummy","session":"\#(id)"}}"#), flows: [["m.login.dummy"]]
        ) { _, _ in nil }
        #expect(done.parameters["username"] == "a")
        #expect(done.parameters["password"] == nil)
    }

    @Test("a failed stage is told in a challenge, and can be tried again")
    func failure() async throws {
        let sessions = InteractiveAuthentication()
        let challenge = await #expect(throws: InteractiveAuthRequired.self) {
            _ = try await sessions.authenticate(
                Self.operation, body: body(#"{"auth":{"type":"p"}}"#), flows: [["p"]]
            ) { _, _ in throw MatrixError.forbidden("wrong") }
        }
        let required = try #require(challenge)
        #expect(try JSONDocument(parsing: required.body).root["errcode"]?.string == "M_FORBIDDEN")
        let again = try body(#"{"auth":{"type":"p","session":"\#(required.session)"}}"#)
        #expect(try await sessions.authenticate(Self.operation, body: again, flows: [["p"]]) { _, _ in nil }.isComplete)
    }

    @Test("a session of one operation or user does not authorise another")
    func otherOperation() async throws {
        let sessions = InteractiveAuthentication()
        let finished = try await sessions.authenticate(
            Self.operation, body: body(#"{"auth":{"type":"p"}}"#), flows: [["p"]]
        ) { _, _ in nil }
        let reused = try body(#"{"auth":{"type":"p","session":"\#(finished.id)"}}"#)
        for other in [
            InteractiveAuthSession.Operation(method: "POST", path: "/other", user: nil),
            InteractiveAuthSession.Operation(
                method: Self.operation.method, path: Self.operation.path, user: UserID(trusted: "@eve:example.org")),
        ] {
            await #expect(throws: MatrixError.self) {
                _ = try await sessions.authenticate(other, body: reused, flows: [["p"]]) { _, _ in nil }
            }
        }
    }

    @Test("a session that is not known, and an auth that is no object, are refused")
    func malformed() async throws {
        let sessions = InteractiveAuthentication()
        for text in [#"{"auth":{"session":"nope"}}"#, #"{"auth":[]}"#, #"{"auth":{"type":1}}"#, #"{"auth":{"session":1}}"#] {
            let error = await #expect(throws: MatrixError.self) {
                _ = try await sessions.authenticate(Self.operation, body: body(text), flows: [["p"]]) { _, _ in nil }
            }
            #expect(error?.status == 400)
        }
    }
}
