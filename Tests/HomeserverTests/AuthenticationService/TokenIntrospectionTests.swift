// What an authentication service says of tokens.

import Homeserver
import MatrixCore
import Testing

@Suite("Token introspection") struct TokenIntrospectionTests {
    private static let server = ServerName(trusted: "test")
    private static let api = "urn:matrix:client:api:*"
    private let now = Timestamp(milliseconds: 1_000_000)

    private func grant(_ text: String) throws -> TokenIntrospection.Grant {
        try #require(TokenIntrospection(json(text))).grant(on: Self.server, at: now)
    }

    private func refusal(_ text: String) throws -> MatrixError? {
        do {
            _ = try grant(text)
            return nil
        } catch let error as MatrixError {
            return error
        }
    }

    @Test("a token grants what its scope says, to whom it names")
    func grants() throws {
        let granted = try grant(
            #"{"active": true, "username": "alice", "sub": "01H", "scope": "openid \#(Self.api) urn:matrix:client:device:DEV", "expires_in": 5}"#
        )
        #expect(granted.user == UserID(trusted: "@alice:test") && granted.device == DeviceID(trusted: "DEV") && !granted.isAdmin)
        #expect(granted.expiry == now.advanced(byMilliseconds: 5000))
        let unstable = "urn:matrix:org.matrix.msc2967.client"
        let older = try grant(
            #"{"active": true, "username": "bob", "scope": "\#(unstable):api:* \#(unstable):device:D1 urn:synapse:admin:*"}"#)
        #expect(older.device == DeviceID(trusted: "D1") && older.isAdmin && older.expiry == nil)
        // Sessions that were opened by the older kind of login name their device apart.
        let compatible = try grant(#"{"active": true, "username": "bob", "scope": "\#(Self.api)", "device_id": "OLD"}"#)
        #expect(compatible.device == DeviceID(trusted: "OLD"))
        #expect(try grant(#"{"active": true, "username": "bob", "scope": "\#(Self.api)"}"#).device == nil)
    }

    @Test("a token that is not active or not for this API is no token here")
    func useless() throws {
        for text in [
            #"{"active": false}"#, #"{"active": true, "username": "alice", "scope": "openid"}"#, #"{"active": true, "username": "alice"}"#,
            #"{"active": true, "username": "alice", "scope": "\#(Self.api)", "expires_in": 0}"#,
        ] {
            let error = try #require(try refusal(text))
            #expect(error.status == 401 && error.errcode == "M_UNKNOWN_TOKEN")
        }
    }

    @Test("a service that contradicts itself is not believed")
    func contradictions() throws {
        let long = String(repeating: "D", count: 256)
        for text in [
            #"{"active": true, "scope": "\#(Self.api)"}"#, #"{"active": true, "username": "", "scope": "\#(Self.api)"}"#,
            #"{"active": true, "username": "a:b", "scope": "\#(Self.api)"}"#,
            #"{"active": true, "username": "a", "scope": "\#(Self.api) urn:matrix:client:device:A urn:matrix:client:device:B"}"#,
            #"{"active": true, "username": "a", "scope": "\#(Self.api) urn:matrix:client:device:"}"#,
            #"{"active": true, "username": "a", "scope": "\#(Self.api) urn:matrix:client:device:\#(long)"}"#,
        ] {
            #expect(try refusal(text)?.status == 500, "\(text)")
        }
        #expect(try TokenIntrospection(json("{}")) == nil)
        #expect(try TokenIntrospection(json(#"{"active": "yes"}"#)) == nil)
        let never = try grant(#"{"active": true, "username": "a", "scope": "\#(Self.api)", "expires_in": 9223372036854775807}"#)
        #expect(never.expiry == Timestamp(milliseconds: .max))
    }
}
