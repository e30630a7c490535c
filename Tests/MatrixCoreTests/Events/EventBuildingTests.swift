// New events of this server. Server-Server API §Adding hashes and signatures to outgoing events.

import MatrixCore
import Testing

@Suite("Building events")
struct EventBuildingTests {
    private static let server = ServerName(trusted: "example.org")
    private static let alice = UserID(trusted: "@alice:example.org")
    private let key = SigningKey.generate(version: "a_AbCd")

    private func build(_ draft: EventDraft, roomID: RoomID? = RoomID(trusted: "!r:example.org"), version: RoomVersion) throws -> Event {
        let prev = EventID(trusted: "$prev")
        let auth = EventID(trusted: "$auth")
        return try Event.build(
            draft, roomID: roomID, version: version, prevEvents: [prev], authEvents: [auth],
            referenceHashes: [prev: "cHJldg", auth: "YXV0aA"], depth: 7, originServerTimestamp: Timestamp(milliseconds: 42),
            origin: Self.server, key: key)
    }

    @Test("a built event reads back as itself, hashed and signed", arguments: RoomVersion.all)
    func roundTrip(version: RoomVersion) throws {
        let draft = EventDraft(type: "m.x", stateKey: "k\"é", content: Array(#"{ "b":1, "a":"\u0041" }"#.utf8), sender: Self.alice)
        let event = try build(draft, version: version)
        let received = try Event(parsing: event.json, version: version)
        #expect(received.id == event.id)
        #expect(received.json == event.json)
        #expect(received.stateKey == "k\"é")
        #expect(String(decoding: event.contentBytes, as: UTF8.self) == #"{"a":"A","b":1}"#)
        #expect(try event.hasValidContentHash())
        let signatures = try event.signatures(of: Self.server)
        #expect(signatures.map(\.keyID) == ["ed25519:a_AbCd"])
        #expect(try key.verifyKey.verify(signatures[0].signature, of: event.signedBytes()))
        // The signature holds for the redacted event too, the content hash does not.
        let redacted = try event.redacted()
        #expect(try redacted.id == Event(parsing: redacted.json, version: version).id)
        #expect(try key.verifyKey.verify(signatures[0].signature, of: redacted.signedBytes()))
        #expect(try !redacted.hasValidContentHash())
    }

    @Test(
        "an event of room versions 1 and 2 gets an ID of this server and names others with their hashes", arguments: [RoomVersion.v1, .v2])
    func explicitIDs(version: RoomVersion) throws {
        let draft = EventDraft(type: "m.x", content: JSONObject(), sender: Self.alice)
        let event = try build(draft, version: version)
        #expect(event.id.server == Self.server)
        #expect(event.id.string.utf8.count == 1 + 18 + 1 + Self.server.string.utf8.count)
        #expect(try event.id != build(draft, version: version).id)
        let pdu = try event.document()
        #expect(pdu["event_id"]?.isString(event.id.string) == true)
        #expect(pdu["prev_events"]?.value == [["$prev", ["sha256": "cHJldg"]]])
        #expect(pdu["auth_events"]?.value == [["$auth", ["sha256": "YXV0aA"]]])
        #expect(throws: EventError.missingReferenceHash(event.id)) {
            try Event.build(
                draft, roomID: event.roomID, version: version, prevEvents: [event.id], authEvents: [], depth: 8,
                originServerTimestamp: Timestamp(milliseconds: 43), origin: Self.server, key: key)
        }
        let next = try Event.build(
            draft, roomID: event.roomID, version: version, prevEvents: [event.id], authEvents: [],
            referenceHashes: [event.id: event.referenceHash()], depth: .max, originServerTimestamp: Timestamp(milliseconds: 43),
            origin: Self.server, key: key)
        #expect(next.prevEvents == [event.id])
        #expect(next.depth == Event.depthLimit)
    }

    @Test("the template of another server becomes an event of this one", arguments: RoomVersion.all)
    func template(version: RoomVersion) throws {
        var template = PDU.object(version)
        for (key, value) in [
            ("type", "m.room.member"), ("sender", .string(Self.alice.string)), ("state_key", .string(Self.alice.string)),
            ("content", ["membership": "join"]), ("origin", "other.org"), ("origin_server_ts", "never"), ("unsigned", ["age": 1]),
        ] as [(String, JSONValue)] { template[key] = value }
        func build(_ template: JSONObject) throws -> Event {
            try Event.build(
                template: template, version: version, originServerTimestamp: Timestamp(milliseconds: 42), origin: Self.server, key: key)
        }
        let event = try build(template)
        #expect(try Event(parsing: event.json, version: version).id == event.id)
        #expect(try event.hasValidContentHash())
        #expect(try event.isSigned(by: Self.server, keys: [ByteString(key.keyID): key.verifyKey]))
        #expect(try event.signatures(of: ServerName(trusted: "domain")).isEmpty)
        #expect(event.originServerTimestamp == Timestamp(milliseconds: 42))
        #expect(event.membership == .join)
        if version.eventFormat == .explicitIDs { #expect(event.id.server == Self.server) }
        template["depth"] = "deep"
        #expect(throws: EventError.self) { try build(template) }
    }

    @Test("a second server's signature stands beside the first", arguments: RoomVersion.all)
    func secondSignature(version: RoomVersion) throws {
        let event = try build(EventDraft(type: "m.x", content: ["a": 1], sender: Self.alice), version: version)
        let other = SigningKey.generate(version: "other")
        let server = ServerName(trusted: "other.org")
        let signed = try event.signed(as: server, key: other)
        #expect(signed.id == event.id)
        #expect(try Event(parsing: signed.json, version: version).id == event.id)
        #expect(try signed.isSigned(by: Self.server, keys: [ByteString(key.keyID): key.verifyKey]))
        #expect(try signed.isSigned(by: server, keys: [ByteString(other.keyID): other.verifyKey]))
        #expect(try !signed.isSigned(by: server, keys: [ByteString(other.keyID): key.verifyKey]))
        #expect(try !signed.isSigned(by: server, keys: ["ed25519:unknown": other.verifyKey]))
        #expect(try !event.isSigned(by: server, keys: [ByteString(other.keyID): other.verifyKey]))
    }

    @Test("a create event of room version 12 makes its room ID")
    func createEvent() throws {
        let draft = EventDraft(type: "m.room.create", stateKey: "", content: ["room_version": "12"], sender: Self.alice)
        let event = try Event.build(
            draft, roomID: nil, version: .v12, prevEvents: [], authEvents: [], depth: 1,
            originServerTimestamp: Timestamp(milliseconds: 42), origin: Self.server, key: key)
        #expect(try event.document()["room_id"] == nil)
        #expect(event.roomID == RoomID(createEvent: event.id))
        #expect(try RoomID(parsing: event.roomID.string) == event.roomID)
    }

    @Test("redacts goes where the room version wants it")
    func redacts() throws {
        let target = EventID(trusted: "$target")
        let draft = EventDraft(type: "m.room.redaction", content: ["reason": "x"], sender: Self.alice, redacts: target)
        let old = try build(draft, version: .v10)
        #expect(old.redacts == target)
        #expect(old.content()["redacts"] == nil)
        let new = try build(draft, version: .v11)
        #expect(new.redacts == target)
        #expect(try new.document()["redacts"] == nil)
    }

    @Test(
        "a draft that is no event is refused",
        arguments: [
            (#"{"a":1.5}"#, "m.x", nil), (#"{"a":9007199254740992}"#, "m.x", nil), ("[]", "m.x", nil), ("{", "m.x", nil), ("", "m.x", nil),
            ("{}", "m.\u{0}", nil), ("{}", "m.x", "\u{0}"), ("{}", String(repeating: "x", count: 256), nil),
            ("{}", "m.x", String(repeating: "x", count: 256)), ("{\"a\":\"" + String(repeating: "x", count: 65_536) + "\"}", "m.x", nil),
        ] as [(String, String, String?)])
    func refusals(content: String, type: String, stateKey: String?) {
        let draft = EventDraft(
            type: ByteString(type), stateKey: stateKey.map { ByteString($0) }, content: Array(content.utf8), sender: Self.alice)
        #expect(throws: EventError.self) { try build(draft, version: .v12) }
    }

    @Test("what this server sends is within the limits of all versions, and leaves others room for unsigned", arguments: RoomVersion.all)
    func outgoingLimits(version: RoomVersion) throws {
        func draft(_ type: String, _ content: JSONObject = [:]) -> EventDraft {
            EventDraft(type: ByteString(type), content: content, sender: Self.alice)
        }
        #expect(throws: EventError.tooLarge("type")) { try build(draft(String(repeating: "é", count: 128)), version: version) }
        let frame = try build(draft("m.x", ["body": ""]), version: version).json.count
        func event(_ size: Int) throws -> Event {
            try build(draft("m.x", ["body": .string(String(repeating: "a", count: size - frame))]), version: version)
        }
        #expect(try event(Event.outgoingByteLimit).json.count == Event.outgoingByteLimit)
        #expect(throws: EventError.tooLarge("the event")) { try event(Event.outgoingByteLimit + 1) }
    }

    @Test("an event that is too large is M_TOO_LARGE with 413, floats are M_BAD_JSON")
    func errors() {
        #expect(MatrixError(EventError.tooLarge("type")) == .tooLarge("Event too large: type"))
        #expect(MatrixError(EventError.json(JSONError(reason: .floatNotAllowed, offset: 0))).errcode == "M_BAD_JSON")
    }
}
