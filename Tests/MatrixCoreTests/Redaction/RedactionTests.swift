import MatrixCore
import Testing

@Suite("Redaction")
struct RedactionTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let sentence: String
        let type: String
        let content: String
        /// What is left of the content, by the room version that changed it.
        let kept: [(since: Int, content: String)]

        var testDescription: String { sentence }

        func kept(in version: RoomVersion) -> String {
            kept.last { $0.since <= Int(version.id) ?? 0 }?.content ?? ""
        }
    }

    static let cases = [
        Case(
            sentence: "a message keeps nothing", type: "m.room.message", content: #"{"body":"hi","msgtype":"m.text"}"#, kept: [(1, "{}")]),
        Case(
            sentence: "a create event keeps its creator, later everything", type: "m.room.create",
            content: #"{"creator":"@a:b","type":"m.space"}"#,
            kept: [(1, #"{"creator":"@a:b"}"#), (11, #"{"creator":"@a:b","type":"m.space"}"#)]),
        Case(
            sentence: "a membership keeps itself, later who authorised it, and then what signed a third-party invite",
            type: "m.room.member",
            content:
                #"""
                {"displayname":"x","join_authorised_via_users_server":"@a:b","membership":"join",
                "third_party_invite":{"display_name":"y","signed":{"a":1}}}
                """#,
            kept: [
                (1, #"{"membership":"join"}"#), (9, #"{"join_authorised_via_users_server":"@a:b","membership":"join"}"#),
                (
                    11,
                    #"{"join_authorised_via_users_server":"@a:b","membership":"join","third_party_invite":{"signed":{"a":1}}}"#
                ),
            ]),
        Case(
            sentence: "a third-party invite that is no object is dropped", type: "m.room.member",
            content: #"{"membership":"invite","third_party_invite":"x"}"#, kept: [(1, #"{"membership":"invite"}"#)]),
        Case(
            sentence: "a third-party invite without a signed part leaves an empty object", type: "m.room.member",
            content: #"{"membership":"invite","third_party_invite":{"display_name":"x"}}"#,
            kept: [(1, #"{"membership":"invite"}"#), (11, #"{"membership":"invite","third_party_invite":{}}"#)]),
        Case(
            sentence: "join rules keep the rule, later its conditions", type: "m.room.join_rules",
            content: #"{"allow":[1],"join_rule":"restricted","x":1}"#,
            kept: [(1, #"{"join_rule":"restricted"}"#), (8, #"{"allow":[1],"join_rule":"restricted"}"#)]),
        Case(
            sentence: "power levels keep the levels, later that of invites too, never those of notifications", type: "m.room.power_levels",
            content: #"{"ban":1,"events":{"a":1},"invite":2,"notifications":{"room":1},"users":{"@a:b":1}}"#,
            kept: [
                (1, #"{"ban":1,"events":{"a":1},"users":{"@a:b":1}}"#),
                (11, #"{"ban":1,"events":{"a":1},"invite":2,"users":{"@a:b":1}}"#),
            ]),
        Case(
            sentence: "the history visibility is kept", type: "m.room.history_visibility",
            content: #"{"history_visibility":"joined","x":1}"#, kept: [(1, #"{"history_visibility":"joined"}"#)]),
        Case(
            sentence: "a redaction keeps what it redacts where that is in the content", type: "m.room.redaction",
            content: #"{"reason":"x","redacts":"$a"}"#, kept: [(1, "{}"), (11, #"{"redacts":"$a"}"#)]),
        Case(
            sentence: "aliases keep nothing since room version 6", type: "m.room.aliases", content: ##"{"aliases":["#a:b"],"x":1}"##,
            kept: [(1, ##"{"aliases":["#a:b"]}"##), (6, "{}")]),
    ]

    @Test("the content keeps only what the room's rules rest on", arguments: cases, RoomVersion.all)
    func content(_ line: Case, _ version: RoomVersion) throws {
        let pdu = try JSONDocument(parsing: Array(#"{"content":\#(line.content),"type":"\#(line.type)"}"#.utf8)).root
        let redacted = Redaction.redact(pdu, rules: version.redactionRules)
        #expect(String(decoding: redacted, as: UTF8.self) == #"{"content":\#(line.kept(in: version)),"type":"\#(line.type)"}"#)
        let again = Redaction.redact(try JSONDocument(parsing: redacted).root, rules: version.redactionRules)
        #expect(again == redacted)
    }

    @Test(
        "the event keeps its place in the graph and loses everything unsigned, from room version 11 on also three old properties",
        arguments: RoomVersion.all)
    func topLevel(version: RoomVersion) throws {
        let pdu = try JSONDocument(
            parsing: Array(
                #"{"unsigned":{"age":1},"type":"t","membership":"join","origin":"a","prev_state":[],"depth":1,"room_id":"!a:b","extra":1}"#
                    .utf8)
        ).root
        let kept =
            version.redactsInContent
            ? #"{"depth":1,"room_id":"!a:b","type":"t"}"#
            : #"{"depth":1,"membership":"join","origin":"a","prev_state":[],"room_id":"!a:b","type":"t"}"#
        #expect(String(decoding: Redaction.redact(pdu, rules: version.redactionRules), as: UTF8.self) == kept)
    }

    @Test("a redaction is applied with the redact level, or between users of one server")
    func permission() throws {
        let content = try JSONDocument(parsing: Array(#"{"users":{"@mod:a":50}}"#.utf8)).root
        let levels = PowerLevels(content: content, creators: [], version: .v12)
        func user(_ text: String) -> UserID { UserID(trusted: text) }
        #expect(levels.appliesRedaction(by: user("@mod:a"), ofEventBy: user("@bob:b")))
        #expect(levels.appliesRedaction(by: user("@carol:b"), ofEventBy: user("@bob:b")))
        #expect(!levels.appliesRedaction(by: user("@alice:a"), ofEventBy: user("@bob:b")))
        #expect(levels.allowsRedaction(by: user("@bob:b"), ofEventBy: user("@bob:b")))
        #expect(!levels.allowsRedaction(by: user("@carol:b"), ofEventBy: user("@bob:b")))
        #expect(levels.allowsRedaction(by: user("@mod:a"), ofEventBy: user("@bob:b")))
    }
}
