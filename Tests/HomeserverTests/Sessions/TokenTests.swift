// Tokens and their lifetimes.

import Homeserver
import MatrixCore
import Testing

@Suite("Tokens")
struct TokenTests {
    @Test("a token names its purpose and user, and ends in the checksum of the rest")
    func form() {
        let token = SessionToken.generate(.access, for: UserID(trusted: "@alice:example.org"))
        #expect(token.hasPrefix("syt_YWxpY2U_"))
        let cut = token.lastIndex(of: "_") ?? token.startIndex
        #expect(SessionToken.checksum(String(token[..<cut])) == String(token[token.index(after: cut)...]))
        #expect(token != SessionToken.generate(.access, for: UserID(trusted: "@alice:example.org")))
    }

    @Test("the checksum is the CRC-32 in base 62")
    func checksum() {
        #expect(SessionToken.checksum("syt_YWxpY2U_ABCDEFGHIJKLMNOPQRST") == "1xk2PB")
    }

    @Test("the hash of a token is its SHA-256")
    func hash() {
        #expect(
            TokenHash("abc").bytes.map { String($0, radix: 16) }.joined()
                == "ba7816bf8f1cfea414140de5dae2223b0361a396177a9cb410ff61f2015ad")
        #expect(TokenHash("abc") == TokenHash("abc") && TokenHash("abc") != TokenHash("abd"))
    }

    private let now = Timestamp(milliseconds: 1_000_000)

    private func at(_ milliseconds: Int64) -> Timestamp { Timestamp(milliseconds: now.milliseconds + milliseconds) }

    @Test("by default sessions do not end, and refreshable access tokens live five minutes")
    func defaults() {
        let lifetimes = SessionLifetimes()
        #expect(lifetimes.withoutRefresh(at: now) == SessionLifetimes.Expiry())
        #expect(lifetimes.withRefresh(at: now) == SessionLifetimes.Expiry(accessToken: at(300_000)))
    }

    @Test("no token outlives its session")
    func sessionEnd() {
        let lifetimes = SessionLifetimes(
            session: .seconds(60), refreshableAccessToken: .seconds(300), nonrefreshableAccessToken: .seconds(30),
            refreshToken: .seconds(600))
        #expect(lifetimes.withoutRefresh(at: now) == SessionLifetimes.Expiry(accessToken: at(30_000), session: at(60_000)))
        #expect(
            lifetimes.withRefresh(at: now)
                == SessionLifetimes.Expiry(accessToken: at(60_000), refreshToken: at(60_000), session: at(60_000)))
        #expect(lifetimes.refreshed(at: at(40_000), session: at(60_000)).accessToken == at(60_000))
    }
}
