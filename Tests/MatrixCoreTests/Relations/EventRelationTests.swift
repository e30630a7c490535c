import MatrixCore
import Testing

@Suite("Event relations")
struct EventRelationTests {
    private func relation(_ content: String) throws -> EventRelation? {
        EventRelation(content: try JSONDocument(parsing: Array(content.utf8)).root)
    }

    @Test("a relation has a type and an event; an annotation has a key besides")
    func wellFormed() throws {
        let reply = try relation(#"{"m.relates_to":{"rel_type":"m.thread","event_id":"$root","m.in_reply_to":{"event_id":"$x"}}}"#)
        #expect(reply == EventRelation(type: "m.thread", target: EventID(trusted: "$root")))
        let like = try relation(#"{"m.relates_to":{"rel_type":"m.annotation","event_id":"$a","key":"👍"}}"#)
        #expect(like == EventRelation(type: "m.annotation", target: EventID(trusted: "$a"), key: "👍"))
    }

    @Test(
        "what has not that form is no relation",
        arguments: [
            "{}", #"{"m.relates_to":"$a"}"#, #"{"m.relates_to":{"m.in_reply_to":{"event_id":"$a"}}}"#,
            #"{"m.relates_to":{"rel_type":"m.thread"}}"#, #"{"m.relates_to":{"rel_type":1,"event_id":"$a"}}"#,
            #"{"m.relates_to":{"rel_type":"","event_id":"$a"}}"#, #"{"m.relates_to":{"rel_type":"m.thread","event_id":"a"}}"#,
            #"{"m.relates_to":{"rel_type":"m.thread","event_id":["$a"]}}"#, #"{"m.relates_to":{"rel_type":"a\u0000b","event_id":"$a"}}"#,
            "{\"m.relates_to\":{\"rel_type\":\"\(String(repeating: "x", count: 256))\",\"event_id\":\"$a\"}}",
        ])
    func malformed(content: String) throws {
        #expect(try relation(content) == nil)
    }

    @Test("an event finds its relation wherever it stands in the content")
    func ofEvent() throws {
        let room = try AuthFixture(.v12)
        func event(_ content: JSONObject) throws -> Event {
            try room.event("m.room.message", nil, content, by: "@alice:a.example")
        }
        let target = EventID(trusted: "$a")
        let relatesTo: JSONValue = ["rel_type": "m.replace", "event_id": "$a"]
        #expect(try event(["body": "a_b _ relates_to", "m.relates_to": relatesTo]).relation?.target == target)
        #expect(try event(["_": "_", "m.relates_to": relatesTo, "z": "z"]).relation?.type == EventRelation.replace)
        #expect(try event(["body": #""m.relates_to""#]).relation == nil)
        #expect(try event(["inner": ["m.relates_to": relatesTo]]).relation == nil)
        #expect(try event([:]).relation == nil)
    }

    @Test("a replacement needs new content, unless it is encrypted, and is no state event")
    func replacements() throws {
        let room = try AuthFixture(.v12)
        func isReplacement(_ type: ByteString, _ stateKey: ByteString?, _ content: JSONObject) throws -> Bool {
            try room.event(type, stateKey, content, by: "@alice:a.example").isReplacement
        }
        #expect(try isReplacement("m.room.message", nil, ["m.new_content": ["body": "b"]]))
        #expect(try !isReplacement("m.room.message", nil, ["body": "b"]))
        #expect(try !isReplacement("m.room.message", nil, ["m.new_content": "b"]))
        #expect(try isReplacement("m.room.encrypted", nil, ["ciphertext": "b"]))
        #expect(try !isReplacement("m.room.topic", "", ["m.new_content": ["topic": "b"]]))
    }

    @Test("annotations are the same when type and key are, byte for byte")
    func annotationNumbers() {
        func number(_ type: ByteString, _ key: ByteString) -> Int64 {
            EventRelation(type: "m.annotation", target: EventID(trusted: "$a"), key: key).annotationNumber(of: type)
        }
        #expect(number("m.reaction", "👍") == number("m.reaction", "👍"))
        #expect(number("m.reaction", "👍") != number("m.reaction", "👍️"))
        #expect(number("m.reaction", "a") != number("m.reactiona", ""))
        #expect(number("m.reaction", "\u{E9}") != number("m.reaction", "e\u{301}"))
    }
}
