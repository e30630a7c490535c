import MatrixCore
import Testing

@Suite("Policy servers")
struct PolicyServerTests {
    private static let name = ServerName(trusted: "policy.example")
    private let key = SigningKey.generate(version: "policy_server")

    private func policy(_ content: JSONObject) throws -> PolicyServer? {
        PolicyServer(content: try JSONDocument(parsing: content.canonicalBytes).root)
    }

    private func event(_ type: ByteString = "m.room.message", stateKey: ByteString? = nil) throws -> Event {
        try Event.build(
            EventDraft(
                type: type, stateKey: stateKey, content: ["body": "hello"] as JSONObject, sender: UserID(trusted: "@alice:a.example")),
            roomID: RoomID(trusted: "!room:a.example"), version: .v11, prevEvents: [], authEvents: [], depth: 5,
            originServerTimestamp: Timestamp(milliseconds: 1), origin: ServerName(trusted: "a.example"), key: .generate(version: "a"))
    }

    @Test(
        "content that lacks what it must have chooses nobody",
        arguments: [
            [:], ["via": "policy.example"], ["via": 5, "public_keys": ["ed25519": "x"]], ["via": "policy.example", "public_keys": [:]],
            ["via": "policy.example", "public_keys": ["ed25519": 5]], ["via": "policy.example", "public_keys": ["ed25519": "short"]],
            ["via": "not a name", "public_keys": ["ed25519": "mlJkUWtVRTlpS3oyTU1GYVZyWlBxZ2Y1U1FXQUFBQUFB"]],
        ] as [JSONObject])
    func incomplete(content: JSONObject) throws {
        #expect(try policy(content) == nil)
    }

    @Test("it recommends what it has signed with the key of the room, by its own name")
    func signatures() throws {
        let chosen = try policy(["via": "policy.example", "public_keys": ["ed25519": .string(key.verifyKey.base64)]])
        let policy = try #require(chosen)
        #expect(policy.name == Self.name)
        let event = try event()
        #expect(!policy.recommends(event))
        let signature = try key.sign(event.signedBytes())
        func signed(_ signature: String, by server: ServerName = Self.name, keyID: ByteString = PolicyServer.keyID) throws -> Event {
            try event.adding(signature, by: server, keyID: keyID)
        }
        let right = try signed(signature)
        #expect(policy.recommends(right) && right.id == event.id)
        #expect(try right.signatures(of: ServerName(trusted: "a.example")).count == 1)
        #expect(try !policy.recommends(signed(signature, keyID: "ed25519:other")))
        #expect(try !policy.recommends(signed(signature, by: ServerName(trusted: "other.example"))))
        #expect(try !policy.recommends(signed(SigningKey.generate(version: "policy_server").sign(event.signedBytes()))))
        #expect(try !policy.recommends(signed("no signature")))
    }

    @Test("everything is asked about but the choice of the policy server itself")
    func concerns() throws {
        #expect(try PolicyServer.concerns(event()))
        #expect(try PolicyServer.concerns(event("m.room.member", stateKey: "@alice:a.example")))
        #expect(try PolicyServer.concerns(event("m.room.policy")))
        #expect(try PolicyServer.concerns(event("m.room.policy", stateKey: "other")))
        #expect(try !PolicyServer.concerns(event("m.room.policy", stateKey: "")))
    }
}
