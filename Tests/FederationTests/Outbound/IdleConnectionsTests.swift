// Connections that wait, and addresses in their parts.

import Federation
import Testing

@Suite("Idle connections")
struct IdleConnectionsTests {
    private func endpoint(_ number: Int) -> OutboundEndpoint { OutboundEndpoint(host: "h\(number)", port: 1, tlsName: "h\(number)") }

    @Test("the one that was used last is taken first, and each only once")
    func taking() {
        var idle = IdleConnections<Int>()
        for number in 1...2 { _ = idle.keep(idle.entry(for: number), endpoint(0)) }
        let taken = [0, 0, 0, 1].map { idle.take(endpoint($0))?.connection }
        #expect(taken == [2, 1, nil, nil])
        #expect(idle.count == 0)
    }

    @Test("there are never more than the limits allow")
    func limits() {
        var idle = IdleConnections<Int>()
        var dropped: [Int] = []
        for number in 0..<10 {
            if let gone = idle.keep(idle.entry(for: number), endpoint(0)) { dropped.append(gone) }
        }
        #expect(dropped == Array(0..<(10 - IdleConnections<Int>.limitPerEndpoint)) && idle.count == 10 - dropped.count)
        for number in 1...1000 { _ = idle.keep(idle.entry(for: number), endpoint(number)) }
        #expect(idle.count == IdleConnections<Int>.limit)
    }

    @Test("a connection that ended is gone")
    func removing() {
        var idle = IdleConnections<Int>()
        let entry = idle.entry(for: 7)
        _ = idle.keep(entry, endpoint(0))
        idle.remove(entry.number, endpoint(0))
        idle.remove(entry.number, endpoint(0))
        let taken = idle.take(endpoint(0))
        #expect(taken == nil && idle.count == 0)
    }

    @Test(
        "addresses of requests come apart",
        arguments: [
            ("https://a.example/x?y#z", "a.example", 443, "/x?y"), ("http://a.example", "a.example", 80, "/"),
            ("https://[::1]:8448/", "::1", 8448, "/"), ("HTTPS://a.example?q", "a.example", 443, "/?q"),
        ])
    func urls(text: String, host: String, port: Int, target: String) throws {
        let url = try #require(OutboundURL(text))
        #expect(url.endpoint.host.string == host && url.endpoint.port == port && url.target == target)
    }
}
