import MatrixCore
import Testing

@Suite("Authorization: power levels (rule 10)")
struct PowerLevelsRulesTests {
    @Test("Nobody gives or takes more power than they have", arguments: cases, RoomVersion.all)
    func changes(_ line: AuthCase, _ version: RoomVersion) throws {
        #expect(try line.refusal(in: version) == line.refusedBy(in: version))
    }

    /// A room in which moderators may change the power levels, and one of them does.
    private static func change(
        _ sentence: String, refusedBy: String?, by sender: String = "@mod:a.example", from old: JSONObject = [:], to new: JSONObject
    ) -> AuthCase {
        let base: JSONObject = ["state_default": 50]
        return AuthCase(
            sentence, refusedBy: refusedBy,
            given: { room in
                let content = AuthFixture.powerLevels(room.version, base.merging(old))
                try room.set("m.room.power_levels", "", content, by: AuthFixture.creator)
            },
            when: { room in
                let content = AuthFixture.powerLevels(room.version, base.merging(old).merging(new))
                return try room.event("m.room.power_levels", "", content, by: sender)
            })
    }

    static let cases: [AuthCase] = [
        change("a moderator leaves everything as it is", refusedBy: nil, to: [:]),
        change("a moderator raises a property to their own level", refusedBy: nil, to: ["users_default": 50]),
        change("a moderator raises no property above their own level", refusedBy: "10.6.2", to: ["kick": 51]),
        change("a moderator lowers no property from above their own level", refusedBy: "10.6.1", from: ["ban": 75], to: ["ban": 50]),
        change("a moderator removes no property from above their own level", refusedBy: "10.6.1", from: ["ban": 75], to: ["ban": .null]),
        change("a moderator adds no property above their own level", refusedBy: "10.6.2", to: ["redact": 75]),
        change(
            "a moderator takes an event's level down to what they have", refusedBy: nil,
            to: ["events": ["org.example.high": 10, "m.room.tombstone": 100]]),
        change(
            "a moderator lowers no event's level from above their own", refusedBy: "10.7.1",
            to: ["events": ["org.example.high": 50, "m.room.tombstone": 50]]),
        change("a moderator removes no event's level from above their own", refusedBy: "10.7.1", to: ["events": ["org.example.high": 50]]),
        change(
            "a moderator adds no event's level above their own", refusedBy: "10.8.1",
            to: ["events": ["org.example.high": 50, "m.room.tombstone": 100, "m.room.name": 75]]),
        change(
            "a moderator lowers no notification's level from above their own", refusedBy: "10.7.1",
            from: ["notifications": ["room": 75]], to: ["notifications": ["room": 0]]
        ).unless({ $0.limitsNotificationLevels }, nil),
        change("a moderator raises no notification's level above their own", refusedBy: "10.8.1", to: ["notifications": ["room": 75]])
            .unless({ $0.limitsNotificationLevels }, nil),
        change("an integer must be an integer: no string", refusedBy: "10.1", by: "@admin:a.example", to: ["kick": "50"])
            .unless({ $0.integerPowerLevels }, nil),
        change("an integer must be an integer: no null", refusedBy: "10.1", by: "@admin:a.example", to: ["kick": .array([])])
            .unless({ $0.integerPowerLevels }, "10.6"),
        change("the events are an object of integers", refusedBy: "10.2", by: "@admin:a.example", to: ["events": ["a": "1"]])
            .unless({ $0.integerPowerLevels }, nil),
        change("the notifications are an object", refusedBy: "10.2", by: "@admin:a.example", to: ["notifications": 50])
            .unless({ $0.integerPowerLevels }, "10.7").unless({ $0.limitsNotificationLevels }, nil),
        change("the users are an object of integers", refusedBy: "10.3", by: "@admin:a.example", to: ["users": ["@b:b.example": "1"]])
            .unless({ $0.integerPowerLevels }, "10.9.1"),
        change("the users are user ids", refusedBy: "10.3", by: "@admin:a.example", to: ["users": ["b": 1]]),
        change("the users are an object", refusedBy: "10.3", by: "@admin:a.example", to: ["users": []]),
        change("who lacks the power for the event gets no further", refusedBy: "8", by: "@alice:a.example", to: [:]),
        users("a moderator makes somebody a moderator", refusedBy: nil) { $0["@alice:a.example"] = 50 },
        users("a moderator makes nobody an administrator", refusedBy: "10.10.1") { $0["@alice:a.example"] = 51 },
        users("a moderator gives up their own level", refusedBy: nil) { $0["@mod:a.example"] = 0 },
        users("a moderator strikes themselves from the list", refusedBy: nil) { $0["@mod:a.example"] = nil },
        users("a moderator does not raise themselves", refusedBy: "10.10.1") { $0["@mod:a.example"] = 100 },
        users("a moderator demotes nobody above them", refusedBy: "10.9.1") { $0["@admin:a.example"] = 0 },
        users("a moderator strikes nobody above them from the list", refusedBy: "10.9.1") { $0["@admin:a.example"] = nil },
        users("a moderator does not demote one of their own level", refusedBy: "10.9.1") { $0["@mod2:a.example"] = 0 },
        users("a moderator demotes one below them", refusedBy: nil) { $0["@helper:a.example"] = 0 },
    ]

    /// A moderator sends the power levels with other users.
    private static func users(
        _ sentence: String, refusedBy: String?, change: @escaping @Sendable (inout JSONObject) -> Void
    ) -> AuthCase {
        @Sendable func content(_ version: RoomVersion) -> JSONObject {
            var content = AuthFixture.powerLevels(version)
            var users = content["users"]?.object ?? [:]
            users["@mod2:a.example"] = 50
            users["@helper:a.example"] = 25
            content["users"] = .object(users)
            return content
        }
        return AuthCase(
            sentence, refusedBy: refusedBy,
            given: { try $0.set("m.room.power_levels", "", content($0.version), by: AuthFixture.creator) },
            when: { room in
                var content = content(room.version)
                var users = content["users"]?.object ?? [:]
                change(&users)
                content["users"] = .object(users)
                return try room.event("m.room.power_levels", "", content, by: "@mod:a.example")
            })
    }

    @Test("in room version 12 the power levels name no creator, neither the sender of the create event nor an additional one")
    func creatorsAreNotListed() throws {
        let room = try AuthFixture(.v12, create: ["additional_creators": ["@second:b.example"]])
        for creator in [AuthFixture.creator, "@second:b.example"] {
            let event = try room.event("m.room.power_levels", "", ["users": [creator: 100]], by: AuthFixture.creator)
            #expect(room.refusal(of: event) == "10.4")
        }
        var first = room
        first.remove(.powerLevels)
        let event = try first.event("m.room.power_levels", "", ["users": [AuthFixture.creator: 100]], by: AuthFixture.creator)
        #expect(first.refusal(of: event) == "10.4", "not even in the first power levels of the room")
    }

    @Test("in room version 12 a creator sets levels that nobody else could")
    func creatorsSetEverything() throws {
        let room = try AuthFixture(.v12)
        let content = AuthFixture.powerLevels(.v12, ["ban": 9_007_199_254_740_991, "users": ["@admin:a.example": 0]])
        #expect(room.refusal(of: try room.event("m.room.power_levels", "", content, by: AuthFixture.creator)) == nil)
    }
}

@Suite("Power levels")
struct PowerLevelsTests {
    func levels(_ content: String?, _ version: RoomVersion = .v11) throws -> PowerLevels {
        let json = try content.map { try JSONDocument(parsing: Array($0.utf8)).root }
        return PowerLevels(content: json, creators: [try UserID(parsing: "@creator:a.example")], version: version)
    }

    @Test("what the event does not say has the specification's defaults")
    func defaults() throws {
        for content in ["{}", nil] {
            let levels = try levels(content)
            #expect(levels.ban == 50)
            #expect(levels.kick == 50)
            #expect(levels.redact == 50)
            #expect(levels.invite == 0)
            #expect(levels.required(toSend: "m.room.topic", isState: true) == 50)
            #expect(levels.required(toSend: "m.room.message", isState: false) == 0)
            #expect(levels.required(toNotify: "room") == 50)
            #expect(levels.level(of: try UserID(parsing: "@bob:b.example")) == 0)
        }
    }

    @Test("the creator's 100 without an event ends with the first event; from room version 12 on it is infinite and stays")
    func creator() throws {
        let creator = try UserID(parsing: "@creator:a.example")
        #expect(try levels(nil).level(of: creator) == 100)
        #expect(try levels("{}").level(of: creator) == 0)
        #expect(try levels(nil, .v12).level(of: creator) == .infinite)
        #expect(try levels(#"{"users":{"@creator:a.example":0}}"#, .v12).level(of: creator) == .infinite)
        #expect(PowerLevel.infinite > .finite(.max))
        #expect(!(PowerLevel.infinite < .infinite))
    }

    @Test("user ids are compared as bytes, so that two spellings of one letter are two users")
    func bytes() throws {
        let composed = "@\u{E9}:a.example"
        let decomposed = "@e\u{301}:a.example"
        let levels = try levels(#"{"users":{"\#(composed)":100}}"#)
        #expect(levels.level(of: UserID(trusted: composed)) == 100)
        #expect(levels.level(of: UserID(trusted: decomposed)) == 0)
    }

    @Test("a new room's power levels name its creator up to room version 11 and raise the tombstone from 12 on")
    func newRoom() throws {
        let creator = try UserID(parsing: "@creator:a.example")
        let old = PowerLevels.defaultContent(creator: creator, version: .v11)
        let new = PowerLevels.defaultContent(creator: creator, version: .v12)
        #expect(old["users"] == ["@creator:a.example": 100])
        #expect(new["users"] == [:])
        #expect(old["events"]?["m.room.tombstone"] == 100)
        #expect(new["events"]?["m.room.tombstone"] == 150)
    }
}

extension JSONObject {
    /// The members of both; those of `other` win.
    func merging(_ other: JSONObject) -> JSONObject {
        var merged = self
        for (key, value) in other { merged[key] = value }
        return merged
    }
}
