// How long what is found is believed.

import Federation
import MatrixCore
import Testing

@Suite("The .well-known of servers")
struct WellKnownTests {
    private static let now = Timestamp(milliseconds: 784_111_777_000)  // Sun, 06 Nov 1994 08:49:37 GMT
    private static let minute: Int64 = 60_000
    private static let hour: Int64 = 3_600_000

    @Test(
        "the headers say how long it holds, within bounds",
        arguments: [
            ([], 24 * hour),
            ([("Cache-Control", "max-age=3600")], hour),
            ([("cache-control", "public, Max-Age=7200")], 2 * hour),
            ([("Cache-Control", "max-age=\"600\"")], 10 * minute),
            ([("Cache-Control", "max-age=1")], 5 * minute),
            ([("Cache-Control", "no-store")], 5 * minute),
            ([("Cache-Control", "max-age=99999999999999999999")], 48 * hour),
            ([("Cache-Control", "max-age=abc")], 24 * hour),
            ([("Cache-Control", "max-age=-5")], 24 * hour),
            ([("Expires", "Sun, 06 Nov 1994 09:49:37 GMT")], hour),
            ([("Expires", "0")], 5 * minute),
            ([("Expires", "Sun, 06 Nov 1994 09:49:37 GMT"), ("Cache-Control", "max-age=7200")], 2 * hour),
            ([("Expires", "Thu, 01 Jan 2099 00:00:00 GMT")], 48 * hour),
        ] as [([(name: String, value: String)], Int64)])
    func lifetimes(headers: [(name: String, value: String)], lifetime: Int64) {
        #expect(CacheLifetime.of(headers, at: Self.now) == lifetime)
    }

    @Test(
        "dates are read",
        arguments: [
            ("Sun, 06 Nov 1994 08:49:37 GMT", 784_111_777_000), ("Thu, 01 Jan 1970 00:00:00 GMT", 0),
            ("Thu, 29 Feb 2024 12:00:00 GMT", 1_709_208_000_000), ("Fri, 01 Mar 2024 00:00:00 GMT", 1_709_251_200_000),
        ] as [(String, Int64)])
    func dates(text: String, milliseconds: Int64) {
        #expect(HTTPDate.parse(text)?.milliseconds == milliseconds)
    }

    @Test("what is no date is none", arguments: ["", "0", "Sun, 06 Nov 1994 08:49:37", "Sun, 32 Nov 1994 08:49:37 GMT", "a b c d e GMT"])
    func noDates(text: String) {
        #expect(HTTPDate.parse(text) == nil)
    }

    @Test(
        "only an object with a valid name counts",
        arguments: [
            (200, #"{"m.server":"other.example:443"}"#, true), (200, #"{"m.server":"[::1]"}"#, true), (404, #"{"m.server":"a"}"#, false),
            (200, "", false), (200, "[]", false), (200, #"{"m.server":5}"#, false), (200, #"{"m.server":"a b"}"#, false),
            (200, #"{"m.server":"a/b"}"#, false), (200, #"{"m.server":""}"#, false), (302, #"{"m.server":"a"}"#, false),
        ])
    func outcomes(status: Int, body: String, isValid: Bool) {
        let outcome = WellKnownEntry.Outcome(status: status, headers: [], body: Array(body.utf8), at: Self.now)
        if case .valid = outcome { #expect(isValid) } else { #expect(!isValid) }
    }

    @Test("failures are remembered, longer each time, for an hour at most")
    func failures() {
        var entry: WellKnownEntry?
        var pauses: [Int64] = []
        for _ in 0..<8 {
            let next = WellKnownEntry(.invalid, after: entry, at: Self.now)
            #expect(next.delegated == nil)
            pauses.append(next.refreshAt.milliseconds(since: Self.now) / Self.minute)
            entry = next
        }
        #expect(pauses == [2, 4, 8, 16, 32, 60, 60, 60])
    }

    @Test("a delegation outlives a failure, but not for ever")
    func outlives() {
        let other = ServerName(trusted: "other.example")
        let valid = WellKnownEntry(.valid(other, lifetime: Self.hour), after: nil, at: Self.now)
        #expect(valid.delegated == other && valid.refreshAt == Self.now.advanced(byMilliseconds: Self.hour))
        let soon = WellKnownEntry(.invalid, after: valid, at: valid.refreshAt)
        #expect(soon.delegated == other)
        let late = WellKnownEntry(.invalid, after: soon, at: valid.refreshAt.advanced(byMilliseconds: 2 * Self.hour))
        #expect(late.delegated == nil)
    }

    @Test(
        "redirects lead to HTTPS or nowhere",
        arguments: [
            ("https://b.example/x", "https://b.example/x"), ("/y?z", "https://a.example:443/y?z"), ("//c.example/", "https://c.example/"),
            ("http://b.example/", nil), ("relative", nil), ("file:///etc/passwd", nil), ("", nil),
        ] as [(String, String?)])
    func redirects(location: String, next: String?) {
        #expect(NetworkDiscovery.redirected(location, from: "https://a.example:443/.well-known/matrix/server") == next)
    }
}
