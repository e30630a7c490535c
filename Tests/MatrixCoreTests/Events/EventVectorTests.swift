// Events and their hashes as the reference implementation computes them, and what holds for all events.

import MatrixCore
import Testing

@Suite("Event hashes")
struct EventVectorTests {
    /// A membership that has something of everything that redactions treat differently.
    private static func membership(_ version: RoomVersion, depth: Int64 = 7) -> JSONObject {
        var object: JSONObject = [
            "type": "m.room.member", "state_key": "@b:x.example", "depth": .int(depth), "room_id": "!r:x.example", "sender": "@a:x.example",
            "content": [
                "membership": "join", "displayname": "ä", "join_authorised_via_users_server": "@a:x.example",
                "third_party_invite": ["display_name": "b", "signed": ["token": "t"]],
            ],
            "hashes": ["sha256": "aGFzaA"], "prev_events": ["$p"], "auth_events": ["$a"], "origin_server_ts": 1_500_000_000_000,
            "origin": "x.example", "membership": "join", "prev_state": [], "signatures": ["x.example": ["ed25519:1": "c2ln"]], "extra": 1,
        ]
        if version.eventFormat == .explicitIDs {
            object["event_id"] = "$e:x.example"
            object["prev_events"] = [["$p:x.example", ["sha256": "cA"]]]
            object["auth_events"] = [["$a:x.example", ["sha256": "YQ"]]]
        }
        return object
    }

    private static let explicit = ("Dqn3y2KiNb+HK5nCvMVp9hP7y7bBUA68Z8QE9UR4ZwM", "Ra99SVJO7aogrjw5BOdqUS4iXA/0o0XGTXBUMdwtz2Q")
    private static let laterContentHash = "v0aB9Qeoul3o0bVLsIhDHpqY/wPJ0SCQ2nS8CXVsBwI"
    private static let v3 = (laterContentHash, "RX6LvxMTaKEaw5MnP59tsR4AJCLSnAUz2yDBCfcERIY")
    private static let v9 = (laterContentHash, "Cid+DkDqdkvSu2Na7g60c8cAyK3IwTRUXssFQ1Vj4YQ")
    private static let v11 = (laterContentHash, "xPO7QGKCxDmhYkyzHCCFm2vqzdoIlw694BdpBaXkpZ4")

    @Test(
        "content hash and reference hash of an event in every room version",
        arguments: zip(RoomVersion.all, [explicit, explicit, v3, v3, v3, v3, v3, v3, v9, v9, v11, v11]))
    func hashes(version: RoomVersion, expected: (content: String, reference: String)) throws {
        let event = try PDU.parse(Self.membership(version), version)
        #expect(Event.contentHash(of: try event.document()) == expected.content)
        #expect(try event.referenceHash() == expected.reference)
        if version.eventFormat == .urlSafeReferenceHash {
            #expect(event.id.string == "$" + expected.reference.replacing("+", with: "-").replacing("/", with: "_"))
        }
    }

    @Test("room version 3 writes hashes in one alphabet, later versions in the other")
    func alphabets() throws {
        func id(_ version: RoomVersion) throws -> String { try PDU.parse(Self.membership(version, depth: 14), version).id.string }
        #expect(try id(.v3) == "$Th4+/oMRVaMCeWtTMVgvyDaGNWQDZjM4aeLnagdTHGc")
        #expect(try id(.v4) == "$Th4-_oMRVaMCeWtTMVgvyDaGNWQDZjM4aeLnagdTHGc")
    }

    @Test(
        "a float is hashed as it is in all of an old room",
        arguments: [
            ("50.0", "$l8jJDKm25PtxqCvowS0Xg72CsEPc5jefWAnDJ6CVGCs"), ("1e3", "$OuYu-mq2n4VycUnIEcdw3DyBT5w3y8sByucESMFkcag"),
            ("123456789012345678901234567890", "$PaqEwHN1z6VQixphhNucRuqP9MhFGpu0B9R24s8as50"),
            ("0.1e-7", "$lZj4smAMrUbIyegmF_DkEw2i22etxtDQz65pvxJBh6M"), ("1e22", "$2gFuBCweIx0xOTbaKaiCj-YmDpMbTWnSI8d1QjLEN7o"),
            ("-0", "$ncoaG5tE3f4rmTvPik6wA4iHPavYupetmW1lMKdc-bI"), ("-0.0", "$SkemcUwXtyxM1YJje8DLP73_7EBtWY-Guj2zGuPP8to"),
        ])
    func floats(number: String, id: String) throws {
        let text = """
            {"type":"m.room.power_levels","state_key":"","depth":1,"room_id":"!a:b","sender":"@a:b","content":{"ban":\(number)},\
            "hashes":{"sha256":"x"},"prev_events":[],"auth_events":[],"origin_server_ts":1,"signatures":{}}
            """
        #expect(try Event(parsing: Array(text.utf8), version: .v5).id.string == id)
    }

    @Test("a tampered event has no valid content hash, a redacted one neither", arguments: RoomVersion.all)
    func contentHash(version: RoomVersion) throws {
        var object = PDU.object(version)
        let hash = Event.contentHash(of: try JSONDocument(parsing: object.canonicalBytes).root)
        object["hashes"] = ["sha256": .string(hash)]
        let event = try PDU.parse(object, version)
        #expect(try event.hasValidContentHash())
        #expect(try !event.redacted().hasValidContentHash())
        object["content"] = ["body": "y"]
        #expect(try !PDU.parse(object, version).hasValidContentHash())
        object["hashes"] = ["sha256": "not Base64"]
        #expect(try !PDU.parse(object, version).hasValidContentHash())
    }

    // MARK: What holds for all events

    @Test("an event that was read and written is the same to the byte, and a redaction changes nothing twice", arguments: RoomVersion.all)
    func properties(version: RoomVersion) throws {
        var random = SeededGenerator(seed: 7)
        let types: [JSONValue] = [
            "m.room.message", "m.room.member", "m.room.create", "m.room.join_rules", "m.room.power_levels", "m.room.aliases",
            "m.room.history_visibility", "m.room.redaction",
        ]
        for _ in 0..<200 {
            var object = PDU.object(version)
            object["type"] = types.randomElement(using: &random)
            object["content"] = .object(random.object(floats: !version.strictJSON))
            for key in ["state_key", "redacts", "origin"] where Bool.random(using: &random) { object[key] = .string(random.text()) }
            for key in ["membership", "prev_state", "extra"] where Bool.random(using: &random) {
                object[key] = random.value(depth: 2, floats: !version.strictJSON)
            }
            // A create event of room version 12 that is the room's has no room ID.
            if version.createEventDecidesRoomID, object["state_key"] == "" { object["state_key"] = nil }
            let event = try PDU.parse(object, version)
            let again = try Event(parsing: event.json, version: version)
            #expect(again.json == event.json)
            #expect(again.id == event.id)
            // The content that is spliced into what clients get is the content that was read.
            #expect(Array(event.contentBytes) == event.content().canonicalBytes)

            let redacted = try event.redacted()
            #expect(try redacted.redacted().json == redacted.json)
            #expect(try Event(parsing: redacted.json, version: version).id == event.id)
            #expect(try redacted.signedBytes() == event.signedBytes())
        }
    }
}

/// Random JSON that a failure's seed brings back.
extension SeededGenerator {
    mutating func text() -> String {
        let letters = ["a", "Z", "é", "\"", "\\", "\n", "\u{0}", "\u{7F}", "😀", "日", "/", " "]
        return (0..<Int.random(in: 0..<8, using: &self)).map { _ in letters.randomElement(using: &self) ?? "" }.joined()
    }

    mutating func value(depth: Int, floats: Bool) -> JSONValue {
        switch Int.random(in: 0..<(depth > 0 ? 8 : 6), using: &self) {
        case 0: .null
        case 1: .bool(.random(using: &self))
        case 2: .int(.random(in: -9_007_199_254_740_991...9_007_199_254_740_991, using: &self))
        case 3: floats ? .double(.random(in: -1e6...1e6, using: &self)) : .int(0)
        case 4, 5: .string(text())
        case 6: .array((0..<Int.random(in: 0..<4, using: &self)).map { _ in value(depth: depth - 1, floats: floats) })
        default: .object(object(depth: depth - 1, floats: floats))
        }
    }

    mutating func object(depth: Int = 3, floats: Bool) -> JSONObject {
        let known = [
            "membership", "creator", "join_rule", "allow", "users", "events", "invite", "ban", "aliases", "history_visibility", "redacts",
            "third_party_invite", "join_authorised_via_users_server",
        ]
        var object: JSONObject = [:]
        for _ in 0..<Int.random(in: 0..<6, using: &self) {
            let key = Bool.random(using: &self) ? known.randomElement(using: &self) ?? "" : text()
            object[key] = value(depth: depth, floats: floats)
        }
        return object
    }
}
