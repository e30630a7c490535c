// Writing JSON.

import MatrixCore
import Testing

@Suite("Writing JSON")
struct JSONWriterTests {
    @Test("members, elements and nested containers get their commas")
    func commas() throws {
        let room = try RoomID(parsing: "!r:example.org")
        let written = write { writer in
            writer.object { writer in
                writer.member("text", "a\"\n")
                writer.member("int", 5)
                writer.member("long", Int64.min)
                writer.member("yes", true)
                writer.member("room", room)
                writer.member("rooms", [room, room])
                writer.member("list", ["x", "y"])
                writer.member("none", [String]())
                writer.member("tree", ["k": [1, 2.5, .null]] as JSONValue)
                writer.member("raw", raw: Array("[ ]".utf8))
                writer.member("time", Timestamp(milliseconds: 7))
                writer.member("object", object: { $0.member("a", 1) })
                writer.member("empty", object: { _ in })
                writer.member(
                    "array",
                    array: { writer in
                        writer.int(-1)
                        writer.array { _ in }
                        writer.object { $0.member("b", false) }
                        writer.null()
                        writer.double(1.5)
                        writer.string("é")
                    })
                writer.key("last")
                writer.bool(false)
            }
        }
        #expect(
            written
                == #"{"text":"a\"\n","int":5,"long":-9223372036854775808,"yes":true,"room":"!r:example.org","#
                + #""rooms":["!r:example.org","!r:example.org"],"list":["x","y"],"none":[],"tree":{"k":[1,2.5,null]},"raw":[ ],"time":7,"#
                + #""object":{"a":1},"empty":{},"array":[-1,[],{"b":false},null,1.5,"é"],"last":false}"#)
    }

    @Test("a prerendered start of an object takes more members")
    func splicing() {
        let written = write { writer in
            writer.array { writer in
                for number in 1...2 {
                    writer.openRaw(Array(#"{"a":1"#.utf8))
                    writer.member("b", number)
                    writer.close()
                }
                writer.string("end")
            }
        }
        #expect(written == #"[{"a":1,"b":1},{"a":1,"b":2},"end"]"#)
    }

    @Test("control characters are escaped, all else is written as it is", arguments: 0..<0x80)
    func characters(code: Int) throws {
        let text = String(try #require(Unicode.Scalar(code))) + "padding to a word"
        let written = write { $0.string(text) }
        #expect(try ByteString(#require(try parse(written).string)) == ByteString(text))
        #expect(written.utf8.allSatisfy { $0 >= 0x20 })
    }

    @Test("what JSON cannot express is null")
    func infinities() {
        #expect(write { $0.double(.infinity) } == "null")
        #expect(write { $0.double(.nan) } == "null")
        #expect(write { $0.double(3) } == "3")
    }

    private func write(_ body: (inout JSONWriter) -> Void) -> String {
        var writer = JSONWriter()
        body(&writer)
        return String(decoding: writer.bytes, as: UTF8.self)
    }
}
