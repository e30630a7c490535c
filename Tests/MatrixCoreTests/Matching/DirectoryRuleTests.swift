// The operator's rules about aliases and the room directory.

import MatrixCore
import Testing

@Suite("Directory rules")
struct DirectoryRuleTests {
    private static let alice = UserID(trusted: "@alice:example.org")
    private static let room = RoomID(trusted: "!den:example.org")
    private static let alias = RoomAlias(trusted: "#Cats:example.org")

    struct Case: Sendable, CustomStringConvertible {
        let description: String
        let rules: [DirectoryRule]
        var room: RoomID? = DirectoryRuleTests.room
        var aliases: [RoomAlias] = [DirectoryRuleTests.alias]
        let isAllowed: Bool
    }

    static let cases: [Case] = [
        Case(description: "no rule allows nothing", rules: [], isAllowed: false),
        Case(description: "a rule about everything", rules: [DirectoryRule(isAllowing: true)], isAllowed: true),
        Case(
            description: "the first rule that concerns it decides",
            rules: [DirectoryRule(isAllowing: false, alias: "#cats:*"), DirectoryRule(isAllowing: true)], isAllowed: false),
        Case(
            description: "globs know no case",
            rules: [DirectoryRule(isAllowing: true, user: "@ALICE:*", alias: "#c?ts:*")], isAllowed: true),
        Case(description: "of another user", rules: [DirectoryRule(isAllowing: true, user: "@bob:*")], isAllowed: false),
        Case(
            description: "a rule about aliases is about no room without one",
            rules: [DirectoryRule(isAllowing: true, alias: "#*:example.org")], aliases: [], isAllowed: false),
        Case(
            description: "a rule about a room is not about one without an id",
            rules: [DirectoryRule(isAllowing: true, room: "!d*")], room: nil, isAllowed: false),
    ]

    @Test("rules decide in their order", arguments: cases)
    func decide(_ example: Case) {
        #expect(example.rules.allow(Self.alice, room: example.room, aliases: example.aliases) == example.isAllowed)
    }
}
