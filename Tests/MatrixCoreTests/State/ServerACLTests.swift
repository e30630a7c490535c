// Server access control lists. Client-Server API §Server Access Control Lists (ACLs) for rooms.

import MatrixCore
import Testing

@Suite("Server access control lists")
struct ServerACLTests {
    private func acl(_ content: String) throws -> ServerACL {
        ServerACL(content: try JSONDocument(parsing: Array(content.utf8)).root)
    }

    @Test("a room without the event lets everyone in")
    func unrestricted() {
        #expect(ServerACL.unrestricted.allows(ServerName(trusted: "evil.example")))
        #expect(ServerACL.unrestricted.allows(ServerName(trusted: "[::1]:8448")))
    }

    @Test(
        "deny goes before allow, and what is not allowed is denied",
        arguments: [
            (#"{"allow":["*"]}"#, "a.example", true),
            (#"{"allow":["*"],"deny":["a.example"]}"#, "a.example", false),
            (#"{"allow":["*"],"deny":["a.example"]}"#, "b.example", true),
            (#"{"allow":["a.example"]}"#, "b.example", false),
            (#"{}"#, "a.example", false),
            (#"{"deny":["b.example"]}"#, "a.example", false),
            // Globs are of the whole name, without regard to case.
            (#"{"allow":["*"],"deny":["*.evil.example"]}"#, "x.y.evil.example", false),
            (#"{"allow":["*"],"deny":["*.evil.example"]}"#, "evil.example", true),
            (#"{"allow":["*"],"deny":["evil.*"]}"#, "not.evil.example", true),
            (#"{"allow":["serve?.example"]}"#, "server.example", true),
            (#"{"allow":["serve?.example"]}"#, "serve.example", false),
            (#"{"allow":["A.Example"]}"#, "a.example", true),
            (#"{"allow":["*"],"deny":["a.example"]}"#, "A.EXAMPLE", false),
            // A dot is a dot.
            (#"{"allow":["a.example"]}"#, "axexample", false),
            // Ports do not matter.
            (#"{"allow":["*"],"deny":["a.example"]}"#, "a.example:8448", false),
            (#"{"allow":["a.example:8448"]}"#, "a.example:8448", false),
        ])
    func lists(content: String, server: String, isAllowed: Bool) throws {
        #expect(try acl(content).allows(ServerName(parsing: server)) == isAllowed)
    }

    @Test(
        "addresses are let in unless allow_ip_literals is false",
        arguments: ["1.2.3.4", "1.2.3.4:8448", "[2001:db8::1]", "[2001:db8::1]:8448"])
    func addresses(server: String) throws {
        let server = try ServerName(parsing: server)
        #expect(try acl(#"{"allow":["*"]}"#).allows(server))
        #expect(try acl(#"{"allow":["*"],"allow_ip_literals":true}"#).allows(server))
        #expect(try !acl(#"{"allow":["*"],"allow_ip_literals":false}"#).allows(server))
        // Only a boolean counts.
        #expect(try acl(#"{"allow":["*"],"allow_ip_literals":"false"}"#).allows(server))
        #expect(try acl(#"{"allow":["*"],"allow_ip_literals":false}"#).allows(ServerName(parsing: "1.2.3.example")))
    }

    @Test(
        "a list spares the own server if it lets it in, or may mean another server at the same host",
        arguments: [
            (#"{"allow":["*"],"deny":["a.example"]}"#, "a.example", false), (#"{"allow":["b.example"]}"#, "a.example", false),
            (#"{"allow":["*"],"deny":["b.example"]}"#, "a.example", true),
            (#"{"allow":["*"],"deny":["a.example"]}"#, "a.example:8448", true),
        ])
    func ownServer(content: String, server: String, isSpared: Bool) throws {
        #expect(try acl(content).spares(ServerName(parsing: server)) == isSpared)
    }

    @Test("an IPv6 address can be named in a list")
    func addressInList() throws {
        let acl = try acl(#"{"allow":["*"],"deny":["[2001:db8::1]"]}"#)
        #expect(try !acl.allows(ServerName(parsing: "[2001:db8::1]:8448")))
        #expect(try acl.allows(ServerName(parsing: "[2001:db8::2]")))
    }

    @Test("what is not of the right form counts as absent, entry by entry")
    func malformedContent() throws {
        let server = ServerName(trusted: "a.example")
        #expect(try !acl(#"{"allow":"*"}"#).allows(server))
        #expect(try acl(#"{"allow":["*"],"deny":"a.example"}"#).allows(server))
        #expect(try acl(#"{"allow":[1,null,["*"],"*"],"deny":[{},7]}"#).allows(server))
        #expect(try !acl(#"{"allow":["*"],"deny":[5,"a.example"]}"#).allows(server))
    }
}
