// The examples of Appendices §Canonical JSON, and what they leave out.

import MatrixCore
import Testing

@Suite("Canonical JSON")
struct CanonicalJSONTests {
    @Test(
        "the specification's examples come out as it says",
        arguments: [
            ("{}", "{}"),
            (#"{ "one": 1, "two": "Two" }"#, #"{"one":1,"two":"Two"}"#),
            (#"{ "b": "2", "a": "1" }"#, #"{"a":"1","b":"2"}"#),
            (#"{"b":"2","a":"1"}"#, #"{"a":"1","b":"2"}"#),
            (
                """
                {"auth": {"success": true, "mxid": "@john.doe:example.com", "profile": {"display_name": "John Doe", "three_pids": [
                {"medium": "email", "address": "john.doe@example.org"}, {"medium": "msisdn", "address": "123456789"}]}}}
                """,
                #"{"auth":{"mxid":"@john.doe:example.com","profile":{"display_name":"John Doe","three_pids":["#
                    + #"{"address":"john.doe@example.org","medium":"email"},{"address":"123456789","medium":"msisdn"}]},"success":true}}"#
            ),
            (#"{ "a": "日本語" }"#, #"{"a":"日本語"}"#),
            (#"{ "本": 2, "日": 1 }"#, #"{"日":1,"本":2}"#),
            (#"{ "a": "\u65E5" }"#, #"{"a":"日"}"#),
            (#"{ "a": null }"#, #"{"a":null}"#),
            (#"{ "a": -0, "b": 1e10 }"#, #"{"a":0,"b":10000000000}"#),
        ])
    func specification(text: String, canonical: String) throws {
        #expect(try String(decoding: parse(text).canonicalBytes, as: UTF8.self) == canonical)
        #expect(try String(decoding: parse(text).value.canonicalBytes, as: UTF8.self) == canonical)
    }

    @Test(
        "strings have the fewest escapes",
        arguments: [
            (#""\u0022\u005c\/\u002F""#, #""\"\\//""#), (#""\u0008\u0009\u000A\u000c\u000D""#, #""\b\t\n\f\r""#),
            (#""\u0000\u001F\u000B\u007f""#, "\"\\u0000\\u001f\\u000b\u{7F}\""), (#""\ud83d\ude00\u00e9""#, #""😀é""#),
        ])
    func escapes(text: String, canonical: String) throws {
        #expect(try String(decoding: parse(text).canonicalBytes, as: UTF8.self) == canonical)
        #expect(try String(decoding: parse(text).value.canonicalBytes, as: UTF8.self) == canonical)
    }

    @Test("keys sort by code point, not by UTF-16 and not by a language")
    func order() throws {
        let json = try parse(#"{"😀":1,"\uff61":2,"é":3,"e":4,"Z":5,"a":6,"":7,"aa":8,"a\u0301":9}"#)
        let canonical = String(decoding: json.canonicalBytes, as: UTF8.self)
        #expect(canonical == "{\"\":7,\"Z\":5,\"a\":6,\"aa\":8,\"a\u{301}\":9,\"e\":4,\"é\":3,\"｡\":2,\"😀\":1}")
    }

    @Test("keys can be left out of an object, but not out of those inside it")
    func omission() throws {
        let json = try parse(#"{"unsigned":1,"b":{"unsigned":2},"\u0073ignatures":3}"#)
        #expect(String(decoding: json.canonicalBytes(omitting: ["signatures", "unsigned"]), as: UTF8.self) == #"{"b":{"unsigned":2}}"#)
    }

    @Test("integers beyond the range of old events keep their digits")
    func bigIntegers() throws {
        let text = "[123456789012345678901234567890,-5]"
        #expect(try String(decoding: parse(text).canonicalBytes, as: UTF8.self) == text)
    }
}
