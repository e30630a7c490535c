import MatrixCore
import Testing

@Suite("Push rules: evaluation")
struct PushEvaluationTests {
    static let alice = UserID(trusted: "@alice:a.example")

    /// An event by `@mod` (level 50) unless somebody else sends it.
    static func event(
        _ type: ByteString, _ content: JSONObject, stateKey: ByteString? = nil, by sender: String = "@mod:a.example", members: Int = 3
    ) throws -> PushEvent {
        let room = try AuthFixture(.v12)
        let event = try room.event(type, stateKey, content, by: sender)
        let levels = AuthEventState(events: room.state.values, version: .v12).powerLevels
        return PushEvent(event, memberCount: members, powerLevels: levels)
    }

    static func changes(_ rules: PushRule...) throws -> PushRuleChanges {
        var changes = PushRuleChanges()
        for rule in rules { try changes.put(rule) }
        return changes
    }

    func outcome(_ event: PushEvent, _ changes: PushRuleChanges = PushRuleChanges()) -> PushOutcome {
        PushRuleset(user: Self.alice, changes: changes).evaluate(event, for: Self.alice, displayName: "Alice *")
    }

    struct DefaultCase: Sendable, CustomTestStringConvertible {
        let sentence: String
        let event: @Sendable () throws -> PushEvent
        let actions: [JSONValue]

        init(_ sentence: String, _ actions: [JSONValue], _ event: @escaping @Sendable () throws -> PushEvent) {
            (self.sentence, self.actions, self.event) = (sentence, actions, event)
        }

        var testDescription: String { sentence }
    }

    static let sound: JSONValue = ["set_tweak": "sound", "value": "default"]
    static let highlight: JSONValue = ["set_tweak": "highlight"]

    static let defaults = [
        DefaultCase("a message notifies", ["notify"]) { try event("m.room.message", ["body": "hi"]) },
        DefaultCase("a message between two sounds", ["notify", sound]) { try event("m.room.message", ["body": "hi"], members: 2) },
        DefaultCase("an encrypted event notifies", ["notify"]) { try event("m.room.encrypted", [:]) },
        DefaultCase("an encrypted event between two sounds", ["notify", sound]) { try event("m.room.encrypted", [:], members: 2) },
        DefaultCase("a notice does not notify", []) { try event("m.room.message", ["body": "hi", "msgtype": "m.notice"]) },
        DefaultCase("a call rings", ["notify", ["set_tweak": "sound", "value": "ring"]]) { try event("m.call.invite", [:]) },
        DefaultCase("an invite of the user sounds", ["notify", sound]) {
            try event("m.room.member", ["membership": "invite"], stateKey: "@alice:a.example")
        },
        DefaultCase("an invite of somebody else does not notify", []) {
            try event("m.room.member", ["membership": "invite"], stateKey: "@bob:b.example")
        },
        DefaultCase("a mention of the user highlights", ["notify", sound, highlight]) {
            try event("m.room.message", ["body": "hi", "m.mentions": ["user_ids": ["@bob:b.example", "@alice:a.example"]]])
        },
        DefaultCase("a mention that is no list mentions nobody", ["notify"]) {
            try event("m.room.message", ["body": "hi", "m.mentions": ["user_ids": "@alice:a.example"]])
        },
        DefaultCase("a mention of the room by a moderator highlights", ["notify", highlight]) {
            try event("m.room.message", ["body": "hi", "m.mentions": ["room": true]])
        },
        DefaultCase("a mention of the room by others does not", ["notify"]) {
            try event("m.room.message", ["body": "hi", "m.mentions": ["room": true]], by: "@bob:b.example")
        },
        DefaultCase("a mention of the room by its creator highlights", ["notify", highlight]) {
            try event("m.room.message", ["body": "hi", "m.mentions": ["room": true]], by: AuthFixture.creator)
        },
        DefaultCase("values are not cast: room mentions are true, not 1", ["notify"]) {
            try event("m.room.message", ["body": "hi", "m.mentions": ["room": 1]])
        },
        DefaultCase("the user's name in the body is no mention", ["notify"]) {
            try event("m.room.message", ["body": "alice @room Alice *"])
        },
        DefaultCase("a room's end highlights", ["notify", highlight]) { try event("m.room.tombstone", [:], stateKey: "") },
        DefaultCase("what only looks like a room's end does nothing", []) { try event("m.room.tombstone", [:]) },
        DefaultCase("a reaction does not notify", []) { try event("m.reaction", [:]) },
        DefaultCase("an edit does not notify", []) {
            try event("m.room.message", ["body": "* hi", "m.relates_to": ["rel_type": "m.replace", "event_id": "$a"]])
        },
        DefaultCase("an event that no rule matches does not notify", []) { try event("org.example.other", [:]) },
        DefaultCase("the user's own message does not notify", []) {
            try event("m.room.message", ["body": "hi"], by: "@alice:a.example")
        },
    ]

    @Test("the server's rules say what happens", arguments: defaults)
    func defaultRules(_ line: DefaultCase) throws {
        #expect(outcome(try line.event()) == PushOutcome(actions: line.actions))
    }

    @Test(
        "a condition matches by what it says, and one that is not understood never",
        arguments: [
            (#"{"kind":"event_match","key":"type","pattern":"M.ROOM.*"}"#, true),
            (#"{"kind":"event_match","key":"content.body","pattern":"c?ke"}"#, true),
            (#"{"kind":"event_match","key":"content.body","pattern":"cak"}"#, false),
            (#"{"kind":"event_match","key":"content.topic","pattern":"cake"}"#, false),
            (#"{"kind":"event_match","key":"content.topic","pattern":"the cake"}"#, true),
            (#"{"kind":"event_match","key":"content.number","pattern":"*"}"#, false),
            (#"{"kind":"event_match","key":"content.absent","pattern":"*"}"#, false),
            (#"{"kind":"event_match","key":"state_key","pattern":"*"}"#, false),
            (#"{"kind":"event_match","key":"sender","pattern":"@mod:*"}"#, true),
            (#"{"kind":"event_match","key":"room_id","pattern":"!*"}"#, true),
            (#"{"kind":"event_match","key":"type"}"#, false),
            (#"{"kind":"event_property_is","key":"content.number","value":3}"#, true),
            (#"{"kind":"event_property_is","key":"content.number","value":"3"}"#, false),
            (#"{"kind":"event_property_is","key":"content.nothing","value":null}"#, true),
            (#"{"kind":"event_property_is","key":"content.absent","value":null}"#, false),
            (#"{"kind":"event_property_is","key":"content.list","value":[]}"#, false),
            (#"{"kind":"event_property_is","key":"depth","value":1}"#, true),
            (#"{"kind":"event_property_is","key":"content.a\\.b.c","value":true}"#, true),
            (#"{"kind":"event_property_is","key":"content.a.b.c","value":true}"#, false),
            (#"{"kind":"event_property_is","key":"sender","value":"@mod:a.example"}"#, true),
            (#"{"kind":"event_property_contains","key":"content.list","value":"x"}"#, true),
            (#"{"kind":"event_property_contains","key":"content.list","value":2}"#, true),
            (#"{"kind":"event_property_contains","key":"content.list","value":"X"}"#, false),
            (#"{"kind":"event_property_contains","key":"content.body","value":"x"}"#, false),
            (#"{"kind":"room_member_count","is":"3"}"#, true), (#"{"kind":"room_member_count","is":"==3"}"#, true),
            (#"{"kind":"room_member_count","is":"<3"}"#, false), (#"{"kind":"room_member_count","is":"<=3"}"#, true),
            (#"{"kind":"room_member_count","is":">2"}"#, true), (#"{"kind":"room_member_count","is":">=4"}"#, false),
            (#"{"kind":"room_member_count","is":"=>3"}"#, false), (#"{"kind":"room_member_count","is":""}"#, false),
            (#"{"kind":"room_member_count","is":3}"#, false), (#"{"kind":"room_member_count","is":"+3"}"#, false),
            (#"{"kind":"sender_notification_permission","key":"room"}"#, true),
            (#"{"kind":"sender_notification_permission"}"#, false),
            (#"{"kind":"contains_display_name"}"#, true),
            (#"{"kind":"org.example.unknown"}"#, false),
        ])
    func conditions(_ condition: String, _ matches: Bool) throws {
        let rule = try PushRulesetTests.rule(
            .override, "mine", #"{"conditions":[\#(condition)],"actions":[{"set_tweak":"org.example","value":1}]}"#)
        let event = try Self.event(
            "m.room.message",
            [
                "body": "Have some cake, Alice *!", "topic": "the cake", "number": 3, "nothing": .null, "list": ["x", 2, ["y"]],
                "a.b": ["c": true],
            ])
        #expect((outcome(event, try Self.changes(rule)).tweaks["org.example"] == 1) == matches)
    }

    @Test(
        "in a thread it counts whether the user follows it, below mentions and words and above the room and the message",
        arguments: [
            // followsThread, mentions, rules of the user's, actions
            (true, false, [], ["notify", sound]), (false, false, [], []), (nil, false, [], ["notify"]),
            (true, true, [], ["notify", sound, highlight]), (false, true, [], ["notify", sound, highlight]),
            (false, false, [(.content, "tea", #"{"pattern":"tea","actions":["notify"]}"#)], ["notify"]),
            (true, false, [(.content, "tea", #"{"pattern":"tea","actions":[]}"#)], []),
            (true, false, [(.sender, "@mod:a.example", #"{"actions":[]}"#)], ["notify", sound]),
            (nil, false, [(.sender, "@mod:a.example", #"{"actions":[]}"#)], []),
            (false, false, [(.underride, "all", #"{"conditions":[],"actions":["notify"]}"#)], []),
            (true, false, [(.override, "mine", condition("true"))], [highlight]),
            (false, false, [(.override, "mine", condition("true"))], []),
            (false, false, [(.override, "mine", condition("false"))], [highlight]),
            (nil, false, [(.override, "mine", condition("false"))], ["notify"]),
            (true, false, [(.override, "mine", condition("1"))], ["notify", sound]),
        ] as [(Bool?, Bool, [(PushRule.Kind, ByteString, String)], [JSONValue])])
    func threads(_ followsThread: Bool?, _ mentions: Bool, _ rules: [(PushRule.Kind, ByteString, String)], _ actions: [JSONValue]) throws {
        var changes = PushRuleChanges()
        for (kind, id, text) in rules { try changes.put(PushRulesetTests.rule(kind, id, text)) }
        let content: JSONObject = ["body": "tea time", "m.mentions": mentions ? ["user_ids": ["@alice:a.example"]] : [:]]
        let ruleset = PushRuleset(user: Self.alice, changes: changes, hasThreadSubscriptions: true)
        let outcome = ruleset.evaluate(
            try Self.event("m.room.message", content), for: Self.alice, displayName: nil, followsThread: followsThread)
        #expect(outcome == PushOutcome(actions: actions))
    }

    static func condition(_ subscribed: String) -> String {
        let condition = #"{"kind":"io.element.msc4306.thread_subscription","subscribed":\#(subscribed)}"#
        return #"{"conditions":[\#(condition)],"actions":[{"set_tweak":"highlight"}]}"#
    }

    @Test("the kinds are tried in their order, and the first enabled rule that matches decides")
    func order() throws {
        let room = try AuthFixture(.v12)
        let levels = AuthEventState(events: room.state.values, version: .v12).powerLevels
        let message = try room.event("m.room.message", nil, ["body": "tea time"], by: "@mod:a.example")
        let event = PushEvent(message, memberCount: 3, powerLevels: levels)
        var changes = try Self.changes(
            PushRulesetTests.rule(.sender, "@mod:a.example", #"{"actions":[]}"#),
            PushRulesetTests.rule(.content, "tea", #"{"pattern":"tea","actions":["notify",{"set_tweak":"highlight"}]}"#))
        #expect(outcome(event, changes) == PushOutcome(actions: ["notify", Self.highlight]))
        try changes.setEnabled(false, .content, "tea")
        #expect(outcome(event, changes) == .nothing, "the rule for the sender is next")
        try changes.remove(.sender, "@mod:a.example")
        #expect(outcome(event, changes).notifies, ".m.rule.message is last")
        try changes.put(PushRulesetTests.rule(.room, message.roomID.text, #"{"actions":["dont_notify"]}"#))
        #expect(outcome(event, changes) == .nothing, "the rule for the room is before the underride rules")
        try changes.put(PushRulesetTests.rule(.override, "all", #"{"conditions":[],"actions":["notify","coalesce"]}"#))
        #expect(outcome(event, changes) == PushOutcome(actions: ["notify"]))
        try changes.setEnabled(true, .override, ".m.rule.master")
        #expect(outcome(event, changes) == .nothing, ".m.rule.master is above all")
    }

    @Test("a highlight without a value is one, a false one is none, and none counts without notify")
    func highlights() {
        #expect(PushOutcome(actions: ["notify", ["set_tweak": "highlight"]]).highlights)
        #expect(!PushOutcome(actions: ["notify", ["set_tweak": "highlight", "value": false]]).highlights)
        #expect(!PushOutcome(actions: [["set_tweak": "highlight"]]).highlights)
        #expect(!PushOutcome(actions: ["dont_notify", "coalesce"]).notifies)
    }
}
