// Events: hashes, signatures, format, sizes. Server-Server API §Signing Events; Appendices §Event Signing.

import MatrixCore
import Testing

@Suite("Events")
struct EventTests {
    private static let pdu = PDU.object(.v11)

    @Test(
        "the specification's vectors of signed events",
        arguments: [
            (
                #"{"room_id":"!x:domain","sender":"@a:domain","origin":"domain","origin_server_ts":1000000,"signatures":{},"hashes":{},"#
                    + #""type":"X","content":{},"prev_events":[],"auth_events":[],"depth":3,"unsigned":{"age_ts":1000000}}"#,
                "5jM4wQpv6lnBo7CLIghJuHdW+s2CMBJPUOGOC89ncos",
                "KxwGjPSDEtvnFgU00fwFz+l6d2pJM6XBIaMEn81SXPTRl16AqLAYqfIReFGZlHi5KLjAWbOoMszkwsQma+lYAg"
            ),
            (
                #"{"content":{"body":"Here is the message content"},"event_id":"$0:domain","origin":"domain","origin_server_ts":1000000,"#
                    + #""type":"m.room.message","room_id":"!r:domain","sender":"@u:domain","signatures":{},"unsigned":{"age_ts":1000000}}"#,
                "onLKD1bGljeBWQhWZ1kaP9SorVmRQNdN5aM2JYU2n/g",
                "Wm+VzmOUOz08Ds+0NTWb1d4CZrVsJSikkeRxh6aCcUwu6pNC78FunoD7KNWzqFn241eYHYMGCA5McEiVPdhzBA"
            ),
        ])
    func vectors(text: String, contentHash: String, signature: String) throws {
        let json = try JSONDocument(parsing: Array(text.utf8)).root
        #expect(Event.contentHash(of: json) == contentHash)
        var hashed = JSONObject(json)
        hashed["hashes"] = ["sha256": .string(contentHash)]
        let pdu = try JSONDocument(parsing: hashed.canonicalBytes).root
        let signed = Event.signedBytes(of: pdu, version: .v1)
        #expect(try SpecificationKey.key().sign(signed) == signature)
    }

    @Test("an event keeps its bytes as canonical JSON and its fields beside them", arguments: RoomVersion.all)
    func parsing(version: RoomVersion) throws {
        var object = PDU.object(version)
        object["unsigned"] = ["age": 5]
        object["state_key"] = "k"
        let event = try Event(parsing: object.canonicalBytes, version: version)
        object["unsigned"] = nil
        #expect(event.json == object.canonicalBytes)
        #expect(event.type == "m.room.message")
        #expect(event.stateKey == "k")
        #expect(event.sender == UserID(trusted: "@a:domain"))
        #expect(event.roomID == PDU.room)
        #expect(event.depth == 3)
        #expect(event.originServerTimestamp == Timestamp(milliseconds: 1_000_000))
        #expect(event.prevEvents == [PDU.previous(version)])
        #expect(event.authEvents == [PDU.previous(version)])
        #expect(event.content()["body"]?.string == "x")
        #expect(version.eventFormat == .explicitIDs ? event.id.string == "$e:domain" : event.id.string.utf8.count == 44)
        let stored = try Event(trusted: event.json, id: event.id, version: version)
        #expect(stored.json == event.json)
        #expect(try stored.redacted().id == event.id)
        #expect(try stored.redacted().content()["body"] == nil)
    }

    @Test("white space, order and escapes do not change an event's ID")
    func canonicalID() throws {
        let event = try Event(parsing: Self.pdu.canonicalBytes, version: .v11)
        let text = String(decoding: Self.pdu.canonicalBytes, as: UTF8.self).replacing("\"type\":", with: " \"t\\u0079pe\" :\n")
        #expect(try Event(parsing: Array(text.utf8), version: .v11).id == event.id)
    }

    @Test("signatures do not change an event's ID, hashes do")
    func signaturesAndID() throws {
        let event = try Event(parsing: Self.pdu.canonicalBytes, version: .v11)
        var signed = Self.pdu
        signed["signatures"] = [:]
        #expect(try Event(parsing: signed.canonicalBytes, version: .v11).id == event.id)
        var rehashed = Self.pdu
        rehashed["hashes"] = ["sha256": "BBBB"]
        #expect(try Event(parsing: rehashed.canonicalBytes, version: .v11).id != event.id)
    }

    @Test(
        "an event of the wrong form is refused",
        arguments: [
            ("type", nil), ("type", 1), ("sender", nil), ("sender", "alice"), ("sender", "@alice"), ("room_id", nil), ("room_id", "x"),
            ("content", nil), ("content", []), ("content", "x"), ("depth", nil), ("depth", -1), ("depth", "3"), ("depth", 1.5),
            ("origin_server_ts", nil), ("origin_server_ts", "x"), ("prev_events", nil), ("prev_events", ["x"]),
            ("prev_events", [["$x", [:]]]),
            ("auth_events", nil), ("auth_events", [:]), ("hashes", nil), ("hashes", [:]), ("signatures", nil),
            ("signatures", ["domain": 1]),
            ("signatures", ["domain": ["k": 1]]), ("state_key", nil), ("state_key", 1), ("x", 0.5), ("x", 9_007_199_254_740_992),
        ] as [(String, JSONValue?)])
    func malformed(key: String, value: JSONValue?) {
        var object = Self.pdu
        object[key] = value
        // `state_key` may be absent, but not of another type.
        if key == "state_key", value == nil { object[key] = .null }
        #expect(throws: EventError.self) { try Event(parsing: object.canonicalBytes, version: .v10) }
    }

    @Test("fields over 255 bytes and events over 64 KiB are refused", arguments: ["type", "state_key", "sender", "room_id"])
    func sizes(key: String) throws {
        var object = Self.pdu
        let padding = String(repeating: "é", count: 128)
        object[key] = .string(["sender": "@\(padding):domain", "room_id": "!\(padding):domain"][key] ?? padding)
        #expect(throws: EventError.tooLarge(key)) { try Event(parsing: object.canonicalBytes, version: .v11) }

        var large = Self.pdu
        large["content"] = ["body": ""]
        let room = Event.byteLimit - large.canonicalBytes.count
        large["content"] = ["body": .string(String(repeating: "a", count: room))]
        #expect(try Event(parsing: large.canonicalBytes, version: .v11).json.count == Event.byteLimit)
        large["content"] = ["body": .string(String(repeating: "a", count: room + 1))]
        #expect(throws: EventError.tooLarge("the event")) { try Event(parsing: large.canonicalBytes, version: .v11) }
    }

    @Test("more links than the specification allows are refused")
    func linkLimits() throws {
        let link = JSONValue.string(PDU.previous(.v11).string)
        for (key, limit) in [("prev_events", 20), ("auth_events", 10)] {
            var object = Self.pdu
            object[key] = .array(Array(repeating: link, count: limit))
            _ = try Event(parsing: object.canonicalBytes, version: .v11)
            object[key] = .array(Array(repeating: link, count: limit + 1))
            #expect(throws: EventError.tooLarge(key)) { try Event(parsing: object.canonicalBytes, version: .v11) }
        }
    }

    @Test("the redacted event is found where the room version keeps it")
    func redacts() throws {
        var object = Self.pdu
        object["type"] = "m.room.redaction"
        object["redacts"] = "$top"
        object["content"] = ["redacts": "$inside"]
        #expect(try Event(parsing: object.canonicalBytes, version: .v10).redacts == EventID(trusted: "$top"))
        #expect(try Event(parsing: object.canonicalBytes, version: .v11).redacts == EventID(trusted: "$inside"))
        object["type"] = "m.room.message"
        #expect(try Event(parsing: object.canonicalBytes, version: .v10).redacts == nil)
    }

    @Test("the create event of room version 12 names its room by its own hash")
    func createEventOfVersion12() throws {
        var object = Self.pdu
        object["type"] = "m.room.create"
        object["state_key"] = ""
        #expect(throws: EventError.self) { try Event(parsing: object.canonicalBytes, version: .v12) }
        object["room_id"] = nil
        let event = try Event(parsing: object.canonicalBytes, version: .v12)
        #expect(event.roomID.string == "!" + event.id.string.dropFirst())
        #expect(event.roomID.createEvent == event.id)
        #expect(throws: EventError.self) { try Event(parsing: object.canonicalBytes, version: .v11) }
    }

    @Test("a membership event knows its membership", arguments: [("join", Membership.join), ("x", nil)])
    func membership(text: String, membership: Membership?) throws {
        var object = Self.pdu
        object["content"] = ["membership": .string(text)]
        #expect(try Event(parsing: object.canonicalBytes, version: .v11).membership == nil)
        object["type"] = "m.room.member"
        #expect(try Event(parsing: object.canonicalBytes, version: .v11).membership == membership)
    }
}
