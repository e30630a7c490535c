import MatrixCore
import Testing

@Suite("Filters")
struct FilterTests {
    static func json(_ text: String) throws -> JSON { try JSONDocument(parsing: Array(text.utf8)).root }

    static let alice = UserID(trusted: "@alice:a.example")
    static let bob = UserID(trusted: "@bob:b.example")

    struct Case: Sendable, CustomTestStringConvertible {
        let sentence: String
        let filter: String
        var type: ByteString = "m.room.message"
        var sender: UserID? = FilterTests.alice
        var room = "!room:a.example"
        var content = "{}"
        let passes: Bool

        var testDescription: String { sentence }
    }

    static let cases = [
        Case(sentence: "the empty filter passes everything", filter: "{}", passes: true),
        Case(sentence: "a type in the list passes", filter: #"{"types":["m.room.message"]}"#, passes: true),
        Case(sentence: "a type beside the list does not", filter: #"{"types":["m.room.name"]}"#, passes: false),
        Case(sentence: "an empty list of types passes nothing", filter: #"{"types":[]}"#, passes: false),
        Case(sentence: "an asterisk ends a type", filter: #"{"types":["m.room.*"]}"#, passes: true),
        Case(sentence: "an asterisk begins a type", filter: #"{"types":["*.message"]}"#, passes: true),
        Case(sentence: "an asterisk stands within a type", filter: #"{"types":["m.*.message"]}"#, passes: true),
        Case(sentence: "an asterisk takes nothing from the ends", filter: #"{"types":["m.room.message*message"]}"#, passes: false),
        Case(sentence: "a dot is a dot", filter: #"{"types":["m?room.*"]}"#, passes: false),
        Case(
            sentence: "exclusion of a type wins", filter: #"{"types":["m.room.message"],"not_types":["m.room.message"]}"#, passes: false),
        Case(sentence: "an asterisk excludes everything", filter: #"{"not_types":["*"]}"#, passes: false),
        Case(sentence: "a sender in the list passes", filter: #"{"senders":["@alice:a.example"]}"#, passes: true),
        Case(sentence: "a sender beside the list does not", filter: #"{"senders":["@bob:b.example"]}"#, passes: false),
        Case(
            sentence: "exclusion of a sender wins", filter: #"{"senders":["@alice:a.example"],"not_senders":["@alice:a.example"]}"#,
            passes: false),
        Case(
            sentence: "what has no sender is in no list of senders", filter: #"{"senders":["@alice:a.example"]}"#, sender: nil,
            passes: false),
        Case(sentence: "what has no sender is not excluded", filter: #"{"not_senders":["@alice:a.example"]}"#, sender: nil, passes: true),
        Case(sentence: "a room in the list passes", filter: #"{"rooms":["!room:a.example"]}"#, passes: true),
        Case(sentence: "a room beside the list does not", filter: #"{"rooms":["!other:a.example"]}"#, passes: false),
        Case(
            sentence: "exclusion of a room wins", filter: #"{"rooms":["!room:a.example"],"not_rooms":["!room:a.example"]}"#, passes: false),
        Case(sentence: "an event without url is not one with url", filter: #"{"contains_url":true}"#, passes: false),
        Case(sentence: "an event with url is", filter: #"{"contains_url":true}"#, content: #"{"url":"mxc://a/b"}"#, passes: true),
        Case(sentence: "a url that is no string is none", filter: #"{"contains_url":true}"#, content: #"{"url":1}"#, passes: false),
        Case(sentence: "events with url can be left out", filter: #"{"contains_url":false}"#, content: #"{"url":"x"}"#, passes: false),
    ]

    @Test("an event passes a filter by type, sender, room and content", arguments: cases)
    func matching(_ line: Case) throws {
        let filter = try RoomEventFilter(json: Self.json(line.filter))
        let content = try Self.json(line.content)
        let passes = filter.passes(type: line.type, sender: line.sender, room: RoomID(trusted: line.room), content: content)
        #expect(passes == line.passes)
        if filter.passesEverything { #expect(line.passes) }
        if filter.passesNothing { #expect(!line.passes) }
    }

    @Test("a whole filter is read into its parts")
    func whole() throws {
        let filter = try Filter(
            json: Self.json(
                #"""
                {"event_fields":["content.body"],"event_format":"federation","presence":{"not_types":["*"]},
                 "account_data":{"limit":3,"types":["m.direct"]},
                 "room":{"rooms":["!a:a"],"not_rooms":["!b:a"],"include_leave":true,"ephemeral":{"not_types":["m.typing"]},
                  "state":{"lazy_load_members":true,"include_redundant_members":true},
                  "timeline":{"limit":7,"unread_thread_notifications":true},"account_data":{"not_types":["*"]}},
                 "org.example.unknown":1}
                """#))
        #expect(filter.eventFields != nil)
        #expect(filter.eventFormat == .federation)
        #expect(filter.presence.passesNothing)
        #expect(filter.accountData.limit == 3)
        #expect(filter.accountData.passes(type: "m.direct"))
        #expect(filter.room.rooms.passes(RoomID(trusted: "!a:a")))
        #expect(!filter.room.rooms.passes(RoomID(trusted: "!b:a")))
        #expect(filter.room.includeLeave)
        #expect(!filter.room.ephemeral.events.passes(type: "m.typing"))
        #expect(filter.room.state.lazyLoadMembers)
        #expect(filter.room.state.includeRedundantMembers)
        #expect(filter.room.timeline.limit(default: 10, maximum: 100) == 7)
        #expect(filter.room.timeline.unreadThreadNotifications)
        #expect(filter.room.accountData.passesNothing)
        #expect(try Filter(json: Self.json("{}")) == .everything)
    }

    @Test("a limit is bounded by what the endpoint allows")
    func limits() throws {
        #expect(try EventFilter(json: Self.json("{}")).limit(default: 10, maximum: 100) == 10)
        #expect(try EventFilter(json: Self.json(#"{"limit":1e300}"#)).limit(default: 10, maximum: 100) == 100)
        #expect(try EventFilter(json: Self.json(#"{"limit":0}"#)).limit(default: 10, maximum: 100) == 0)
    }

    @Test(
        "a property of the wrong type is M_BAD_JSON",
        arguments: [
            "[]", #"{"room":[]}"#, #"{"room":{"timeline":1}}"#, #"{"room":{"timeline":{"limit":"ten"}}}"#,
            #"{"room":{"timeline":{"limit":-1}}}"#, #"{"room":{"timeline":{"types":"m.room.message"}}}"#,
            #"{"room":{"timeline":{"types":[1]}}}"#, #"{"room":{"timeline":{"senders":["alice"]}}}"#, #"{"room":{"rooms":["room"]}}"#,
            #"{"room":{"include_leave":"yes"}}"#, #"{"room":{"state":{"lazy_load_members":1}}}"#, #"{"event_format":"xml"}"#,
            #"{"event_fields":"content"}"#, #"{"presence":{"not_senders":[""]}}"#, #"{"account_data":true}"#,
            #"{"room":{"timeline":{"contains_url":null}}}"#,
        ])
    func wrongTypes(_ text: String) throws {
        let error = #expect(throws: MatrixError.self) { try Filter(json: Self.json(text)) }
        #expect(error?.errcode == "M_BAD_JSON")
        #expect(error?.status == 400)
    }

    @Test(
        "event fields keep what they name and leave out empty objects",
        arguments: [
            (["type"], #"{"type":"t"}"#), (["content.body"], #"{"content":{"body":"hi"}}"#),
            (["content"], #"{"content":{"body":"hi","m.x":{"a":1,"b":2}}}"#),
            (["content", "content.body"], #"{"content":{"body":"hi","m.x":{"a":1,"b":2}}}"#),
            ([#"content.m\.x.b"#], #"{"content":{"m.x":{"b":2}}}"#),
            (["content.none", "none", "type.deeper"], "{}"), ([], "{}"),
            (["type", "content.body"], #"{"type":"t","content":{"body":"hi"}}"#),
        ])
    func eventFields(_ paths: [String], _ expected: String) throws {
        let event = try Self.json(#"{"type":"t","content":{"body":"hi","m.x":{"a":1,"b":2}}}"#)
        var writer = JSONWriter()
        EventFields(paths: paths).write(event, to: &writer)
        #expect(String(decoding: writer.bytes, as: UTF8.self) == expected)
    }
}
