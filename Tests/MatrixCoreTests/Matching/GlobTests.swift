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

    @Test("no pattern that a rule may have, and no text that fits into an event, takes long to match")
    func worstCases() {
        let text = LowercasedText(String(repeating: "a", count: 65_536))
        let patterns = [
            String(repeating: "a", count: 1023) + "b", String(repeating: "a", count: 511) + "b" + String(repeating: "a", count: 512),
            "*" + String(repeating: "a", count: 1021) + "b*", "*" + String(repeating: "a?", count: 510) + "b*",
            String(repeating: "?", count: 1023) + "b", String(repeating: "*a", count: 511) + "*b", String(repeating: "*", count: 1024),
            String(repeating: "*" + String(repeating: "a", count: 31), count: 31) + "*b",
            String(repeating: "a", count: 500) + "*" + String(repeating: "a", count: 500) + "b",
        ]
        for pattern in patterns {
            let glob = Glob(pattern)
            let time = TimeBound.measure { _ = (glob.matches(text), glob.matchesWords(of: text)) }
            #expect(time < TimeBound.seconds(1), "\(pattern)")
        }
    }

    @Test("a glob matches what its definition says, long pieces and repetitive texts included", arguments: 0..<40 as Range<UInt64>)
    func definition(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        func letters(_ count: Int, from alphabet: [Character]) -> String {
            String((0..<count).map { _ in alphabet.randomElement(using: &random) ?? "a" })
        }
        for _ in 0..<20 {
            let text = letters(.random(in: 0..<400, using: &random), from: ["a", "a", "a", "a", "a", "a", "a", "b"])
            // A piece of the text, so that patterns match about as often as not, with some wildcards and mistakes in it.
            let start = Int.random(in: 0...text.count, using: &random)
            var pattern = Array(text.dropFirst(start).prefix(.random(in: 0..<300, using: &random)))
            for position in pattern.indices where Int.random(in: 0..<60, using: &random) == 0 {
                pattern[position] = ["*", "?", "a", "b"].randomElement(using: &random) ?? "*"
            }
            for whole in [String(pattern), "*" + String(pattern) + "*"] {
                let expected = matches(Array(whole), Array(text))
                #expect(Glob(whole).matches(LowercasedText(text)) == expected, "seed \(seed): \(whole) \(text)")
            }
        }
    }

    /// Which prefixes of the pattern match which prefixes of the text, row by row.
    private func matches(_ pattern: [Character], _ text: [Character]) -> Bool {
        var row = [true] + Array(repeating: false, count: text.count)
        for wanted in pattern {
            var next = [wanted == "*" && row[0]]
            for (index, letter) in text.enumerated() {
                next.append(wanted == "*" ? row[index + 1] || next[index] : row[index] && (wanted == "?" || wanted == letter))
            }
            row = next
        }
        return row[text.count]
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
