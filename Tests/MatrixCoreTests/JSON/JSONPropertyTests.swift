// What holds for every JSON text, tried on random ones.

import MatrixCore
import Testing

@Suite("Properties of JSON")
struct JSONPropertyTests {
    private static let seeds = Array(0..<500 as Range<UInt64>)

    @Test("canonical JSON is the same for every spelling of a value: order, white space, escapes and repeated keys do not matter")
    func canonicalFormIsOrderFree() throws {
        for seed in Self.seeds {
            var random = RandomJSON(seed: seed)
            let value = random.value()
            for _ in 0..<4 {
                let text = random.spelling(of: value)
                let json = try JSONDocument(parsing: text, limits: .strictEvent).root
                #expect(json.canonicalBytes == value.canonicalBytes, "seed \(seed): \(String(decoding: text, as: UTF8.self))")
            }
        }
    }

    @Test("canonical JSON is its own canonical form, byte by byte, in a tree and on the tape")
    func canonicalFormIsIdempotent() throws {
        for seed in Self.seeds {
            var random = RandomJSON(seed: seed)
            let canonical = random.value().canonicalBytes
            let json = try JSONDocument(parsing: canonical, limits: .strictEvent).root
            #expect(json.canonicalBytes == canonical, "seed \(seed)")
            #expect(json.value.canonicalBytes == canonical, "seed \(seed)")
            #expect(canonical.allSatisfy { $0 >= 0x20 }, "seed \(seed)")
        }
    }

    @Test("what is parsed, written and parsed again is what it was")
    func readingAndWriting() throws {
        for seed in Self.seeds {
            var random = RandomJSON(seed: seed)
            let value = random.value()
            let json = try JSONDocument(parsing: random.spelling(of: value)).root
            #expect(json.value == value, "seed \(seed)")
            #expect(try JSONDocument(parsing: json.canonicalBytes).root.value == value, "seed \(seed)")
            #expect(json.value.hashValue == value.hashValue, "seed \(seed)")
        }
    }

    @Test("a value that is spliced into a response is there byte by byte as it was read")
    func splicing() throws {
        for seed in Self.seeds {
            var random = RandomJSON(seed: seed)
            let text = random.spelling(of: random.object())
            let json = try JSONDocument(parsing: text).root
            var writer = JSONWriter()
            writer.object { writer in
                writer.member("whole", json)
                for (key, value) in json.members {
                    writer.key(key)
                    writer.json(value)
                }
            }
            let answer = try JSONDocument(parsing: writer.bytes).root
            #expect(answer["whole"]?.bytes.elementsEqual(json.bytes) == true, "seed \(seed)")
            for (key, value) in json.members where key != "whole" {
                let spliced = answer.members.filter { $0.key == key }.map { Array($0.value.bytes) }
                #expect(spliced.contains(Array(value.bytes)), "seed \(seed)")
            }
        }
    }

    @Test("leaving a key out is leaving that key out of the tree")
    func omission() throws {
        for seed in Self.seeds {
            var random = RandomJSON(seed: seed)
            guard case .object(var members) = random.object() else { continue }
            members["signatures"] = random.value()
            members["unsigned"] = random.value()
            let json = try JSONDocument(parsing: random.spelling(of: .object(members))).root
            let without = json.canonicalBytes(omitting: ["signatures", "unsigned"])
            members["signatures"] = nil
            members["unsigned"] = nil
            #expect(without == members.canonicalBytes, "seed \(seed)")
        }
    }
}
