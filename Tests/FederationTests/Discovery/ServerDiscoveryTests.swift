// What is asked, in which order, and what comes of it.

import Federation
import MatrixCore
import Testing

@Suite("Resolving server names")
struct ServerDiscoveryTests {
    private func route(_ targets: [(String, Int)], host: String, tls: String) -> ServerDiscovery.Step {
        .found(ServerRoute(targets: targets.map { .init(host: $0.0, port: $0.1) }, hostHeader: host, tlsName: tls))
    }

    @Test(
        "addresses and explicit ports are taken as they are",
        arguments: [
            ("1.2.3.4", "1.2.3.4", 8448, "1.2.3.4"),
            ("1.2.3.4:5678", "1.2.3.4", 5678, "1.2.3.4"),
            ("[1234:5678::abcd]", "1234:5678::abcd", 8448, "1234:5678::abcd"),
            ("[1234:5678::abcd]:5678", "1234:5678::abcd", 5678, "1234:5678::abcd"),
            ("example.org:443", "example.org", 443, "example.org"),
        ])
    func direct(name: String, host: String, port: Int, tls: String) {
        #expect(ServerDiscovery(ServerName(trusted: name)).step == route([(host, port)], host: name, tls: tls))
    }

    @Test("a port that is none leads nowhere", arguments: ["example.org:0", "example.org:65536"])
    func wrongPort(name: String) {
        #expect(ServerDiscovery(ServerName(trusted: name)).step == .unavailable)
    }

    @Test("without a delegation: both kinds of SRV records, then port 8448")
    func fallback() {
        var discovery = ServerDiscovery(ServerName(trusted: "example.org"))
        #expect(discovery.step == .wellKnown(host: "example.org"))
        discovery.wellKnown(nil)
        #expect(discovery.step == .services(name: "_matrix-fed._tcp.example.org"))
        discovery.services([])
        #expect(discovery.step == .services(name: "_matrix._tcp.example.org"))
        discovery.services([])
        #expect(discovery.step == route([("example.org", 8448)], host: "example.org", tls: "example.org"))
    }

    @Test("SRV records say where, the name says who")
    func services() {
        var discovery = ServerDiscovery(ServerName(trusted: "example.org"))
        discovery.wellKnown(nil)
        discovery.services([
            SRVRecord(priority: 1, weight: 0, port: 1000, target: "a.example.org"),
            SRVRecord(priority: 2, weight: 0, port: 2000, target: "b.example.org"),
        ])
        #expect(
            discovery.step == route([("a.example.org", 1000), ("b.example.org", 2000)], host: "example.org", tls: "example.org"))
    }

    @Test("a target of nothing says that there is no such service")
    func noService() {
        var discovery = ServerDiscovery(ServerName(trusted: "example.org"))
        discovery.wellKnown(nil)
        discovery.services([SRVRecord(priority: 0, weight: 0, port: 0, target: "")])
        #expect(discovery.step == .unavailable)
    }

    @Test(
        "a delegation is resolved in its turn, but without another one",
        arguments: [
            ("5.6.7.8", "5.6.7.8", 8448, "5.6.7.8"),
            ("[::1]:99", "::1", 99, "::1"),
            ("other.example:443", "other.example", 443, "other.example"),
        ])
    func delegation(to name: String, host: String, port: Int, tls: String) {
        var discovery = ServerDiscovery(ServerName(trusted: "example.org"))
        discovery.wellKnown(ServerName(trusted: name))
        #expect(discovery.step == route([(host, port)], host: name, tls: tls))
    }

    @Test("a delegation to a name goes on with that name's SRV records")
    func delegationToName() {
        var discovery = ServerDiscovery(ServerName(trusted: "example.org"))
        discovery.wellKnown(ServerName(trusted: "other.example"))
        #expect(discovery.step == .services(name: "_matrix-fed._tcp.other.example"))
        discovery.services([SRVRecord(priority: 0, weight: 0, port: 5, target: "host.example")])
        #expect(discovery.step == route([("host.example", 5)], host: "other.example", tls: "other.example"))
    }
}
