// Random JSON, in any of the ways in which one value can be written.

import MatrixCore

/// A random value. Its integers are those of canonical JSON.
struct RandomJSON {
    private var random: SeededGenerator

    init(seed: UInt64) { random = SeededGenerator(seed: seed) }

    mutating func value(depth: Int = 5) -> JSONValue {
        switch Int.random(in: 0..<(depth > 0 ? 10 : 6), using: &random) {
        case 0: return .null
        case 1: return .bool(.random(using: &random))
        case 2: return .int(.random(in: -JSONNumber.maxInteger...JSONNumber.maxInteger, using: &random))
        case 3: return .int(.random(in: -3...3, using: &random))
        case 4, 5: return .string(text())
        case 6, 7: return .array((0..<count()).map { _ in value(depth: depth - 1) })
        default: return object(depth: depth)
        }
    }

    mutating func object(depth: Int = 5) -> JSONValue {
        .object(JSONObject((0..<count()).map { _ in (ByteString(text()), value(depth: depth - 1)) }))
    }

    private mutating func count() -> Int { Int.random(in: 0..<6, using: &random) }

    /// Few letters, so that keys share their beginnings and some are equal; and everything that needs care in a string.
    private mutating func text() -> String {
        let pieces = [
            "a", "a", "aaaaaaaa", "b", "\"", "\\", "/", "\n", "\u{0}", "\u{1F}", "\u{7F}", "é", "e\u{301}", "語", "😀", "\u{FFFF}", "",
        ]
        return (0..<Int.random(in: 0..<6, using: &random)).map { _ in pieces.randomElement(using: &random) ?? "" }.joined()
    }

    /// A text that means `value`: white space, escapes and the order of keys are random, and some keys come twice, first with
    /// another value.
    mutating func spelling(of value: JSONValue) -> [UInt8] {
        var bytes: [UInt8] = []
        spell(value, to: &bytes)
        return bytes
    }

    private mutating func spell(_ value: JSONValue, to bytes: inout [UInt8]) {
        space(&bytes)
        switch value {
        case .string(let text): spell(text, to: &bytes)
        case .int(0) where .random(using: &random): bytes += "-0".utf8
        case .array(let elements):
            bytes += "[".utf8
            for (index, element) in elements.enumerated() {
                if index > 0 { bytes += ",".utf8 }
                spell(element, to: &bytes)
            }
            bytes += "]".utf8
        case .object(let members):
            var written = members.map { ($0.key, $0.value) }.shuffled(using: &random)
            if let twice = written.last, written.count > 1, .random(using: &random) { written.insert((twice.0, .null), at: 0) }
            bytes += "{".utf8
            for (index, (key, value)) in written.enumerated() {
                if index > 0 { bytes += ",".utf8 }
                space(&bytes)
                spell(key.string, to: &bytes)
                space(&bytes)
                bytes += ":".utf8
                spell(value, to: &bytes)
            }
            bytes += "}".utf8
        default: bytes += value.canonicalBytes
        }
        space(&bytes)
    }

    private mutating func spell(_ text: String, to bytes: inout [UInt8]) {
        bytes += "\"".utf8
        for scalar in text.unicodeScalars {
            let mustEscape = scalar.value < 0x20 || scalar == "\"" || scalar == "\\"
            guard mustEscape || Int.random(in: 0..<4, using: &random) == 0 else {
                bytes += scalar.utf8
                continue
            }
            if scalar == "/" || scalar == "\"" || scalar == "\\", .random(using: &random) {
                bytes += "\\\(scalar)".utf8
                continue
            }
            for unit in scalar.utf16 {
                let digits = String(unit, radix: 16, uppercase: .random(using: &random))
                bytes += "\\u\(String(repeating: "0", count: 4 - digits.utf8.count))\(digits)".utf8
            }
        }
        bytes += "\"".utf8
    }

    private mutating func space(_ bytes: inout [UInt8]) {
        for _ in 0..<Int.random(in: 0..<2, using: &random) { bytes.append([0x20, 0x09, 0x0A, 0x0D].randomElement(using: &random) ?? 0x20) }
    }
}
