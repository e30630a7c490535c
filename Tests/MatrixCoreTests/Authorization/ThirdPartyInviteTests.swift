import MatrixCore
import Testing

@Suite("Authorization: third-party invites (rules 5.4.1 and 7)")
struct ThirdPartyInviteTests {
    static let bob = "@bob:b.example"
    static let identityServer = SigningKey.generate(version: "0")

    /// What the identity server signed: that `mxid` owns the address of the invite `token`.
    static func signed(mxid: String = bob, token: String = "token", by key: SigningKey = identityServer) throws -> JSONValue {
        .object(try JSONSigning.sign(["mxid": .string(mxid), "token": .string(token)], as: "identity.example", key: key))
    }

    /// A room in which `@mod` has invited an address under the token `token`.
    static func room(_ version: RoomVersion, _ content: JSONObject) throws -> AuthFixture {
        var room = try AuthFixture(version)
        try room.set("m.room.third_party_invite", "token", content, by: "@mod:a.example")
        return room
    }

    static let oneKey: JSONObject = ["display_name": "b", "public_key": .string(identityServer.verifyKeyBase64)]

    static func invite(_ signed: JSONValue?, in room: AuthFixture, by sender: String = "@mod:a.example") throws -> Event {
        var invite: JSONObject = ["display_name": "b"]
        invite["signed"] = signed
        return try room.event(
            "m.room.member", ByteString(bob), ["membership": "invite", "third_party_invite": .object(invite)], by: sender)
    }

    /// The rule that refuses, in the numbers of room version 12; the room has version 12.
    func refusal(_ signed: JSONValue?, by sender: String = "@mod:a.example", waiting: JSONObject = oneKey) throws -> String? {
        let room = try Self.room(.v12, waiting)
        return room.refusal(of: try Self.invite(signed, in: room, by: sender))
    }

    @Test("an invite signed by the key of the third-party invite is allowed", arguments: RoomVersion.all)
    func signed(_ version: RoomVersion) throws {
        let room = try Self.room(version, Self.oneKey)
        #expect(room.refusal(of: try Self.invite(Self.signed(), in: room)) == nil)
    }

    @Test("a key in the list of public keys is as good")
    func listedKey() throws {
        let other = SigningKey.generate(version: "1")
        let waiting: JSONObject = [
            "public_key": .string(other.verifyKeyBase64),
            "public_keys": [["public_key": "rubbish"], ["public_key": .string(Self.identityServer.verifyKeyBase64)]],
        ]
        #expect(try refusal(Self.signed(), waiting: waiting) == nil)
    }

    @Test("a signature by another key is refused")
    func otherKey() throws {
        #expect(try refusal(Self.signed(by: SigningKey.generate(version: "0"))) == "5.4.1.8")
    }

    @Test("a signature for other content is refused")
    func alteredContent() throws {
        var altered = try #require(try Self.signed().object)
        altered["sender"] = "@mod:a.example"
        #expect(try refusal(.object(altered)) == "5.4.1.8")
    }

    @Test("an invite without a signed part is refused")
    func unsigned() throws {
        #expect(try refusal(nil) == "5.4.1.2")
    }

    @Test("a signed part needs mxid and token")
    func incomplete() throws {
        #expect(try refusal(["mxid": .string(Self.bob)]) == "5.4.1.3")
        #expect(try refusal(["token": "token"]) == "5.4.1.3")
        #expect(try refusal("token") == "5.4.1.3")
    }

    @Test("the signed user must be the one invited")
    func otherUser() throws {
        #expect(try refusal(Self.signed(mxid: "@carol:b.example")) == "5.4.1.4")
    }

    @Test("the room must have a third-party invite of the token")
    func otherToken() throws {
        #expect(try refusal(Self.signed(token: "another")) == "5.4.1.5")
    }

    @Test("only the sender of the third-party invite makes an invite of it")
    func otherSender() throws {
        #expect(try refusal(Self.signed(), by: "@admin:a.example") == "5.4.1.6")
    }

    @Test("a banned user is not invited by a third-party invite")
    func banned() throws {
        var room = try Self.room(.v12, Self.oneKey)
        try room.setMember(Self.bob, "ban")
        #expect(room.refusal(of: try Self.invite(Self.signed(), in: room)) == "5.4.1.1")
    }

    @Test("a third-party invite is sent by whoever may invite, whatever state events need")
    func sending() throws {
        let room = try AuthFixture(.v12, powerLevels: AuthFixture.powerLevels(.v12, ["state_default": 100]))
        let content: JSONObject = ["display_name": "b", "public_key": "", "key_validity_url": ""]
        #expect(room.refusal(of: try room.event("m.room.third_party_invite", "t", content, by: "@mod:a.example")) == nil)
        #expect(room.refusal(of: try room.event("m.room.third_party_invite", "t", content, by: "@alice:a.example")) == "7.1")
    }

    @Test("an invite that answers a third-party invite needs no signature of its sender's server")
    func signers() throws {
        let room = try Self.room(.v12, Self.oneKey)
        #expect(try requiredSigners(of: Self.invite(Self.signed(), in: room)) == [])
    }
}
