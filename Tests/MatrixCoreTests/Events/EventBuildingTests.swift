// New events of this server. Server-Server API §Adding hashes and signatures to outgoing events.

import MatrixCore
import Testing

@Suite("Building events")
struct EventBuildingTests {
    private static let server = ServerName(trusted: "example.org")
    private static let alice = UserID(trusted: "@alice:example.org")
    private let key = SigningKey.generate(version: "a_AbCd")

    private func build(_ draft: EventDraft, roomID: RoomID? = RoomID(trusted: "!r:example.org"), version: RoomVersion) throws -> Event {
        try Event.build(
            draft, roomID: roomID, version: version, prevEvents: [EventID(trusted: "$prev")], authEvents: [EventID(trusted: "$auth")],
            depth: 7, originServerTimestamp: Timestamp(milliseconds: 42), origin: Self.server, key: key)
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

    @Test("an event that is too large is M_TOO_LARGE with 413, floats are M_BAD_JSON")
    func errors() {
        #expect(MatrixError(EventError.tooLarge("type")) == .tooLarge("Event too large: type"))
        #expect(MatrixError(EventError.json(JSONError(reason: .floatNotAllowed, offset: 0))).errcode == "M_BAD_JSON")
    }
}
