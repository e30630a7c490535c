// What people type, and the tokens of pages.

import Homeserver
import MatrixCore
import Persistence
import Testing

@Suite("Search terms")
struct SearchTermTests {
    typealias Alternative = SearchExpression.Alternative

    @Test(
        "words, phrases, exclusions and alternatives",
        arguments: [
            ("hello World", [Alternative(wanted: ["hello", "world"])]),
            ("\"Hello  world\" -foo", [Alternative(wanted: ["hello world"], unwanted: ["foo"])]),
            ("a or b c OR d", [Alternative(wanted: ["a"]), Alternative(wanted: ["b", "c"]), Alternative(wanted: ["d"])]),
            ("or x or", [Alternative(wanted: ["x"])]),
            ("\"or\"", [Alternative(wanted: ["or"])]),
            ("good -\"bad words\"", [Alternative(wanted: ["good"], unwanted: ["bad words"])]),
            ("\u{201E}smart quotes\u{201C} x", [Alternative(wanted: ["smart quotes", "x"])]),
            ("\"not closed", [Alternative(wanted: ["not closed"])]),
            ("日本語", [Alternative(wanted: ["日 本 語"])]),
            ("안녕 x", [Alternative(wanted: ["안 녕", "x"])]),
            // What is normalized to dots beside a word the database passes over.
            ("brown\u{2014}fox\u{2026}", [Alternative(wanted: ["brown fox..."])]),
            ("foo-bar", [Alternative(wanted: ["foo-bar"])]),
            ("ÜBER ﬁne", [Alternative(wanted: ["über", "fine"])]),
            ("a\u{0}b", [Alternative(wanted: ["a b"])]),
            ("-only", []), ("", []), ("... !? \u{1F600} \"\"", []), ("a or -b", [Alternative(wanted: ["a"])]),
        ])
    func reading(text: String, alternatives: [Alternative]) throws {
        #expect(try SearchExpression(searchTerm: text).alternatives == alternatives)
    }

    @Test("what nobody types is refused", arguments: [String(repeating: "x", count: 1025), String(repeating: "x ", count: 65)])
    func limits(text: String) {
        #expect(throws: MatrixError.self) { try SearchExpression(searchTerm: text) }
    }

    @Test("a token says where a page begins")
    func tokens() throws {
        let place = SearchPlace(timestamp: Timestamp(milliseconds: 1_700_000_000_000), position: StreamPosition(42))
        for group: SearchToken.Group? in [nil, .room(RoomID(trusted: "!room:example.org")), .sender(UserID(trusted: "@a:example.org"))] {
            let token = SearchToken(group: group, place: place)
            #expect(try SearchToken(parsing: token.text) == token)
        }
    }

    @Test(
        "a token that no answer named is refused",
        arguments: [
            "", "x", "!!", "s42", Base64.encode(Array("all\n\n1".utf8)), Base64.encode(Array("all\n\n1\nx".utf8)),
            Base64.encode(Array("room_id\nroom\n1\n1".utf8)), Base64.encode(Array("all\nx\n1\n1".utf8)),
            Base64.encode(Array("other\n\n1\n1".utf8)), String(repeating: "A", count: 2000),
        ])
    func badTokens(text: String) {
        #expect(throws: MatrixError.self) { try SearchToken(parsing: text) }
    }
}
