// Which texts are JSON, and where reading stops in those that are not.

import MatrixCore
import Testing

@Suite("Parsing JSON")
struct JSONParserTests {
    @Test(
        "values of every kind are read",
        arguments: [
            ("{}", JSON.Kind.object), ("[]", .array), (#""a""#, .string), ("0", .integer), ("-1", .integer), ("1.5", .number),
            ("1e3", .number), ("true", .bool), ("false", .bool), ("null", .null), (" \t\r\n[ 1 , 2 ] ", .array),
        ])
    func kinds(text: String, kind: JSON.Kind) throws {
        #expect(try parse(text).kind == kind)
    }

    @Test(
        "what is no JSON is refused with its reason and its place",
        arguments: [
            ("", JSONError.Reason.unexpectedEnd, 0), ("   ", .unexpectedEnd, 3), ("{", .unexpectedEnd, 1), ("[1", .unexpectedEnd, 2),
            ("[1,", .unexpectedEnd, 3), ("[1,]", .unexpectedCharacter, 3), ("{,}", .unexpectedCharacter, 1),
            (#"{"a"}"#, .unexpectedCharacter, 4), (#"{"a":}"#, .unexpectedCharacter, 5), (#"{"a":1,}"#, .unexpectedCharacter, 7),
            ("{1:2}", .unexpectedCharacter, 1), ("[1}", .unexpectedCharacter, 2), ("]", .unexpectedCharacter, 0),
            ("1 2", .trailingCharacters, 2), ("{}x", .trailingCharacters, 2), ("nul", .unexpectedEnd, 3), ("nulL", .unexpectedCharacter, 3),
            ("NaN", .unexpectedCharacter, 0), ("Infinity", .unexpectedCharacter, 0), ("-Infinity", .invalidNumber, 1),
            ("01", .invalidNumber, 2), ("-", .invalidNumber, 1), ("1.", .invalidNumber, 2), ("1e", .invalidNumber, 2),
            ("1e+", .invalidNumber, 3),
            ("+1", .unexpectedCharacter, 0), (".5", .unexpectedCharacter, 0), (#""abc"#, .unexpectedEnd, 4),
            ("'a'", .unexpectedCharacter, 0),
            (#""\x""#, .invalidEscape, 1), (#""\u12""#, .invalidEscape, 1), (#""\u12G4""#, .invalidEscape, 1),
            (#""\ud800""#, .loneSurrogate, 1), (#""\udc00""#, .loneSurrogate, 1), (#""\ud800\u0041""#, .loneSurrogate, 1),
            ("\"a\nb\"", .controlCharacter, 2), ("\"a\u{0}\"", .controlCharacter, 2), ("\u{FEFF}{}", .unexpectedCharacter, 0),
            ("\"12345678\u{1F}\"", .controlCharacter, 9), ("// a\n1", .unexpectedCharacter, 0),
        ])
    func refusals(text: String, reason: JSONError.Reason, offset: Int) {
        #expect(throws: JSONError(reason: reason, offset: offset)) { try parse(text) }
    }

    @Test(
        "bytes that are not UTF-8 are refused wherever they stand",
        arguments: [
            [0x80], [0xC0, 0x80], [0xC1, 0xBF], [0xC2], [0xC2, 0x41], [0xE0, 0x80, 0x80], [0xE0, 0x9F, 0xBF], [0xED, 0xA0, 0x80],
            [0xE2, 0x82], [0xF0, 0x80, 0x80, 0x80], [0xF4, 0x90, 0x80, 0x80], [0xF5, 0x80, 0x80, 0x80], [0xFF], [0xF0, 0x9F, 0x98],
        ] as [[UInt8]])
    func invalidUTF8(bytes: [UInt8]) {
        for padding in 0..<10 {
            let text = Array("\"".utf8) + [UInt8](repeating: UInt8(ascii: "a"), count: padding) + bytes + Array("\"".utf8)
            #expect(throws: JSONError.self, "\(bytes) after \(padding) letters") { try JSONDocument(parsing: text) }
            let open = Array(text.dropLast())
            #expect(throws: JSONError.self) { try JSONDocument(parsing: open) }
        }
    }

    @Test("text of every length and alphabet comes back as it was", arguments: ["a", "é", "語", "😀", "aé語😀", "\u{7F}", "\u{FFFF}"])
    func strings(piece: String) throws {
        for count in 0..<40 {
            let text = String(repeating: piece, count: count)
            #expect(ByteString(try #require(try parse("\"\(text)\"").string)) == ByteString(text))
        }
    }

    @Test(
        "escapes stand for their characters",
        arguments: [
            (#""\"\\\/\b\f\n\r\t""#, "\"\\/\u{8}\u{C}\n\r\t"), (#""\u0041""#, "A"), (#""\u00e9""#, "é"), (#""\u00E9""#, "é"),
            (#""\u65E5""#, "日"), (#""\ud83d\ude00""#, "😀"), (#""x\ud83d\ude00y""#, "x😀y"), (#""\u0000""#, "\u{0}"),
            (#""plain text, then\n""#, "plain text, then\n"), (#""\udbff\udfff""#, "\u{10FFFF}"),
        ])
    func escapes(text: String, expected: String) throws {
        #expect(ByteString(try #require(try parse(text).string)) == ByteString(expected))
    }

    @Test(
        "an event of a strict room version holds integers of canonical JSON only",
        arguments: [
            ("9007199254740991", nil), ("-9007199254740991", nil), ("0", nil), ("-0", nil),
            ("9007199254740992", JSONError.Reason.integerOutOfRange), ("-9007199254740992", .integerOutOfRange),
            ("18446744073709551617", .integerOutOfRange), ("100000000000000000000000000", .integerOutOfRange),
            ("1.0", .floatNotAllowed), ("1e2", .floatNotAllowed), ("0.5", .floatNotAllowed), ("1E+2", .floatNotAllowed),
        ] as [(String, JSONError.Reason?)])
    func strictNumbers(number: String, reason: JSONError.Reason?) throws {
        let text = Array("{\"a\":\(number)}".utf8)
        #expect(try JSONDocument(parsing: text, limits: .lenientEvent).root["a"]?.double != nil)
        if let reason {
            #expect(throws: JSONError(reason: reason, offset: 5)) { try JSONDocument(parsing: text, limits: .strictEvent) }
        } else {
            #expect(try JSONDocument(parsing: text, limits: .strictEvent).root["a"]?.int != nil)
        }
    }

    @Test("text that is not JSON is M_NOT_JSON, JSON that is not allowed M_BAD_JSON")
    func errorCodes() {
        #expect(MatrixError(JSONError(reason: .unexpectedEnd, offset: 0)).errcode == "M_NOT_JSON")
        #expect(MatrixError(JSONError(reason: .loneSurrogate, offset: 0)).errcode == "M_NOT_JSON")
        #expect(MatrixError(JSONError(reason: .floatNotAllowed, offset: 0)).errcode == "M_BAD_JSON")
        #expect(MatrixError(JSONError(reason: .integerOutOfRange, offset: 0)).errcode == "M_BAD_JSON")
    }

    @Test("no text cut short or with one byte changed makes the parser read beyond it")
    func damagedTexts() throws {
        let text = Array(#"{"a":[1,-2.5e3,true,null,"é\u00e9\ud83d\ude00\n"],"b":{"c":{},"d":[]},"語":"x"}"#.utf8)
        for end in 0..<text.count {
            #expect(throws: JSONError.self) { try JSONDocument(parsing: Array(text[..<end])) }
        }
        for position in text.indices {
            for byte in [0x00, 0x22, 0x2C, 0x5B, 0x5C, 0x5D, 0x7B, 0x7D, 0x80, 0xFF] as [UInt8] {
                var damaged = text
                damaged[position] = byte
                guard let document = try? JSONDocument(parsing: damaged) else { continue }
                // What is accepted has a canonical form, which reads back as itself.
                let canonical = document.root.canonicalBytes
                #expect(try JSONDocument(parsing: canonical).root.canonicalBytes == canonical)
            }
        }
    }
}

func parse(_ text: String) throws(JSONError) -> JSON {
    try JSONDocument(parsing: Array(text.utf8)).root
}
