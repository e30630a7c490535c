// Passwords for the relay of calls.

import Homeserver
import MatrixCore
import ServerConfiguration
import Testing

@Suite("TURN credentials")
struct TurnCredentialsTests {
    private let user = UserID(trusted: "@alice:example.org")
    private let now = Timestamp(milliseconds: 1_700_000_000_000)

    private var options: TurnOptions {
        var options = TurnOptions()
        options.uris = ["turn:turn.example.org"]
        return options
    }

    @Test("a shared secret makes a name that ends, and its HMAC-SHA1 as the password")
    func secret() throws {
        var options = options
        options.sharedSecret = "north"
        let credentials = try #require(TurnCredentials(for: user, options: options, now: now))
        #expect(credentials.username == "1700003600:@alice:example.org" && credentials.lifetime == 3600)
        // printf '1700003600:@alice:example.org' | openssl dgst -sha1 -hmac north -binary | base64
        #expect(credentials.password == "6cEh1+OSEPFM5XsksE7KvMgzX1c=")
    }

    @Test("without a secret everyone has the same account, and without anything nobody has one")
    func account() throws {
        var options = options
        #expect(TurnCredentials(for: user, options: options, now: now) == nil)
        (options.username, options.password) = ("everyone", "knows")
        #expect(try #require(TurnCredentials(for: user, options: options, now: now)).username == "everyone")
        options.uris = []
        #expect(TurnCredentials(for: user, options: options, now: now) == nil)
    }
}
