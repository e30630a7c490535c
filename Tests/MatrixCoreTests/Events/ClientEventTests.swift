// What clients get of events. Client-Server API §Room event format.

import MatrixCore
import Testing

@Suite("Client events")
struct ClientEventTests {
    private static let id = EventID(trusted: "$id")

    private func render(_ pdu: String, _ version: RoomVersion = .v11) -> String {
        String(decoding: ClientEventFormat.render(pdu: Array(pdu.utf8), id: Self.id, version: version), as: UTF8.self)
    }

    @Test("clients get their fields in order, and nothing of federation")
    func fields() throws {
        let pdu =
            #"{"auth_events":["$a"],"content":{"body":"}\"]\\","list":[{"type":"no"}]},"depth":3,"hashes":{"sha256":"x"},"#
            + #""origin_server_ts":5,"prev_events":[],"room_id":"!r:x","sender":"@a:x","signatures":{},"state_key":"","type":"m.x"}"#
        let prefix = render(pdu)
        #expect(
            prefix
                == #"{"content":{"body":"}\"]\\","list":[{"type":"no"}]},"#
                + #""event_id":"$id","origin_server_ts":5,"sender":"@a:x","state_key":"","type":"m.x""#
        )
        var writer = JSONWriter()
        writer.openRaw(Array(prefix.utf8))
        writer.member("room_id", "!r:x")
        writer.member("unsigned", object: { $0.member("age", 1) })
        writer.close()
        let event = try JSONDocument(parsing: writer.bytes).root
        #expect(event["unsigned"]?["age"]?.int == 1)
        #expect(event.count == 8)
    }

    @Test("a message has no state key, and an odd key between does no harm")
    func message() {
        #expect(
            render(#"{"":1,"conTent":2,"content":{},"origin_server_ts":-5,"sender":"@é:x","sendez":[],"type":"t","typo":"x"}"#)
                == #"{"content":{},"event_id":"$id","origin_server_ts":-5,"sender":"@é:x","type":"t""#)
    }

    @Test(
        "redacts is given in both places",
        arguments: [
            (#"{"content":{"reason":"x"},"redacts":"$t","type":"m.room.redaction"}"#, RoomVersion.v10, #"{"reason":"x","redacts":"$t"}"#),
            (#"{"content":{},"redacts":"$t","type":"m.room.redaction"}"#, .v10, #"{"redacts":"$t"}"#),
            (#"{"content":{"redacts":"$t"},"type":"m.room.redaction"}"#, .v11, #"{"redacts":"$t"}"#),
            (#"{"content":{"redacts":"$t"},"type":"m.room.redaction"}"#, .v12, #"{"redacts":"$t"}"#),
        ])
    func redactions(pdu: String, version: RoomVersion, content: String) {
        #expect(render(pdu, version) == #"{"content":\#(content),"event_id":"$id","redacts":"$t","type":"m.room.redaction""#)
    }

    @Test("redacts of what is no redaction is not shown")
    func noRedaction() {
        #expect(render(#"{"content":{},"redacts":"$t","type":"m.x"}"#, .v10) == #"{"content":{},"event_id":"$id","type":"m.x""#)
        #expect(render(#"{"content":{},"type":"m.room.redaction"}"#, .v11) == #"{"content":{},"event_id":"$id","type":"m.room.redaction""#)
    }

    @Test("bytes that are no event are never read beyond their end")
    func damaged() {
        let pdu = Array(#"{"content":{"a":"\\\"","redacts":"$t"},"origin_server_ts":5,"type":"m.room.redaction"}"#.utf8)
        for end in 1..<pdu.count {
            let rendered = ClientEventFormat.render(pdu: Array(pdu[..<end]), id: Self.id, version: .v11)
            #expect(rendered.starts(with: Array(#"{"content":"#.utf8)))
        }
    }
}
