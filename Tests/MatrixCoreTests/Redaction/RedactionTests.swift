import MatrixCore
import Testing

@Suite("Redaction")
struct RedactionTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let sentence: String
        let type: String
        let content: String
        /// What is left of the content up to room version 10, and from 11 on.
        let old: String
        let new: String

        var testDescription: String { sentence }
    }

    static let cases = [
        Case(
            sentence: "a message keeps nothing", type: "m.room.message", content: #"{"body":"hi","msgtype":"m.text"}"#, old: "{}", new: "{}"
        ),
        Case(
            sentence: "a create event keeps its creator, later everything", type: "m.room.create",
            content: #"{"creator":"@a:b","type":"m.space"}"#, old: #"{"creator":"@a:b"}"#,
            new: #"{"creator":"@a:b","type":"m.space"}"#),
        Case(
            sentence: "a membership keeps what decides it, later what signed a third-party invite too", type: "m.room.member",
            content:
                #"""
                {"displayname":"x","join_authorised_via_users_server":"@a:b","membership":"join",
                "third_party_invite":{"display_name":"y","signed":{"a":1}}}
                """#,
            old: #"{"join_authorised_via_users_server":"@a:b","membership":"join"}"#,
            new: #"{"join_authorised_via_users_server":"@a:b","membership":"join","third_party_invite":{"signed":{"a":1}}}"#),
        Case(
            sentence: "a third-party invite that is no object is dropped", type: "m.room.member",
            content: #"{"membership":"invite","third_party_invite":"x"}"#, old: #"{"membership":"invite"}"#,
            new: #"{"membership":"invite"}"#),
        Case(
            sentence: "join rules keep the rule and its conditions", type: "m.room.join_rules",
            content: #"{"allow":[1],"join_rule":"restricted","x":1}"#, old: #"{"allow":[1],"join_rule":"restricted"}"#,
            new: #"{"allow":[1],"join_rule":"restricted"}"#),
        Case(
            sentence: "power levels keep the levels, later that of invites too, never those of notifications", type: "m.room.power_levels",
            content: #"{"ban":1,"events":{"a":1},"invite":2,"notifications":{"room":1},"users":{"@a:b":1}}"#,
            old: #"{"ban":1,"events":{"a":1},"users":{"@a:b":1}}"#, new: #"{"ban":1,"events":{"a":1},"invite":2,"users":{"@a:b":1}}"#),
        Case(
            sentence: "the history visibility is kept", type: "m.room.history_visibility",
            content: #"{"history_visibility":"joined","x":1}"#, old: #"{"history_visibility":"joined"}"#,
            new: #"{"history_visibility":"joined"}"#),
        Case(
            sentence: "a redaction keeps what it redacts where that is in the content", type: "m.room.redaction",
            content: #"{"reason":"x","redacts":"$a"}"#, old: "{}", new: #"{"redacts":"$a"}"#),
        Case(
            sentence: "aliases keep nothing since room version 6", type: "m.room.aliases", content: ##"{"aliases":["#a:b"]}"##, old: "{}",
            new: "{}"),
    ]

    @Test("the content keeps only what the room's rules rest on", arguments: cases)
    func content(_ line: Case) throws {
        let pdu = try JSONDocument(parsing: Array(#"{"content":\#(line.content),"type":"\#(line.type)"}"#.utf8)).root
        for (version, expected) in [(RoomVersion.v10, line.old), (.v11, line.new), (.v12, line.new)] {
            let redacted = Redaction.redact(pdu, rules: version.redactionRules)
            #expect(String(decoding: redacted, as: UTF8.self) == #"{"content":\#(expected),"type":"\#(line.type)"}"#, "\(version)")
        }
    }

    @Test("the event keeps its place in the graph and loses everything unsigned, from room version 11 on also three old properties")
    func topLevel() throws {
        let pdu = try JSONDocument(
            parsing: Array(
                #"{"unsigned":{"age":1},"type":"t","membership":"join","origin":"a","prev_state":[],"depth":1,"room_id":"!a:b","extra":1}"#
                    .utf8)
        ).root
        #expect(
            String(decoding: Redaction.redact(pdu, rules: RoomVersion.v10.redactionRules), as: UTF8.self)
                == #"{"depth":1,"membership":"join","origin":"a","prev_state":[],"room_id":"!a:b","type":"t"}"#)
        #expect(
            String(decoding: Redaction.redact(pdu, rules: RoomVersion.v11.redactionRules), as: UTF8.self)
                == #"{"depth":1,"room_id":"!a:b","type":"t"}"#)
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
