// Texts that are made to hurt: deep, long, repetitive. The times are far above what they take and far below what anything
// quadratic would.

import MatrixCore
import Testing

@Suite("Hostile JSON", .serialized)
struct HostileJSONTests {
    /// The numbers of members, elements and characters below.
    private static let many = 100_000
    private static let bound = TimeBound.seconds(5)

    @Test("an event is read to 127 levels, a request to 200, and not one level deeper")
    func depth() throws {
        for (limits, depth) in [(JSONLimits.strictEvent, 127), (.lenientEvent, 127), (.request, 200)] {
            #expect(limits.maxDepth == depth)
            for (open, close) in [("[", "]"), (#"{"a":"#, "}"), (#"[{"a":"#, "}]")] {
                let levels = open.utf8.contains(UInt8(ascii: "[")) && open.utf8.contains(UInt8(ascii: "{")) ? 2 : 1
                let fits = nested(open, "0", close, depth / levels)
                let json = try JSONDocument(parsing: fits, limits: limits).root
                #expect(json.canonicalBytes == fits)
                // All that recurses: building, writing, comparing and hashing a tree, and letting go of it.
                let tree = json.value
                #expect(tree.canonicalBytes == fits)
                #expect(tree == json.value)
                #expect(tree.hashValue == json.value.hashValue)
                #expect(throws: JSONError.self) { try JSONDocument(parsing: nested(open, "0", close, depth / levels + 1), limits: limits) }
            }
        }
    }

    @Test("a million open brackets are refused at the first that is too deep")
    func openBrackets() {
        for piece in ["[", #"{"":"#, #"[{"":"#] {
            let text = Array(String(repeating: piece, count: 1_000_000).utf8)
            #expect(throws: JSONError.self) { try JSONDocument(parsing: text) }
        }
    }

    @Test("an object of many keys takes time in proportion, in any order, and when all keys are the same")
    func manyKeys() throws {
        let ascending = (0..<Self.many).map { 1_000_000 + $0 }
        let orders: [(String, [Int], Int)] = [
            ("ascending", ascending, Self.many), ("descending", ascending.reversed(), Self.many),
            ("shuffled", ascending.map { 1_000_000 + ($0 * 7919) % Self.many }, Self.many),
            ("all the same", ascending.map { _ in 1_000_000 }, 1),
        ]
        for (name, keys, distinct) in orders {
            // Escaped keys have to be decoded before they are sorted; a long common beginning has to be compared.
            for prefix in ["", #"\u0061"#, "a-long-common-beginning-"] {
                let text = Array("{\(keys.map { "\"\(prefix)\($0)\":0" }.joined(separator: ","))}".utf8)
                let time = try TimeBound.measure {
                    let json = try JSONDocument(parsing: text).root
                    #expect(json.count == Self.many)
                    let canonical = json.canonicalBytes
                    #expect(try JSONDocument(parsing: canonical).root.count == distinct)
                    #expect(JSONObject(json).count == distinct)
                    #expect(json["nowhere"] == nil)
                }
                #expect(time < Self.bound, "\(name) \(prefix)")
            }
        }
    }

    @Test("a string of nothing but escapes takes time in proportion")
    func manyEscapes() throws {
        for escape in [#"\n"#, #"\u0000"#, #"\ud83d\ude00"#, #"\\"#, #"\""#, #"\/"#] {
            let text = Array(
                "{\"\(String(repeating: escape, count: Self.many * 5))\":\"\(String(repeating: escape, count: Self.many * 5))\"}".utf8)
            let time = try TimeBound.measure {
                let json = try JSONDocument(parsing: text).root
                let canonical = json.canonicalBytes
                #expect(canonical.count <= text.count)
                #expect(try JSONDocument(parsing: canonical).root.canonicalBytes == canonical)
                #expect(json.value.canonicalBytes == canonical)
            }
            #expect(time < Self.bound, "\(escape)")
        }
    }

    @Test(
        "a number of a million digits takes time in proportion, and is refused when it is beyond a double",
        arguments: [
            ("0." + String(repeating: "1", count: 1_000_000), true), (String(repeating: "1", count: 1_000_000), false),
            ("1" + String(repeating: "0", count: 1_000_000) + "e-1000000", true), ("1e" + String(repeating: "9", count: 1_000_000), false),
            ("1e-" + String(repeating: "9", count: 1_000_000), true), ("0." + String(repeating: "0", count: 1_000_000) + "1", true),
            ("1e308", true), ("1e309", false), ("-1e309", false), ("0e999999999999999999999", true),
            ("17976931348623157" + String(repeating: "0", count: 292), true), ("2" + String(repeating: "0", count: 308), false),
        ])
    func longNumbers(number: String, isAccepted: Bool) throws {
        for limits in [JSONLimits.request, .lenientEvent] {
            let time = try TimeBound.measure {
                guard isAccepted else {
                    #expect(throws: JSONError(reason: .invalidNumber, offset: 1)) {
                        try JSONDocument(parsing: Array("[\(number)]".utf8), limits: limits)
                    }
                    return
                }
                let json = try JSONDocument(parsing: Array("[\(number)]".utf8), limits: limits).root
                #expect(json[0]?.double?.isFinite == true)
                let canonical = json.canonicalBytes
                #expect(try JSONDocument(parsing: canonical, limits: limits).root.canonicalBytes == canonical)
                _ = json.value.canonicalBytes
            }
            #expect(time < Self.bound)
        }
        #expect(throws: JSONError.self) { try JSONDocument(parsing: Array("[\(number)]".utf8), limits: .strictEvent) }
    }

    @Test("memory is in proportion to the text, even when every second byte is a value")
    func memory() throws {
        let texts = [
            Array("[\(String(repeating: "0,", count: 1_000_000))0]".utf8), Array("[\(String(repeating: "[],", count: 700_000))0]".utf8),
            Array("[\(String(repeating: #""","#, count: 700_000))0]".utf8),
        ]
        for text in texts {
            let document = try JSONDocument(parsing: text)
            #expect(document.memorySize <= 17 * text.count, "\(document.memorySize) bytes for a text of \(text.count)")
            #expect(document.root.count > 0)
        }
    }

    private func nested(_ open: String, _ inner: String, _ close: String, _ levels: Int) -> [UInt8] {
        Array((String(repeating: open, count: levels) + inner + String(repeating: close, count: levels)).utf8)
    }
}
