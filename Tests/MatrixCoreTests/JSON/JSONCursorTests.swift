// Reading values through cursors.

import MatrixCore
import Testing

@Suite("Reading parsed JSON")
struct JSONCursorTests {
    @Test("members and elements are found, others are nil")
    func lookup() throws {
        let json = try parse(#"{"a":{"b":[10,"x",{"c":true}]},"n":null,"f":1.5}"#)
        #expect(json["a"]?["b"]?[0]?.int == 10)
        #expect(json["a"]?["b"]?[1]?.string == "x")
        #expect(json["a"]?["b"]?[2]?["c"]?.bool == true)
        #expect(json["a"]?["b"]?[3] == nil)
        #expect(json["a"]?["b"]?[-1] == nil)
        #expect(json["n"]?.isNull == true)
        #expect(json["f"]?.double == 1.5)
        #expect(json["f"]?.int == nil)
        #expect(json["b"] == nil)
        #expect(json["a"]?["b"]?["c"] == nil)
        #expect(json[0] == nil)
        #expect(json.count == 3)
    }

    @Test("of a key written twice the last value counts")
    func duplicateKeys() throws {
        let json = try parse(#"{"a":1,"b":2,"a":3,"\u0061":4}"#)
        #expect(json["a"]?.int == 4)
        #expect(String(decoding: json.canonicalBytes, as: UTF8.self) == #"{"a":4,"b":2}"#)
        #expect(JSONObject(json) == ["a": 4, "b": 2])
    }

    @Test("keys compare as bytes: a composed letter is not a decomposed one")
    func keysAreBytes() throws {
        let json = try parse("{\"\u{E9}\":1,\"e\u{301}\":2}")
        #expect(json["\u{E9}"]?.int == 1)
        #expect(json["e\u{301}"]?.int == 2)
        #expect(JSONObject(json).count == 2)
        #expect(JSONValue.string("\u{E9}") != .string("e\u{301}"))
    }

    @Test("a key is found however it was escaped")
    func escapedKeys() throws {
        let json = try parse(#"{"m.\u0072oom":1,"a\"b":2}"#)
        #expect(json["m.room"]?.int == 1)
        #expect(json["a\"b"]?.int == 2)
        #expect(json.members.map(\.key) == ["m.room", "a\"b"])
    }

    @Test("iterating gives all in order, and nothing of other kinds")
    func iteration() throws {
        let json = try parse(#"{"l":[1,[2,3],{"x":4},5],"s":"t"}"#)
        #expect(json["l"].map { Array($0.elements).map(\.kind) } == [.integer, .array, .object, .integer])
        #expect(json["l"]?.count == 4)
        #expect(json["s"].map { Array($0.elements).isEmpty } == true)
        #expect(Array(json.elements).isEmpty)
        #expect(json["l"].map { Array($0.members).isEmpty } == true)
        #expect(json.members.map(\.key) == ["l", "s"])
    }

    @Test("the bytes of a value are those that were read")
    func bytes() throws {
        let json = try parse(#"{ "a" : [ 1 , "\u0041" ] , "b":-0}"#)
        #expect(json["a"].map { String(decoding: $0.bytes, as: UTF8.self) } == #"[ 1 , "\u0041" ]"#)
        #expect(json["b"].map { String(decoding: $0.bytes, as: UTF8.self) } == "-0")
    }

    @Test(
        "integers are exact to the ends of Int64",
        arguments: [
            ("9223372036854775807", Int64.max), ("-9223372036854775808", .min), ("9223372036854775808", nil), ("-9223372036854775809", nil),
            ("-0", 0), ("99999999999999999999", nil), ("1.0", nil),
        ] as [(String, Int64?)])
    func integers(text: String, value: Int64?) throws {
        #expect(try parse(text).int == value)
    }

    @Test("a tree has what the text had")
    func tree() throws {
        let value = try parse(#"{"b":[1,2.5,null,true,"x"],"a":{}}"#).value
        #expect(value == ["a": [:], "b": [1, 2.5, .null, true, "x"]])
        #expect(value["b"]?.array?.count == 5)
        #expect(value["a"]?.object?.isEmpty == true)
        #expect(String(decoding: value.canonicalBytes, as: UTF8.self) == #"{"a":{},"b":[1,2.5,null,true,"x"]}"#)
    }

    @Test("members of a tree are set, replaced and removed, and stay sorted")
    func objects() {
        var object: JSONObject = ["b": 1, "a": 2, "b": 3]
        #expect(object["b"] == 3)
        object["c"] = "x"
        object["a"] = nil
        object["A"] = [true]
        object["zz"] = nil
        #expect(object.keys == ["A", "b", "c"])
        #expect(object.count == 3)
    }

    @Test("a long text with many values is read whole")
    func manyValues() throws {
        let json = try parse("[" + Array(repeating: "0", count: 100_000).joined(separator: ",") + "]")
        #expect(json.count == 100_000)
        #expect(json.elements.reduce(0) { count, _ in count + 1 } == 100_000)
    }
}
