import Homeserver
import MatrixCore
import Persistence
import Testing

@Suite("Body of a key backup")
struct KeyBackupUploadTests {
    static let key = #"{"first_message_index":1,"forwarded_count":2,"is_verified":true,"session_data":{"b":1,"a":"x"}}"#

    @Test("keys come for a session, for a room or for all rooms; the last of a name counts")
    func forms() throws {
        let expected = BackedUpSession(
            room: "!r", session: "s", firstMessageIndex: 1, forwardedCount: 2, isVerified: true, data: Array(#"{"a":"x","b":1}"#.utf8))
        #expect(try KeyBackupUpload(json(Self.key), scope: .session(room: "!r", session: "s")).sessions == [expected])
        #expect(try KeyBackupUpload(json("{\"sessions\":{\"s\":\(Self.key)}}"), scope: .room("!r")).sessions == [expected])
        let all = "{\"rooms\":{\"!r\":{\"sessions\":{\"s\":\(Self.key),\"s\":\(Self.key)}},\"!q\":{\"sessions\":{}}}}"
        #expect(try KeyBackupUpload(json(all), scope: .all).sessions == [expected])
    }

    @Test(
        "what is no key is refused",
        arguments: [
            (#"{}"#, "M_MISSING_PARAM"),
            (#"{"rooms":[]}"#, "M_BAD_JSON"),
            (#"{"rooms":{"!r":{}}}"#, "M_MISSING_PARAM"),
            (#"{"rooms":{"!r":{"sessions":{"s":[]}}}}"#, "M_BAD_JSON"),
            (#"{"rooms":{"!r":{"sessions":{"":\#(key)}}}}"#, "M_INVALID_PARAM"),
            (#"{"rooms":{"!r\u0000":{"sessions":{"s":\#(key)}}}}"#, "M_INVALID_PARAM"),
            (session(#""first_message_index":1,"forwarded_count":2,"session_data":{}"#), "M_MISSING_PARAM"),
            (session(#""first_message_index":1,"forwarded_count":2,"is_verified":1,"session_data":{}"#), "M_INVALID_PARAM"),
            (session(#""first_message_index":-1,"forwarded_count":2,"is_verified":true,"session_data":{}"#), "M_BAD_JSON"),
            (session(#""first_message_index":1,"forwarded_count":2.5,"is_verified":true,"session_data":{}"#), "M_BAD_JSON"),
            (session(#""first_message_index":1,"forwarded_count":2,"is_verified":true,"session_data":1"#), "M_BAD_JSON"),
            (session(#""first_message_index":1,"forwarded_count":2,"is_verified":true"#), "M_MISSING_PARAM"),
            (
                session(
                    #""first_message_index":1,"forwarded_count":2,"is_verified":true,"session_data":"\#(String(repeating: "x", count: 70_000))""#
                ), "M_TOO_LARGE"
            ),
        ])
    func refused(_ body: String, errcode: String) throws {
        let error = #expect(throws: MatrixError.self) { try KeyBackupUpload(json(body), scope: .all) }
        #expect(error?.errcode == errcode)
    }

    private static func session(_ members: String) -> String { "{\"rooms\":{\"!r\":{\"sessions\":{\"s\":{\(members)}}}}}" }
}
