// What is an event of which room version. Rooms §Event format; Server-Server API §PDUs; Client-Server API §Size limits.

import MatrixCore
import Testing

@Suite("Event format")
struct EventFormatTests {
    @Test(
        "an event of the wrong form is refused in every room version",
        arguments: [
            ("type", nil), ("type", 1), ("sender", nil), ("sender", "alice"), ("sender", "@alice"), ("room_id", nil), ("room_id", "x"),
            ("room_id", "!x"), ("content", nil), ("content", []), ("content", "x"), ("depth", nil), ("depth", -1), ("depth", "3"),
            ("depth", 1.5), ("depth", true), ("depth", 9_007_199_254_740_992), ("depth", .int(.max)), ("origin_server_ts", nil),
            ("origin_server_ts", "x"), ("origin_server_ts", 1.5), ("origin_server_ts", true), ("prev_events", nil),
            ("prev_events", ["x"]), ("prev_events", [1]), ("prev_events", [.null]), ("prev_events", [["$x:y"]]),
            ("prev_events", [["$x:y", "h"]]), ("prev_events", [["$x:y", [:], [:]]]), ("prev_events", [["$x:y", ["sha256": 1]]]),
            ("prev_events", [[[:], "$x:y"]]), ("auth_events", nil), ("auth_events", [:]), ("hashes", nil), ("hashes", [:]),
            ("hashes", ["md5": "x"]), ("hashes", ["sha256": "x", "md5": 1]), ("signatures", nil), ("signatures", ["domain": 1]),
            ("signatures", ["domain": ["k": 1]]), ("state_key", .null), ("state_key", 1), ("event_id", 1),
        ] as [(String, JSONValue?)], RoomVersion.all)
    func malformed(change: (String, JSONValue?), version: RoomVersion) {
        var object = PDU.object(version)
        object[change.0] = change.1
        #expect(throws: EventError.self) { try PDU.parse(object, version) }
    }

    @Test("event IDs stand in the event in room versions 1 and 2, and only there", arguments: RoomVersion.all)
    func eventID(version: RoomVersion) throws {
        var object = PDU.object(version)
        guard version.eventFormat == .explicitIDs else {
            object["event_id"] = "$e:domain"
            #expect(throws: EventError.self) { try PDU.parse(object, version) }
            return
        }
        #expect(try PDU.parse(object, version).id.server == ServerName(trusted: "domain"))
        for id: JSONValue? in [nil, "$e", "e:domain", "$e:", "$e:do main", ""] {
            object["event_id"] = id
            #expect(throws: EventError.self) { try PDU.parse(object, version) }
        }
    }

    @Test("links are pairs with hashes in room versions 1 and 2, and plain IDs after", arguments: RoomVersion.all)
    func links(version: RoomVersion) throws {
        var object = PDU.object(version)
        for other in RoomVersion.all where (other.eventFormat == .explicitIDs) != (version.eventFormat == .explicitIDs) {
            object["prev_events"] = [PDU.link(other)]
            #expect(throws: EventError.self) { try PDU.parse(object, version) }
        }
        object["prev_events"] = []
        #expect(try PDU.parse(object, version).prevEvents == [])
    }

    @Test("numbers beyond canonical JSON are refused from room version 6 on, and kept before", arguments: RoomVersion.all)
    func numbers(version: RoomVersion) throws {
        for text in ["0.5", "1e3", "9007199254740992", "-9007199254740992", "123456789012345678901234567890"] {
            var json = PDU.object(version)
            json["x"] = "?"
            let bytes = Array(String(decoding: json.canonicalBytes, as: UTF8.self).replacing("\"?\"", with: text).utf8)
            if version.strictJSON {
                #expect(throws: EventError.self) { try Event(parsing: bytes, version: version) }
            } else {
                let event = try Event(parsing: bytes, version: version)
                #expect(String(decoding: event.json, as: UTF8.self).contains("\"x\":\(text == "1e3" ? "1000.0" : text)"))
            }
        }
        // Times may lie anywhere; integers of old rooms may use all of 64 bits, but no more.
        var object = PDU.object(version)
        object["origin_server_ts"] = -1
        #expect(try PDU.parse(object, version).originServerTimestamp == Timestamp(milliseconds: -1))
        object["origin_server_ts"] = .int(.max)
        if version.strictJSON {
            #expect(throws: EventError.self) { try PDU.parse(object, version) }
        } else {
            #expect(try PDU.parse(object, version).originServerTimestamp == Timestamp(milliseconds: .max))
        }
    }

    @Test("a number that is no double is refused", arguments: [RoomVersion.v1, .v5])
    func infinity(version: RoomVersion) {
        let text = String(decoding: PDU.object(version).canonicalBytes, as: UTF8.self).replacing("\"body\":\"x\"", with: "\"body\":1e400")
        #expect(throws: EventError.self) { try Event(parsing: Array(text.utf8), version: version) }
    }

    @Test(
        "a float of an old event is written as its hashes have it everywhere",
        arguments: [
            ("50.0", "50.0"), ("1e3", "1000.0"), ("1E2", "100.0"), ("50.57", "50.57"), ("0.1e-7", "1e-08"), ("1e22", "1e+22"),
            ("1.0e16", "1e+16"), ("9999999999999998.0", "9999999999999998.0"), ("123456789.123456789", "123456789.12345679"),
            ("1e-5", "1e-05"), ("0.0001", "0.0001"), ("0.00012345", "0.00012345"), ("-0.0", "-0.0"), ("0.0", "0.0"),
            ("-1.5E-10", "-1.5e-10"), ("5e-324", "5e-324"), ("1.7976931348623157e308", "1.7976931348623157e+308"),
            ("1234567890123456.7", "1234567890123456.8"), ("12345678901234567.8", "1.2345678901234568e+16"),
            ("1e15", "1000000000000000.0"), ("1e16", "1e+16"), ("123e-2", "1.23"), ("100000000000000000000.0", "1e+20"), ("0.1", "0.1"),
            ("3.0e0", "3.0"), ("-0", "0"),
        ])
    func floats(text: String, canonical: String) throws {
        let json = try JSONDocument(parsing: Array("[\(text)]".utf8), limits: .lenientEvent).root
        #expect(String(decoding: json.canonicalBytes, as: UTF8.self) == "[\(canonical)]")
        let again = try JSONDocument(parsing: json.canonicalBytes, limits: .lenientEvent).root
        #expect(again.canonicalBytes == json.canonicalBytes)
    }

    @Test("events are nested 127 deep at most", arguments: [RoomVersion.v1, .v12])
    func depth(version: RoomVersion) throws {
        func event(_ depth: Int) throws -> Event {
            var object = PDU.object(version)
            object["content"] = ["a": "?"]
            // The event and its content are two levels.
            let nest = String(repeating: "[", count: depth - 2) + String(repeating: "]", count: depth - 2)
            let text = String(decoding: object.canonicalBytes, as: UTF8.self).replacing("\"?\"", with: nest)
            return try Event(parsing: Array(text.utf8), version: version)
        }
        let deepest = try event(127)
        #expect(deepest.content()["a"]?.isArray == true)
        #expect(try deepest.redacted().id == deepest.id)
        #expect(throws: EventError.self) { try event(128) }
        #expect(throws: EventError.self) { try event(30_000) }
    }

    @Test(
        "fields are measured in bytes from room version 11 on, in code points before",
        arguments: ["type", "state_key", "sender", "room_id"],
        RoomVersion.all)
    func fieldSizes(key: String, version: RoomVersion) throws {
        func event(_ letter: String, _ count: Int) throws -> Event {
            var object = PDU.object(version)
            let frame = ["sender": ("@", ":domain"), "room_id": ("!", ":domain")][key] ?? ("", "")
            let padding = String(repeating: letter, count: count - frame.0.utf8.count - frame.1.utf8.count)
            object[key] = .string(frame.0 + padding + frame.1)
            return try PDU.parse(object, version)
        }
        _ = try event("a", 255)
        #expect(throws: EventError.tooLarge(key)) { try event("a", 256) }
        #expect(throws: EventError.tooLarge(key)) { try event("é", 256) }
        if version.measuresFieldsInBytes {
            #expect(throws: EventError.tooLarge(key)) { try event("é", 255) }
        } else {
            #expect(throws: AuthRejection.self) { try checkFieldSizes(of: event("é", 255)) }
            try checkFieldSizes(of: event("a", 255))
        }
    }

    @Test("the whole event has 65,536 bytes at most, whatever unsigned says", arguments: [RoomVersion.v1, .v12])
    func size(version: RoomVersion) throws {
        var object = PDU.object(version)
        object["content"] = ["body": ""]
        let room = Event.byteLimit - object.canonicalBytes.count
        object["content"] = ["body": .string(String(repeating: "a", count: room))]
        object["unsigned"] = ["age": 12345]
        #expect(try PDU.parse(object, version).json.count == Event.byteLimit)
        object["content"] = ["body": .string(String(repeating: "a", count: room + 1))]
        #expect(throws: EventError.tooLarge("the event")) { try PDU.parse(object, version) }
    }

    @Test("unsigned may hold any number, the event may not", arguments: RoomVersion.all.filter(\.strictJSON))
    func unsigned(version: RoomVersion) throws {
        func event(_ member: String) throws -> Event {
            let text = String(decoding: PDU.object(version).canonicalBytes, as: UTF8.self)
            return try Event(parsing: Array("{\(member),\(text.dropFirst())".utf8), version: version)
        }
        let plain = try PDU.parse(PDU.object(version), version)
        let received = try event(#""unsigned":{"age":1.5,"x":[1e40,9007199254740992]}"#)
        #expect(received.id == plain.id)
        #expect(received.json == plain.json)
        #expect(throws: EventError.self) { try event(#""unsigned":{"age":1.5},"y":0.5"#) }
        #expect(throws: EventError.self) { try event(#""unsigned":1.5"#) }
        #expect(throws: EventError.self) { try event(#""y":0.5"#) }
    }

    @Test("only rooms of version 12 have IDs without a server name", arguments: RoomVersion.all)
    func roomIDs(version: RoomVersion) throws {
        var object = PDU.object(version)
        object["room_id"] = "!31hneApxJ_1o-63DmFrpeqnkFfWppnzWso1JvH3ogLM"
        if version.createEventDecidesRoomID {
            #expect(try PDU.parse(object, version).roomID.server == nil)
        } else {
            #expect(throws: EventError.self) { try PDU.parse(object, version) }
        }
    }
}
