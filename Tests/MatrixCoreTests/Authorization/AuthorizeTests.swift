import MatrixCore
import Testing

@Suite("Authorization: messages and state")
struct AuthorizeTests {
    @Test("Events are allowed to members with the power they need", arguments: cases, RoomVersion.all)
    func events(_ line: AuthCase, _ version: RoomVersion) throws {
        #expect(try line.refusal(in: version) == line.refusedBy(in: version))
    }

    static let cases: [AuthCase] = [
        AuthCase("a member sends a message", refusedBy: nil) { room in
            try room.event("m.room.message", nil, ["body": "hi"], by: "@alice:a.example")
        },
        AuthCase("who is not in the room sends nothing", refusedBy: "6") { room in
            try room.event("m.room.message", nil, ["body": "hi"], by: "@bob:b.example")
        },
        AuthCase("who is only invited sends nothing", refusedBy: "6", given: { try $0.setMember("@bob:b.example", "invite") }) { room in
            try room.event("m.room.message", nil, ["body": "hi"], by: "@bob:b.example")
        },
        AuthCase("a type that needs more power is refused to a member", refusedBy: "8") { room in
            try room.event("org.example.high", nil, [:], by: "@alice:a.example")
        },
        AuthCase("a moderator sends a type that needs their level", refusedBy: nil) { room in
            try room.event("org.example.high", nil, [:], by: "@mod:a.example")
        },
        AuthCase("state events need 50 where the power levels do not say", refusedBy: "8") { room in
            try room.event("m.room.topic", "", ["topic": "t"], by: "@alice:a.example")
        },
        AuthCase("a moderator sets state", refusedBy: nil) { room in
            try room.event("m.room.topic", "", ["topic": "t"], by: "@mod:a.example")
        },
        AuthCase("a user's own state key is theirs", refusedBy: nil) { room in
            try room.event("org.example.status", "@mod:a.example", [:], by: "@mod:a.example")
        },
        AuthCase("nobody sets state under another user's id", refusedBy: "9") { room in
            try room.event("org.example.status", "@alice:a.example", [:], by: "@admin:a.example")
        },
        AuthCase("a redaction is allowed to any member: whether it is applied is another question", refusedBy: nil) { room in
            try room.event("m.room.redaction", nil, ["redacts": "$event"], by: "@alice:a.example")
        }.unless({ !$0.authorizesRedactions }, "redaction.3"),
        AuthCase("a moderator cannot do what needs 100", refusedBy: "8") { room in
            try room.event("m.room.tombstone", "", [:], by: "@mod:a.example")
        },
    ]

    @Test("users of other servers take no part in a room that is not federated", arguments: RoomVersion.all)
    func unfederated(_ version: RoomVersion) throws {
        var room = try AuthFixture(version, create: ["m.federate": false])
        try room.setMember("@bob:b.example", "join")
        let rule = version == .v12 ? "4" : "3"
        #expect(room.refusal(of: try room.event("m.room.message", nil, ["body": "hi"], by: "@bob:b.example")) == rule)
        #expect(room.refusal(of: try room.event("m.room.message", nil, ["body": "hi"], by: "@alice:a.example")) == nil)
    }

    @Test("before room version 12 the creator has 100 while there are no power levels, and everybody else 0")
    func creatorWithoutPowerLevels() throws {
        var room = try AuthFixture(.v11)
        room.remove(.powerLevels)
        #expect(room.refusal(of: try room.event("m.room.topic", "", [:], by: AuthFixture.creator)) == nil)
        #expect(room.refusal(of: try room.event("m.room.topic", "", [:], by: "@admin:a.example")) == "7")
        #expect(room.refusal(of: try room.event("m.room.power_levels", "", ["users": [:]], by: AuthFixture.creator)) == nil)
    }

    @Test("in room version 12 creators may do everything, additional ones too, whatever the power levels say")
    func creatorsStandAbove() throws {
        let levels: JSONObject = ["users": ["@admin:a.example": 9_007_199_254_740_991], "events": ["m.room.topic": 9_007_199_254_740_991]]
        var room = try AuthFixture(.v12, create: ["additional_creators": ["@second:b.example"]], powerLevels: levels)
        try room.setMember("@second:b.example", "join")
        for creator in [AuthFixture.creator, "@second:b.example"] {
            #expect(room.refusal(of: try room.event("m.room.topic", "", [:], by: creator)) == nil)
            let kick = try room.event("m.room.member", "@admin:a.example", ["membership": "leave"], by: creator)
            #expect(room.refusal(of: kick) == nil)
            let kicked = try room.event("m.room.member", ByteString(creator), ["membership": "ban"], by: "@admin:a.example")
            #expect(room.refusal(of: kicked) == "5.6.3")
        }
        let second = try room.event("m.room.member", "@second:b.example", ["membership": "leave"], by: AuthFixture.creator)
        #expect(room.refusal(of: second) == "5.5.5", "a creator cannot kick another creator")
    }

    @Test("in room version 12 an event of another room than the create event's is refused")
    func otherRoom() throws {
        let room = try AuthFixture(.v12)
        let other = try AuthFixture(.v12, create: ["topic": "another"])
        let event = try other.event("m.room.message", nil, ["body": "hi"], by: "@alice:a.example")
        #expect(room.refusal(of: event) == "2")
    }

    @Test("nothing is allowed in a room without a create event", arguments: [(RoomVersion.v11, "2.4"), (.v12, "2")])
    func noCreateEvent(_ version: RoomVersion, _ rule: String) throws {
        var room = try AuthFixture(version)
        room.remove(.create)
        #expect(room.refusal(of: try room.event("m.room.message", nil, [:], by: "@alice:a.example")) == rule)
    }
}

@Suite("Authorization: create events (rule 1)")
struct CreateRulesTests {
    static func create(
        _ version: RoomVersion, _ content: JSONObject, room: String? = nil, prev: [EventID] = []
    ) throws -> Event {
        let roomID = try room.map { try RoomID(parsing: $0) }
        let draft = EventDraft(type: "m.room.create", stateKey: "", content: content, sender: try UserID(parsing: AuthFixture.creator))
        return try AuthFixture.build(draft, room: roomID, version: version, prev: prev)
    }

    func refusal(of event: Event) -> String? {
        do {
            try authorize(event, against: AuthEventState(events: [], version: event.version), version: event.version)
            return nil
        } catch {
            return error.rule
        }
    }

    @Test("a create event of room version 12 has no room id, and creators who are users")
    func version12() throws {
        #expect(refusal(of: try Self.create(.v12, ["room_version": "12"])) == nil)
        #expect(refusal(of: try Self.create(.v12, ["room_version": "12", "additional_creators": []])) == nil)
        #expect(refusal(of: try Self.create(.v12, ["room_version": "12", "additional_creators": ["@b:b.example"]])) == nil)
        for creators: JSONValue in ["@b:b.example", ["b"], [1], .null, [:]] {
            let event = try Self.create(.v12, ["room_version": "12", "additional_creators": creators])
            #expect(refusal(of: event) == "1.4", "additional_creators: \(creators)")
        }
    }

    @Test("the room id of earlier versions belongs to the creator's server", arguments: [RoomVersion.v10, .v11])
    func roomServer(_ version: RoomVersion) throws {
        let content: JSONObject = ["room_version": .string(version.id), "creator": .string(AuthFixture.creator)]
        #expect(refusal(of: try Self.create(version, content, room: "!room:a.example")) == nil)
        #expect(refusal(of: try Self.create(version, content, room: "!room:b.example")) == "1.2")
    }

    @Test("room version 10 names its creator in the content, later versions need not")
    func creator() throws {
        #expect(refusal(of: try Self.create(.v10, ["room_version": "10"], room: "!room:a.example")) == "1.4")
        #expect(refusal(of: try Self.create(.v11, ["room_version": "11"], room: "!room:a.example")) == nil)
    }

    @Test("a create event has no previous events and a room version that is known")
    func others() throws {
        let previous = [EventID(trusted: "$previous")]
        #expect(refusal(of: try Self.create(.v11, [:], room: "!room:a.example", prev: previous)) == "1.1")
        #expect(refusal(of: try Self.create(.v11, ["room_version": "org.example"], room: "!room:a.example")) == "1.3")
        #expect(refusal(of: try Self.create(.v11, ["room_version": 11], room: "!room:a.example")) == "1.3")
        #expect(refusal(of: try Self.create(.v11, [:], room: "!room:a.example")) == nil)
    }
}
