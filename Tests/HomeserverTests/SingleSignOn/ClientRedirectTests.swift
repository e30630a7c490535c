// Where clients may have browsers back.

import Homeserver
import Testing

@Suite("Addresses of clients") struct ClientRedirectTests {
    @Test(
        "addresses of web clients and of programs are taken",
        arguments: [
            "https://client.example", "https://client.example/path?p=http%3A%2F%2Fserver#part", "http://localhost:8080/",
            "io.element.app:/callback", "element://sso", "https://client?p=http%3A%2F%2Fserver",
        ])
    func accepted(address: String) { #expect(ClientRedirect(address)?.address == address) }

    @Test(
        "what would run here, is no address, or is one thing to us and another to a browser is refused",
        arguments: [
            "", "client.example", "//client.example", "/path", "javascript:alert(1)", "JavaScript:alert(1)", "data:text/html,hello",
            "vbscript:x", "file:///etc/passwd", "about:blank", "blob:https://client.example/1", " https://client.example",
            "https://client.example/a b", "https://client.example/\nSet-Cookie: a", "https:\\\\evil.example", "https:evil.example",
            "https:///evil.example", "https://", "1http://x", "ht tp://x", "https://client.example/\u{7F}",
        ])
    func refused(address: String) { #expect(ClientRedirect(address) == nil) }

    @Test("an address that is too long for a cookie is refused")
    func long() {
        #expect(ClientRedirect("https://client.example/" + String(repeating: "a", count: 2000)) != nil)
        #expect(ClientRedirect("https://client.example/" + String(repeating: "a", count: 2048)) == nil)
    }

    @Test("the token becomes a parameter before the fragment, and what was there stays")
    func token() throws {
        func added(_ address: String, _ token: String = "t1") -> String? { ClientRedirect(address)?.with(loginToken: token) }
        #expect(added("https://c.example/") == "https://c.example/?loginToken=t1")
        #expect(added("https://c.example/?a=b%20c") == "https://c.example/?a=b%20c&loginToken=t1")
        #expect(added("https://c.example/#/room?x") == "https://c.example/?loginToken=t1#/room?x")
        #expect(added("app:/x", "a+/=&b") == "app:/x?loginToken=a%2B%2F%3D%26b")
        #expect(added("https://c.example/ä") == "https://c.example/%C3%A4?loginToken=t1")
    }

    @Test("people are shown the host of a web client, and without its parameters any other")
    func display() {
        #expect(ClientRedirect("https://c.example/path?token=x#y")?.display == "c.example")
        #expect(ClientRedirect("https://user@evil.example:1/c.example")?.display == "user@evil.example:1")
        #expect(ClientRedirect("http://c.example/path?x")?.display == "http://c.example/path")
        #expect(ClientRedirect("app:/x?y")?.display == "app:/x")
    }

    @Test("a client is trusted whose address begins with one of the operator's, and not one of a host that begins alike")
    func trust() {
        func isTrusted(_ address: String, _ prefix: String) -> Bool? { ClientRedirect(address)?.isTrusted(by: ["", prefix]) }
        #expect(isTrusted("https://c.example/a/b", "https://c.example/a") == true)
        #expect(isTrusted("https://c.example/a", "https://c.example/") == true)
        #expect(isTrusted("https://c.example", "https://c.example") == true)
        #expect(isTrusted("https://c.example?x", "https://c.example") == true)
        #expect(isTrusted("https://c.example.evil.example/", "https://c.example") == false)
        #expect(isTrusted("https://c.example@evil.example/", "https://c.example") == false)
        #expect(isTrusted("https://c.example:8443/", "https://c.example") == false)
        #expect(isTrusted("https://other.example/", "https://c.example") == false)
        #expect(isTrusted("io.element.app:/callback", "io.element.app:") == true)
    }
}
