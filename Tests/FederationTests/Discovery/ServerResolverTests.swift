// What is remembered of names, and for how long.

import Federation
import MatrixCore
import Synchronization
import Testing

private final class FakeNetwork: DiscoverySource {
    let asked = Mutex<[String]>([])
    let wellKnowns: [String: WellKnownEntry.Outcome]
    let records: [String: SRVAnswer]

    init(wellKnowns: [String: WellKnownEntry.Outcome] = [:], records: [String: SRVAnswer] = [:]) {
        self.wellKnowns = wellKnowns
        self.records = records
    }

    func wellKnown(of host: String) async -> WellKnownEntry.Outcome {
        asked.withLock { $0.append(host) }
        await Task.yield()
        return wellKnowns[host] ?? .invalid
    }

    func services(of name: String) async -> SRVAnswer {
        asked.withLock { $0.append(name) }
        return records[name] ?? .records([])
    }
}

@Suite("The resolver of server names")
struct ServerResolverTests {
    private let server = ServerName(trusted: "example.org")

    @Test("many who ask at once ask the network once, and those who come later not at all")
    func once() async throws {
        let network = FakeNetwork()
        let resolver = ServerResolver(source: network)
        try await withThrowingTaskGroup(of: ServerRoute.self) { group in
            for _ in 0..<100 { group.addTask { try await resolver.route(to: server) } }
            for try await route in group { #expect(route.targets.map(\.port) == [8448]) }
        }
        _ = try await resolver.route(to: server)
        #expect(network.asked.withLock { $0 } == ["example.org", "_matrix-fed._tcp.example.org", "_matrix._tcp.example.org"])
    }

    @Test("what was found expires")
    func expiry() async throws {
        let time = Mutex<Int64>(1_000_000)
        let network = FakeNetwork(
            wellKnowns: ["example.org": .valid(ServerName(trusted: "other.example"), lifetime: 600_000)],
            records: [
                "_matrix-fed._tcp.other.example": .records([SRVRecord(priority: 0, weight: 0, port: 7, target: "host", lifetime: 120)])
            ])
        let resolver = ServerResolver(source: network) { Timestamp(milliseconds: time.withLock { $0 }) }
        _ = try await resolver.route(to: server)
        time.withLock { $0 += 119_000 }
        _ = try await resolver.route(to: server)
        #expect(network.asked.withLock { $0.count } == 2)
        time.withLock { $0 += 2_000 }
        let route = try await resolver.route(to: server)
        #expect(network.asked.withLock { $0.count } == 3)
        #expect(route == ServerRoute(targets: [.init(host: "host", port: 7)], hostHeader: "other.example", tlsName: "other.example"))
        time.withLock { $0 += 600_000 }
        _ = try await resolver.route(to: server)
        #expect(network.asked.withLock { $0.count } == 5)
    }

    @Test("a server that says it has no service is not reached")
    func unavailable() async {
        let network = FakeNetwork(records: [
            "_matrix-fed._tcp.example.org": .records([SRVRecord(priority: 0, weight: 0, port: 0, target: "")])
        ])
        let resolver = ServerResolver(source: network)
        await #expect(throws: ServerResolver.Unavailable.self) { _ = try await resolver.route(to: server) }
    }
}
