import MatrixCore
import Testing

@Suite("Glob-style matching")
struct GlobTests {
    @Test(
        "a pattern matches a whole value without regard to case",
        arguments: [
            ("lunc?*", "Lunch plans", true), ("lunc?*", "LUNCH", true), ("lunc?*", " lunch", false), ("lunc?*", "lunc", false),
            ("", "", true), ("", "a", false), ("*", "", true), ("*", "anything", true), ("?", "", false), ("?", "é", true),
            ("a*b", "ab", true), ("a*b", "axxb", true), ("a*b", "axxbc", false), ("a*a", "a", false), ("a*b*c", "a1b2b3c", true),
            ("a*b*c", "acb", false), ("**a**", "xax", true), ("m.room.*", "m.room.member", true), ("m.room.*", "mxroom.member", false),
            ("É", "é", true), ("a?c", "a\nc", true),
        ])
    func whole(_ pattern: String, _ text: String, _ matches: Bool) {
        #expect(Glob(pattern).matches(LowercasedText(text)) == matches)
    }

    @Test(
        "in a body, a pattern matches from word boundary to word boundary",
        arguments: [
            ("ex*ple", "An example event.", true), ("ex*ple", "exple", true), ("ex*ple", "An exciting triple-whammy", true),
            ("cake", "I like CAKE!", true), ("cake", "cakes", false), ("cake", "pancake", false), ("cake", "pan-cake", true),
            ("cake", "cake_tin", false), ("cake", "cake9", false), ("cake", "", false), ("cake", "pancake cake", true),
            ("cake*lie", "cake is a lie", true), ("cake*lie", "cake is a liezard", false), ("cake*lie", "cake liezard lie", true),
            ("@room", "hey @room!", true), ("foo:bar", "xfoo:bar", false), ("foo:bar", "foo:bar", true),
            ("c?ke", "a coke please", true), ("*", "", true), ("a*", "banana", false), ("a*", "an apple", true), ("*na", "banana", true),
            ("na", "é na", true), ("na", "éna", true),
        ])
    func words(_ pattern: String, _ text: String, _ matches: Bool) {
        #expect(Glob(pattern).matchesWords(of: LowercasedText(text)) == matches)
    }

    @Test("a literal has no wildcards")
    func literal() {
        #expect(Glob(literal: "a*").matchesWords(of: LowercasedText("say A* now")))
        #expect(!Glob(literal: "a*").matchesWords(of: LowercasedText("say ab now")))
    }

    @Test("the worst pattern that a rule may have is matched in bounded time")
    func worstCase() {
        let pattern = Glob(String(repeating: "a", count: 500) + "*" + String(repeating: "a", count: 500) + "b")
        let text = LowercasedText(String(repeating: "a", count: 20_000))
        let time = ContinuousClock().measure { #expect(!pattern.matchesWords(of: text)) }
        #expect(time < .seconds(10))
    }

    @Test(
        "a backslash makes a dot or a backslash part of a property's name",
        arguments: [
            ("content.body", ["content", "body"]), (#"content.m\.relates_to.rel_type"#, ["content", "m.relates_to", "rel_type"]),
            (#"content.m\\foo"#, ["content", #"m\foo"#]), (#"content.\x"#, ["content", #"\x"#]), ("type", ["type"]),
            ("a..b", ["a", "", "b"]),
            (#"a\"#, [#"a\"#]),
        ])
    func paths(_ text: String, _ names: [String]) {
        #expect(PropertyPath(text).names.map(\.string) == names)
    }
}
