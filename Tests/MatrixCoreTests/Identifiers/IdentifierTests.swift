// The grammar of identifiers. Appendices §Identifier Grammar.

import MatrixCore
import Testing

@Suite("Identifiers")
struct IdentifierTests {
    @Test(
        "server names have a host and perhaps a port",
        arguments: [
            ("matrix.org", "matrix.org", nil, false), ("matrix.org:8888", "matrix.org", 8888, false), ("1.2.3.4", "1.2.3.4", nil, true),
            ("1.2.3.4:1234", "1.2.3.4", 1234, true), ("[1234:5678::abcd]", "[1234:5678::abcd]", nil, true),
            ("[1234:5678::abcd]:5678", "[1234:5678::abcd]", 5678, true), ("localhost", "localhost", nil, false),
            ("[::]", "[::]", nil, true), ("[::1]", "[::1]", nil, true), ("[1::]", "[1::]", nil, true),
            ("[::ffff:1.2.3.4]", "[::ffff:1.2.3.4]", nil, true), ("[1:2:3:4:5:6:7:8]", "[1:2:3:4:5:6:7:8]", nil, true),
            ("MATRIX.org", "MATRIX.org", nil, false), ("a-b.c", "a-b.c", nil, false), ("1.2.3", "1.2.3", nil, false),
        ] as [(String, String, Int?, Bool)])
    func serverNames(text: String, host: String, port: Int?, isAddress: Bool) throws {
        let name = try ServerName(parsing: text)
        #expect(name.host == host)
        #expect(name.port == port)
        #expect(name.isLiteralAddress == isAddress)
    }

    @Test(
        "what follows no grammar is no server name",
        arguments: [
            "", ":80", "a b", "a_b", "ex\u{E9}", "a:", "a:123456", "a:x", "a:1:2", "1.2.3.256", "[::1", "::1", "[]", "[1]",
            "[1:2:3:4:5:6:7:8:9]",
            "[1::2::3]", "[12345::]", "[::1]x", "[::1]:", "[1:]", "[:1:2:3:4:5:6:7]", "[::1.2.3]", "[g::]", "a/b", "a@b", "a\u{0}",
            String(repeating: "a", count: 256),
        ])
    func badServerNames(text: String) {
        #expect(throws: IdentifierError.self) { try ServerName(parsing: text) }
    }

    @Test(
        "user IDs are read, historical ones too",
        arguments: [
            ("@alice:example.org", "alice", "example.org", true), ("@a:1.2.3.4:80", "a", "1.2.3.4:80", true),
            ("@a:[::1]:80", "a", "[::1]:80", true),
            ("@Alice!:example.org", "Alice!", "example.org", true), ("@:example.org", "", "example.org", false),
            ("@é 語:example.org", "é 語", "example.org", false), ("@\u{1}:x", "\u{1}", "x", false),
        ])
    func userIDs(text: String, localpart: String, server: String, isCompliant: Bool) throws {
        let user = try UserID(parsing: text)
        #expect(user.localpart == ByteString(localpart))
        #expect(user.server == (try ServerName(parsing: server)))
        #expect(user.belongs(to: try ServerName(parsing: server)))
        #expect(!user.belongs(to: try ServerName(parsing: "other.org")))
        #expect(user.isCompliant == isCompliant)
        #expect(user == UserID(localpart: ByteString(localpart), server: ServerName(trusted: server)))
    }

    @Test(
        "what is no user ID is refused with the reason",
        arguments: [
            ("", IdentifierError.Reason.empty), ("alice:example.org", .wrongSigil), ("!alice:example.org", .wrongSigil),
            ("@alice", .missingServerName), ("@", .missingServerName), ("@alice:", .invalidServerName),
            ("@a\u{0}:example.org", .invalidCharacter),
            ("@alice:exa mple", .invalidServerName), ("@" + String(repeating: "a", count: 244) + ":example.org", .tooLong),
            ("@" + String(repeating: "é", count: 122) + ":example.org", .tooLong),
        ])
    func badUserIDs(text: String, reason: IdentifierError.Reason) {
        #expect(throws: IdentifierError(subject: "user ID", reason: reason)) { try UserID(parsing: text) }
    }

    @Test("255 bytes are not too long")
    func longest() throws {
        let text = "@" + String(repeating: "a", count: 242) + ":example.org"
        #expect(text.utf8.count == 255)
        #expect(try UserID(parsing: text).string == text)
    }

    @Test(
        "a new account's localpart is of the present alphabet",
        arguments: [("a.b_c=d-e/f+0", true), ("", false), ("A", false), ("é", false), ("a:b", false), ("a!", false)]
    )
    func allowedLocalparts(localpart: String, allowed: Bool) {
        #expect(UserID.isAllowed(localpart: localpart) == allowed)
    }

    @Test("room IDs have a domain, or are a hash")
    func roomIDs() throws {
        #expect(try RoomID(parsing: "!r:example.org").server == ServerName(trusted: "example.org"))
        let hash = "!31hneApxJ_1o-63DmFrpeqnkFfWppnzWso1JvH3ogLM"
        let room = try RoomID(parsing: hash)
        #expect(room.server == nil)
        #expect(room.createEvent == EventID(trusted: "$" + hash.dropFirst()))
        #expect(RoomID(createEvent: EventID(trusted: "$" + hash.dropFirst())) == room)
        #expect(try RoomID(parsing: "!r:example.org").createEvent == nil)
        for text in ["", "!", "!r", "!:", "r:example.org", "#r:example.org", hash + "x", String(hash.dropLast()), hash.dropLast() + "+"] {
            #expect(throws: IdentifierError.self, "\(text)") { try RoomID(parsing: text) }
        }
    }

    @Test("aliases and event IDs are read")
    func others() throws {
        let alias = try RoomAlias(parsing: "#räume und mehr:example.org:8448")
        #expect(alias.localpart == "räume und mehr")
        #expect(alias.server.port == 8448)
        #expect(throws: IdentifierError.self) { try RoomAlias(parsing: "#room") }
        #expect(try EventID(parsing: "$abc").string == "$abc")
        #expect(try EventID(parsing: "$abc:example.org").string == "$abc:example.org")
        #expect(throws: IdentifierError.self) { try EventID(parsing: "$") }
        #expect(throws: IdentifierError.self) { try EventID(parsing: "abc") }
        #expect(throws: IdentifierError.self) { try EventID(parsing: "$" + String(repeating: "a", count: 255)) }
        #expect(try DeviceID(parsing: "ABC ü").string == "ABC ü")
        #expect(throws: IdentifierError.self) { try DeviceID(parsing: "") }
    }

    @Test("an event ID of room versions 1 and 2 names a server")
    func eventIDServers() throws {
        #expect(try EventID(parsing: "$abc:example.org:80").server == ServerName(trusted: "example.org:80"))
        #expect(try EventID(parsing: "$acR1l0raoZnm60CBwAVgqbZqoO/mYU81xysh1u7XcJk").server == nil)
        #expect(EventID(localpart: "a", server: ServerName(trusted: "b")).string == "$a:b")
    }

    @Test("identifiers in the keys of old events may be longer in bytes, never in code points")
    func codePoints() throws {
        let text = "@" + String(repeating: "é", count: 252) + ":x"
        #expect(text.unicodeScalars.count == 255)
        #expect(throws: IdentifierError(subject: "user ID", reason: .tooLong)) { try UserID(parsing: text) }
        #expect(try UserID(parsing: text, lengthIn: .codePoints).string == text)
        #expect(throws: IdentifierError.self) { try UserID(parsing: "@é" + text.dropFirst(), lengthIn: .codePoints) }
        #expect(throws: IdentifierError.self) { try RoomID(parsing: "!é" + text.dropFirst(), lengthIn: .codePoints) }
        #expect(throws: IdentifierError.self) { try EventID(parsing: "$é" + text.dropFirst(), lengthIn: .codePoints) }
    }

    @Test(
        "content URIs name a server and a media ID",
        arguments: [
            ("mxc://example.org/abc_DEF-123", "example.org", "abc_DEF-123"), ("mxc://[::1]:80/a", "[::1]:80", "a"),
            ("mxc://1.2.3.4/x", "1.2.3.4", "x"),
        ])
    func contentURIs(text: String, server: String, mediaID: String) throws {
        let uri = try ContentURI(parsing: text)
        #expect(uri.server == ServerName(trusted: server))
        #expect(uri.mediaID == mediaID)
        #expect(ContentURI(server: uri.server, mediaID: mediaID) == uri)
    }

    @Test(
        "what is no content URI is refused with the reason",
        arguments: [
            ("", IdentifierError.Reason.empty), ("http://example.org/a", .wrongScheme), ("MXC://example.org/a", .wrongScheme),
            ("mxc:/example.org/a", .wrongScheme), ("mxc://", .missingServerName), ("mxc:///a", .missingServerName),
            ("mxc://exa mple/a", .invalidServerName), ("mxc://127.0.0.1/../../../some_service/etc/passwd", .invalidCharacter),
            ("mxc://a", .missingMediaID), ("mxc://a/", .missingMediaID), ("mxc://a/b/c", .invalidCharacter),
            ("mxc://a/..", .invalidCharacter), ("mxc://a/b?c", .invalidCharacter), ("mxc://a/b#c", .invalidCharacter),
            ("mxc://a/é", .invalidCharacter), ("mxc://a/" + String(repeating: "a", count: 256), .tooLong),
        ])
    func badContentURIs(text: String, reason: IdentifierError.Reason) {
        #expect(throws: IdentifierError(subject: "content URI", reason: reason)) { try ContentURI(parsing: text) }
    }

    @Test(
        "key IDs name an algorithm and a key",
        arguments: [
            ("ed25519:a_AbCd", "ed25519", "a_AbCd", true), ("ed25519:auto", "ed25519", "auto", true),
            ("curve25519:JLAFKJWSCS", "curve25519", "JLAFKJWSCS", false), ("ed25519:a:b", "ed25519", "a:b", false),
            ("ed25519:a-b", "ed25519", "a-b", false),
        ])
    func keyIDs(text: String, algorithm: String, name: String, isServerKey: Bool) throws {
        let id = try KeyID(parsing: text)
        #expect(id.algorithm == ByteString(algorithm))
        #expect(id.name == ByteString(name))
        #expect(id.isServerKey == isServerKey)
        #expect(KeyID(algorithm: algorithm, name: name) == id)
    }

    @Test(
        "what is no key ID is refused with the reason",
        arguments: [
            ("", IdentifierError.Reason.empty), ("ed25519", .missingAlgorithm), (":a", .missingAlgorithm), ("ed25519:", .empty),
            ("ed25519:\u{0}", .invalidCharacter), ("ed25519:" + String(repeating: "a", count: 250), .tooLong),
        ])
    func badKeyIDs(text: String, reason: IdentifierError.Reason) {
        #expect(throws: IdentifierError(subject: "key ID", reason: reason)) { try KeyID(parsing: text) }
    }

    @Test("identifiers that look alike but differ in bytes are different, also as keys")
    func bytewise() throws {
        let composed = try UserID(parsing: "@\u{E9}:example.org")
        let decomposed = try UserID(parsing: "@e\u{301}:example.org")
        #expect(composed.string == decomposed.string)
        #expect(composed != decomposed)
        #expect(Set([composed, decomposed]).count == 2)
        #expect(Set<ByteString>(["\u{1112}\u{1161}\u{11AB}", "\u{D55C}"]).count == 2)
    }

    @Test("text orders as bytes")
    func order() {
        let sorted: [ByteString] = ["", "A", "Z", "a", "aa", "b", "e\u{301}", "\u{E9}", "\u{FF61}", "😀"]
        #expect(sorted.shuffled().sorted() == sorted)
    }

    @Test("bytes that are not UTF-8 are no text")
    func invalidText() {
        #expect(ByteString(utf8: [0xFF]) == nil)
        #expect(ByteString(utf8: [0xED, 0xA0, 0x80]) == nil)
        #expect(ByteString(utf8: Array("é".utf8)) == "é")
    }

    @Test("arithmetic on timestamps stops at the ends")
    func timestamps() {
        #expect(Timestamp(milliseconds: 10).milliseconds(since: Timestamp(milliseconds: 3)) == 7)
        #expect(Timestamp(milliseconds: .max).milliseconds(since: Timestamp(milliseconds: -1)) == .max)
        #expect(Timestamp(milliseconds: .min).milliseconds(since: Timestamp(milliseconds: 1)) == .min)
        #expect(Timestamp(milliseconds: .max).advanced(byMilliseconds: 1).milliseconds == .max)
    }
}
