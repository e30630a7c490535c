import MatrixCore
import Testing

@Suite("Push rules: the ruleset")
struct PushRulesetTests {
    static let alice = UserID(trusted: "@alice:a.example")

    static func rule(_ kind: PushRule.Kind, _ id: ByteString, _ text: String = #"{"actions":["notify"],"conditions":[],"pattern":"cake"}"#)
        throws -> PushRule
    {
        try PushRule(kind, id: id, json: try JSONDocument(parsing: Array(text.utf8)).root)
    }

    func ids(_ ruleset: PushRuleset, _ kind: PushRule.Kind) -> [String] { ruleset.rules(of: kind).map(\.id.string) }

    @Test("a user has the specification's rules in the specification's order")
    func defaults() {
        let ruleset = PushRuleset(user: Self.alice)
        #expect(
            ids(ruleset, .override) == [
                ".m.rule.master", ".m.rule.suppress_notices", ".m.rule.invite_for_me", ".m.rule.member_event",
                ".m.rule.is_user_mention", ".m.rule.is_room_mention", ".m.rule.tombstone", ".m.rule.reaction",
                ".m.rule.room.server_acl", ".m.rule.suppress_edits",
            ])
        #expect(
            ids(ruleset, .underride) == [
                ".m.rule.call", ".m.rule.encrypted_room_one_to_one", ".m.rule.room_one_to_one", ".m.rule.message", ".m.rule.encrypted",
            ])
        #expect(ids(ruleset, .content) + ids(ruleset, .room) + ids(ruleset, .sender) == [])
        #expect(ruleset.rules.filter { !$0.isEnabled }.map(\.id) == [".m.rule.master"])
        #expect(ruleset.rules.filter { !$0.isDefault } == [])
    }

    @Test("the ruleset is rendered as GET /pushrules shows it, for this user")
    func json() throws {
        var changes = PushRuleChanges()
        try changes.put(Self.rule(.content, "cake"))
        try changes.put(Self.rule(.room, "!room:a.example"))
        let json = try JSONDocument(parsing: PushRuleset(user: Self.alice, changes: changes).json).root
        let global = try #require(json["global"])
        #expect(global.members.map(\.key.string) == ["override", "content", "room", "sender", "underride"])
        #expect(
            global["override"]?[0]?.value == [
                "rule_id": ".m.rule.master", "default": true, "enabled": false, "conditions": [], "actions": [],
            ])
        #expect(
            global["override"]?[2]?["conditions"]?[2]?.value
                == ["kind": "event_match", "key": "state_key", "pattern": "@alice:a.example"])
        #expect(
            global["override"]?[4]?["conditions"]?[0]?.value
                == ["kind": "event_property_contains", "key": #"content.m\.mentions.user_ids"#, "value": "@alice:a.example"])
        #expect(
            global["content"]?[0]?.value == [
                "rule_id": "cake", "default": false, "enabled": true, "pattern": "cake", "actions": ["notify"],
            ])
        #expect(
            global["room"]?[0]?.value == ["rule_id": "!room:a.example", "default": false, "enabled": true, "actions": ["notify"]])
    }

    @Test("who may follow threads has the rules about them, between the words and the rooms that a user chose; others see nothing of them")
    func threads() throws {
        let ruleset = PushRuleset(user: Self.alice, hasThreadSubscriptions: true)
        let global = try #require(try JSONDocument(parsing: ruleset.json).root["global"])
        #expect(global.members.map(\.key.string) == ["override", "content", "postcontent", "room", "sender", "underride"])
        #expect(
            global["postcontent"]?.value == [
                [
                    "rule_id": ".io.element.msc4306.rule.unsubscribed_thread", "default": true, "enabled": true,
                    "conditions": [["kind": "io.element.msc4306.thread_subscription", "subscribed": false]], "actions": [],
                ],
                [
                    "rule_id": ".io.element.msc4306.rule.subscribed_thread", "default": true, "enabled": true,
                    "conditions": [["kind": "io.element.msc4306.thread_subscription", "subscribed": true]],
                    "actions": ["notify", ["set_tweak": "sound", "value": "default"]],
                ],
            ])
        #expect(ruleset.usesThreadSubscriptions)
        #expect(!PushRuleset(user: Self.alice).usesThreadSubscriptions)
        #expect(ids(PushRuleset(user: Self.alice), .postcontent) == [])
    }

    @Test("the rules about threads can be turned off and changed, and a user can add none")
    func threadSettings() throws {
        var changes = PushRuleChanges()
        let (unsubscribed, subscribed): (ByteString, ByteString) = (
            ".io.element.msc4306.rule.unsubscribed_thread", ".io.element.msc4306.rule.subscribed_thread"
        )
        try changes.setEnabled(false, .postcontent, unsubscribed)
        try changes.setActions(["notify"], .postcontent, subscribed)
        let stored = PushRuleChanges(stored: try JSONDocument(parsing: changes.json).root)
        let ruleset = PushRuleset(user: Self.alice, changes: stored, hasThreadSubscriptions: true)
        #expect(ruleset.rule(.postcontent, unsubscribed)?.isEnabled == false)
        #expect(ruleset.rule(.postcontent, subscribed)?.actions == ["notify"])
        #expect(ids(PushRuleset(user: Self.alice, changes: stored), .postcontent) == [], "what was set waits for the feature")
        #expect(throws: MatrixError.self) { try Self.rule(.postcontent, "mine") }
        try changes.setEnabled(false, .postcontent, subscribed)
        #expect(!PushRuleset(user: Self.alice, changes: changes, hasThreadSubscriptions: true).usesThreadSubscriptions)
    }

    @Test("the user's rules stand above the server's of their kind, but below .m.rule.master")
    func order() throws {
        var changes = PushRuleChanges()
        try changes.put(Self.rule(.override, "mine"))
        try changes.put(Self.rule(.underride, "mine"))
        let ruleset = PushRuleset(user: Self.alice, changes: changes)
        #expect(ids(ruleset, .override).prefix(3) == [".m.rule.master", "mine", ".m.rule.suppress_notices"])
        #expect(ids(ruleset, .underride).first == "mine")
    }

    @Test("a new rule is the most important of its kind, or stands where before and after say; before wins")
    func places() throws {
        var changes = PushRuleChanges()
        try changes.put(Self.rule(.content, "a"))
        try changes.put(Self.rule(.content, "b"))
        try changes.put(Self.rule(.room, "!r"))
        #expect(ids(PushRuleset(user: Self.alice, changes: changes), .content) == ["b", "a"])
        try changes.put(Self.rule(.content, "c"), at: .init(before: "a", after: nil))
        #expect(ids(PushRuleset(user: Self.alice, changes: changes), .content) == ["b", "c", "a"])
        try changes.put(Self.rule(.content, "d"), at: .init(before: nil, after: "b"))
        #expect(ids(PushRuleset(user: Self.alice, changes: changes), .content) == ["b", "d", "c", "a"])
        try changes.put(Self.rule(.content, "e"), at: .init(before: "b", after: "a"))
        #expect(ids(PushRuleset(user: Self.alice, changes: changes), .content) == ["e", "b", "d", "c", "a"])
        try changes.put(Self.rule(.content, "e"), at: .init(before: nil, after: "c"))
        #expect(ids(PushRuleset(user: Self.alice, changes: changes), .content) == ["b", "d", "c", "e", "a"])
        try changes.put(Self.rule(.content, "a"), at: .init(before: "d", after: nil))
        #expect(ids(PushRuleset(user: Self.alice, changes: changes), .content) == ["b", "a", "d", "c", "e"])
        #expect(ids(PushRuleset(user: Self.alice, changes: changes), .room) == ["!r"])
    }

    @Test("a rule has no place beside one that the user does not have", arguments: ["none", ".m.rule.message", "self"])
    func unknownPlace(_ id: String) throws {
        var changes = PushRuleChanges()
        try changes.put(Self.rule(.underride, "self"))
        let error = #expect(throws: MatrixError.self) {
            try changes.put(Self.rule(.underride, "self"), at: .init(before: id, after: nil))
        }
        #expect(error?.status == 400)
    }

    @Test("a rule put again keeps whether it is enabled")
    func putAgain() throws {
        var changes = PushRuleChanges()
        try changes.put(Self.rule(.content, "a"))
        try changes.setEnabled(false, .content, "a")
        try changes.put(Self.rule(.content, "a", #"{"pattern":"tea","actions":[]}"#))
        let rule = PushRuleset(user: Self.alice, changes: changes).rule(.content, "a")
        #expect(rule?.isEnabled == false)
        #expect(rule?.pattern == "tea")
    }

    @Test("the server's rules can be disabled and given other actions, not removed")
    func changeDefaults() throws {
        var changes = PushRuleChanges()
        try changes.setEnabled(true, .override, ".m.rule.master")
        try changes.setActions([], .underride, ".m.rule.message")
        let ruleset = PushRuleset(user: Self.alice, changes: changes)
        #expect(ruleset.rule(.override, ".m.rule.master")?.isEnabled == true)
        #expect(ruleset.rule(.underride, ".m.rule.message")?.actions == [])
        #expect(ruleset.rule(.underride, ".m.rule.message")?.isEnabled == true)
        #expect(throws: MatrixError.notFound("Push rule not found")) { try changes.remove(.override, ".m.rule.master") }
    }

    @Test("what is not there cannot be changed")
    func notFound() {
        var changes = PushRuleChanges()
        let notFound = MatrixError.notFound("Push rule not found")
        #expect(throws: notFound) { try changes.remove(.content, "a") }
        #expect(throws: notFound) { try changes.setEnabled(false, .content, "a") }
        #expect(throws: notFound) { try changes.setActions([], .content, ".m.rule.message") }
        #expect(throws: notFound) { try changes.setEnabled(false, .override, ".m.rule.none") }
        #expect(changes.isEmpty)
    }

    @Test(
        "a malformed rule is refused",
        arguments: [
            (PushRule.Kind.content, ".mine", #"{"actions":[],"pattern":"a"}"#), (.content, "a/b", #"{"actions":[],"pattern":"a"}"#),
            (.content, #"a\b"#, #"{"actions":[],"pattern":"a"}"#), (.content, "", #"{"actions":[],"pattern":"a"}"#),
            (.content, "a", #"{"actions":[]}"#), (.content, "a", #"{"actions":[],"pattern":1}"#), (.content, "a", #"{"pattern":"a"}"#),
            (.content, "a", "[]"), (.room, "!a", #"{"actions":"notify"}"#), (.room, "!a", #"{"actions":["explode"]}"#),
            (.room, "!a", #"{"actions":[{"sound":"x"}]}"#), (.override, "a", #"{"actions":[],"conditions":{}}"#),
            (.override, "a", #"{"actions":[],"conditions":[{"key":"type"}]}"#), (.override, "a", #"{"actions":[],"conditions":["x"]}"#),
        ])
    func malformed(_ kind: PushRule.Kind, _ id: String, _ text: String) {
        let error = #expect(throws: MatrixError.self) { try Self.rule(kind, ByteString(id), text) }
        #expect(error?.status == 400)
    }

    @Test("a pattern that is longer than the limit is refused")
    func longPattern() {
        let pattern = String(repeating: "a", count: PushRule.patternByteLimit + 1)
        #expect(throws: MatrixError.self) { try Self.rule(.content, "a", #"{"actions":[],"pattern":"\#(pattern)"}"#) }
    }

    @Test("changes are the same after they were stored")
    func storing() throws {
        var changes = PushRuleChanges()
        try changes.put(
            Self.rule(
                .override, "a", #"{"actions":["notify",{"set_tweak":"sound","value":"x"}],"conditions":[{"kind":"org.example.new","x":1}]}"#
            ))
        try changes.put(Self.rule(.content, "b"))
        try changes.setEnabled(false, .content, "b")
        try changes.setActions(["notify"], .override, ".m.rule.reaction")
        let stored = PushRuleChanges(stored: try JSONDocument(parsing: changes.json).root)
        #expect(stored == changes)
        #expect(PushRuleset(user: Self.alice, changes: stored).json == PushRuleset(user: Self.alice, changes: changes).json)
    }
}
