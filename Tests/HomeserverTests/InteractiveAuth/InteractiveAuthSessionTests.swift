// The stages of user-interactive authentication, as a value.

import Homeserver
import MatrixCore
import Testing

@Suite("A session of interactive authentication")
struct InteractiveAuthSessionTests {
    static let operation = InteractiveAuthSession.Operation(method: "POST", path: "/_matrix/client/v3/register", user: nil)

    private func session() -> InteractiveAuthSession {
        InteractiveAuthSession(id: "s", operation: Self.operation, parameters: ["username": "alice"])
    }

    @Test("a new session asks, verifies a stage of its flows, and proceeds when a flow is complete")
    func stages() {
        let flows = [["a", "b"], ["c"]]
        var session = session()
        #expect(session.action(presenting: nil, of: flows) == .ask)
        #expect(session.action(presenting: "a", of: flows) == .verify(stage: "a"))
        session.complete("a")
        #expect(!session.isComplete(flows))
        #expect(session.action(presenting: "a", of: flows) == .ask)
        #expect(session.action(presenting: "b", of: flows) == .verify(stage: "b"))
        session.complete("b")
        #expect(session.action(presenting: nil, of: flows) == .proceed)
        #expect(session.completed == ["a", "b"])
    }

    @Test("a stage that no flow has is verified only where it may be done of one's own accord")
    func unknownStage() {
        #expect(session().action(presenting: "z", of: [["a"]]) == .ask)
        #expect(session().action(presenting: "z", of: [["a"]], voluntary: ["z"]) == .verify(stage: "z"))
    }

    @Test("an empty body of a later request leaves the parameters of the first")
    func parameters() {
        var session = session()
        let (none, same) = (session.resume(with: [:]), session.resume(with: ["username": "alice"]))
        #expect(!none && !same && session.parameters["username"] == "alice")
        let other = session.resume(with: ["username": "bob"])
        #expect(other)
        #expect(session.parameters["username"] == "bob")
    }

    @Test("whose credentials were right, and which address was shown, the results of the stages say")
    func results() {
        var session = session()
        #expect(session.provenUser == nil && session.provenThirdPartyIDs.isEmpty)
        let proven = ProvenThirdPartyID(medium: "email", address: "a@example.org", validated: Timestamp(milliseconds: 7))
        session.complete("p", with: StageResult(user: UserID(trusted: "@alice:test")))
        session.complete("e", with: StageResult(thirdPartyID: proven))
        #expect(session.provenUser?.string == "@alice:test" && session.provenThirdPartyIDs == [proven])
    }

    @Test("the challenge names session, flows, what clients are told of the stages, what is done, and what failed")
    func challenge() throws {
        var session = session()
        let parameters = { (stage: String) -> JSONObject? in stage == "b" ? ["public_key": "k"] : nil }
        let first = try JSONDocument(parsing: session.challenge([["a", "b"]], parameters: parameters)).root
        #expect(first["session"]?.string == "s")
        #expect(first["flows"]?[0]?["stages"]?[1]?.string == "b")
        #expect(first["params"]?["b"]?["public_key"]?.string == "k" && first["params"]?["a"] == nil)
        #expect(first["completed"] == nil && first["errcode"] == nil)
        session.complete("a")
        let second = try JSONDocument(parsing: session.challenge([["a", "b"]], error: .forbidden("no"))).root
        #expect(second["completed"]?[0]?.string == "a")
        #expect(second["errcode"]?.string == "M_FORBIDDEN")
    }
}
