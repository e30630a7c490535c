// What is taken for an address, a client secret and a link.

import Homeserver
import MatrixCore
import ServerConfiguration
import Testing

@Suite("Parts of a proof")
struct EmailAddressTests {
    @Test(
        "addresses are compared in lower case and without what surrounds them",
        arguments: [
            ("alice@example.org", "alice@example.org"), (" Alice@EXAMPLE.org\n", "alice@example.org"), ("a+b.c@x", "a+b.c@x"),
            ("ÄÖ@bücher.example", "äö@bücher.example"),
        ])
    func canonical(raw: String, text: String) throws {
        #expect(try EmailAddress(raw).text == text)
    }

    @Test(
        "what is no address, or would be more than one line of a mail, is refused",
        arguments: [
            "", "@", "a@", "@b", "a", "a@b@c", "a b@c", "a@b\r\nBcc: d@e", "<a@b>", "a@b,c@d", "\"a\"@b", "a\0@b", "a\u{2028}@b",
            String(repeating: "a", count: 500) + "@b",
        ])
    func refused(raw: String) {
        #expect(#expect(throws: MatrixError.self) { try EmailAddress(raw) }?.errcode == "M_INVALID_PARAM")
    }

    @Test("client secrets have up to 255 characters of a small alphabet", arguments: ["", "a b", "ä", String(repeating: "a", count: 256)])
    func secrets(text: String) throws {
        #expect(throws: MatrixError.self) { try ClientSecret(text) }
        #expect(try ClientSecret("d0nt-T3ll=._Az").text == "d0nt-T3ll=._Az")
    }

    @Test(
        "a link leads to the web, and where the operator says where, only there",
        arguments: [
            ("https://client.example.org/done", nil, true), ("http://CLIENT.example.org:8080?x=1", ["client.example.org"], true),
            ("https://other.example/", ["client.example.org"], false), ("https://client.example.org/", [], false),
            ("javascript:alert(1)", nil, false), ("file:///etc/passwd", nil, false), ("https://", nil, false), ("//x", nil, false),
            ("https://client.example.org@evil.example/", ["client.example.org"], false),
            ("https://evil.example\\@client.example.org/", ["client.example.org"], false),
            ("https://client.example.org\r\nX: y", nil, false), ("https://[::1]:80/x", ["[::1]"], true),
        ] as [(String, [String]?, Bool)])
    func links(url: String, hosts: [String]?, isAllowed: Bool) {
        let link: NextLink?
        do { link = try NextLink(url, allowedHosts: hosts) } catch { link = nil }
        #expect((link != nil) == isAllowed)
    }

    @Test("the link is given the session along")
    func naming() throws {
        #expect(try NextLink("https://a/b", allowedHosts: nil).naming(session: "S") == "https://a/b?sid=S")
        #expect(try NextLink("https://a/b?c=d", allowedHosts: nil).naming(session: "S") == "https://a/b?c=d&sid=S")
    }

    @Test("addresses are allowed by the beginning that a pattern matches, of their own medium")
    func patterns() {
        var options = RegistrationOptions()
        #expect(options.allows("a@b", of: "email"))
        options.allowedThirdPartyIDs = [
            ThirdPartyRule(medium: "email", pattern: #"^[^@]+@matrix\.org$"#), ThirdPartyRule(medium: "msisdn", pattern: #"\+44"#),
        ]
        #expect(options.allows("alice@matrix.org", of: "email") && !options.allows("alice@matrix.org.evil", of: "email"))
        #expect(
            !options.allows("x alice@other", of: "email") && options.allows("+44123", of: "msisdn") && !options.allows("0+44", of: "msisdn")
        )
    }
}
