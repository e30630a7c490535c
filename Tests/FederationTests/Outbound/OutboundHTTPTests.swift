// What this server does not connect to.

import Federation
import ServerConfiguration
import Testing

@Suite("Requests to addresses that others choose")
struct OutboundHTTPTests {
    @Test(
        "private networks and what is no address are refused before a connection is made",
        arguments: [
            "http://127.0.0.1:9/", "http://[::1]:9/", "http://[::ffff:127.0.0.1]:9/", "http://10.1.2.3/",
            "http://169.254.169.254/latest", "http://0.0.0.0:9/", "ftp://example.org/", "file:///etc/passwd", "http://user@example.org/",
            "http://",
            "https:///path",
        ])
    func refused(url: String) async throws {
        let failure = await #expect(throws: OutboundFailure.self) { _ = try await OutboundHTTP(OutboundConfiguration()).send(.init(url)) }
        guard case .refused = failure else {
            Issue.record("\(url): \(String(describing: failure))")
            return
        }
    }

    @Test("an operator can open a network: then nobody listening is what stops a request")
    func opened() async throws {
        var policy = OutboundConfiguration()
        policy.allowedRanges = [try #require(AddressRange("127.0.0.1"))]
        let open = policy
        let failure = await #expect(throws: OutboundFailure.self) {
            _ = try await OutboundHTTP(open, timeout: 2).send(.init("http://127.0.0.1:1/"))
        }
        guard case .failed = failure else {
            Issue.record("\(String(describing: failure))")
            return
        }
    }
}
