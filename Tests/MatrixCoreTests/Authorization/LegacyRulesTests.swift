import MatrixCore
import Testing

@Suite("Authorization: the rules that later room versions dropped")
struct LegacyRulesTests {
    @Test("aliases belong to servers up to room version 5, and are state like any other after", arguments: aliasCases, RoomVersion.all)
    func aliases(_ line: AuthCase, _ version: RoomVersion) throws {
        #expect(try line.refusal(in: version) == line.refusedBy(in: version))
    }

    static let aliasCases: [AuthCase] = [
        AuthCase("a server sets its aliases though its user is not in the room", refusedBy: nil) { room in
            try room.event("m.room.aliases", "b.example", ["aliases": []], by: "@bob:b.example")
        }.unless({ $0.authorizesAliases }, "6"),
        AuthCase("a member without power sets the aliases of their server", refusedBy: nil) { room in
            try room.event("m.room.aliases", "a.example", ["aliases": []], by: "@alice:a.example")
        }.unless({ $0.authorizesAliases }, "8"),
        AuthCase("nobody sets the aliases of another server", refusedBy: "aliases.2") { room in
            try room.event("m.room.aliases", "b.example", ["aliases": []], by: "@admin:a.example")
        }.unless({ $0.authorizesAliases }, nil),
        AuthCase("aliases of no server are refused", refusedBy: "aliases.2") { room in
            try room.event("m.room.aliases", "", ["aliases": []], by: "@admin:a.example")
        }.unless({ $0.authorizesAliases }, nil),
        AuthCase("aliases that are no state are refused", refusedBy: "aliases.1") { room in
            try room.event("m.room.aliases", nil, ["aliases": []], by: "@admin:a.example")
        }.unless({ $0.authorizesAliases }, nil),
    ]

    @Test("who may redact is a matter of the rules in room versions 1 and 2 only", arguments: RoomVersion.all)
    func redactions(_ version: RoomVersion) throws {
        let room = try AuthFixture(version)
        func refusal(by sender: String, of target: String?) throws -> String? {
            let draft = EventDraft(
                type: "m.room.redaction", content: JSONObject(), sender: try UserID(parsing: sender),
                redacts: target.map { EventID(trusted: $0) })
            return room.refusal(
                of: try AuthFixture.build(draft, room: room.create.roomID, version: version, prev: [EventID(trusted: "$previous")]))
        }
        // The event IDs that the fixture's server makes end in a.example.
        let refused = version.authorizesRedactions ? "11.3" : nil
        #expect(try refusal(by: "@alice:a.example", of: "$event:a.example") == nil)
        #expect(try refusal(by: "@alice:a.example", of: "$event:b.example") == refused)
        #expect(try refusal(by: "@alice:a.example", of: "$event") == refused)
        #expect(try refusal(by: "@alice:a.example", of: nil) == refused)
        #expect(try refusal(by: "@mod:a.example", of: "$event:b.example") == nil)
    }

    @Test("an accepted redaction of room versions 1 and 2 is applied, later ones are asked again", arguments: RoomVersion.all)
    func application(_ version: RoomVersion) throws {
        let room = try AuthFixture(version)
        let levels = AuthEventState(events: room.state.values, version: version).powerLevels
        func redaction(by sender: String) throws -> Event { try room.event("m.room.redaction", nil, [:], by: sender) }
        let target = try room.event("m.room.message", nil, [:], by: "@bob:b.example")
        #expect(levels.applies(try redaction(by: "@mod:a.example"), to: target))
        #expect(levels.applies(try redaction(by: "@alice:a.example"), to: target) == version.authorizesRedactions)
    }
}

@Suite("Power levels: their spellings")
struct PowerLevelSpellingTests {
    /// The level in a room of version 1, if the text spells one, and whether room version 10 reads it too.
    @Test(
        "before room version 10 a level may be a string, before 6 a float",
        arguments: [
            ("50", 50, true), ("-7", -7, true), ("9007199254740991", 9_007_199_254_740_991, true),
            (#""100""#, 100, false), (#""000100""#, 100, false), (#""+100""#, 100, false), (#""-100""#, -100, false),
            (#"" 100 ""#, 100, false), (#"" \t\n+00100 ""#, 100, false), (#"" -100 ""#, -100, false), (#""0""#, 0, false),
            ("50.57", 50, false), ("-50.57", -50, false), ("5.114698E4", 51146, false), ("1e2", 100, false), ("0.9", 0, false),
            ("1e300", Int64.max, false), ("-1e300", Int64.min, false), (#""99999999999999999999999""#, Int64.max, false),
            ("-99999999999999999999999", Int64.min, false),
            (#""""#, nil, false), (#"" ""#, nil, false), (#""+""#, nil, false), (#""10.5""#, nil, false), (#""1e3""#, nil, false),
            (#""1 0""#, nil, false), (#""+-1""#, nil, false), (#""1_000""#, nil, false), (#""abc""#, nil, false), (#""0x10""#, nil, false),
            (#""١""#, nil, false), ("true", nil, false), ("null", nil, false), ("[]", nil, false), ("{}", nil, false),
        ] as [(String, Int64?, Bool)])
    func spellings(text: String, level: Int64?, isInteger: Bool) throws {
        let content = try JSONDocument(parsing: Array(#"{"kick":\#(text)}"#.utf8)).root
        for version in RoomVersion.all {
            let levels = PowerLevels(content: content, creators: [], version: version)
            let expected = isInteger || !version.integerPowerLevels ? level : nil
            #expect(levels.explicit(.kick) == expected, "\(version)")
            #expect(levels.kick == .finite(expected ?? 50), "\(version)")
        }
    }

    @Test(
        "what this server's users send has integers in every version",
        arguments: [
            ("{}", nil), (#"{"ban":50,"events":{"a":0},"notifications":{"room":1},"users":{"@a:b":100}}"#, nil),
            (#"{"ban":"50"}"#, "ban"), (#"{"invite":1.0}"#, "invite"), (#"{"kick":9007199254740992}"#, "kick"),
            (#"{"redact":null}"#, "redact"),
            (#"{"events":[]}"#, "events"), (#"{"users":{"@a:b":"1"}}"#, "users"), (#"{"notifications":{"room":true}}"#, "notifications"),
            (#"{"other":"x"}"#, nil),
        ])
    func malformed(text: String, property: String?) throws {
        #expect(PowerLevels.malformedProperty(of: try JSONDocument(parsing: Array(text.utf8)).root) == property)
    }

    @Test("two spellings of one level are no change", arguments: RoomVersion.all.filter { !$0.integerPowerLevels })
    func sameLevel(version: RoomVersion) throws {
        var room = try AuthFixture(version)
        let old = AuthFixture.powerLevels(version, ["ban": "75", "state_default": 50])
        let new = AuthFixture.powerLevels(version, ["ban": " +075 ", "state_default": "50"])
        try room.set("m.room.power_levels", "", old, by: AuthFixture.creator)
        #expect(room.refusal(of: try room.event("m.room.power_levels", "", new, by: "@mod:a.example")) == nil)
    }
}
