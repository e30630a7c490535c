// Where keys come from, and how often somebody is asked.

import Federation
import MatrixCore
import Persistence
import ServerConfiguration
import TestSupport
import Testing

@Suite("The key ring")
struct KeyRingTests {
    private let own = ServerName(trusted: "own.example")

    private func ring(
        _ source: FakeKeySource, _ database: any Database, notaries: [FederationConfiguration.KeyServer] = [],
        allowed: Set<ServerName>? = nil
    ) -> KeyRing {
        var configuration = FederationConfiguration()
        configuration.keyServers = notaries
        configuration.allowedServers = allowed
        return KeyRing(
            serverName: own, ownKeys: [SigningKey.generate(version: "own")], configuration: configuration, source: source,
            database: database, logger: DatabaseFixture.logger)
    }

    private func inOneHour() -> Timestamp { Timestamp.now.advanced(byMilliseconds: 3_600_000) }

    @Test("a key is fetched once for many, then comes from memory, and after a restart from the database", arguments: DatabaseKind.allCases)
    func fetching(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let (server, source) = (TestServer("a.example"), FakeKeySource())
            let document = try server.document(validUntil: inOneHour())
            source.direct.withLock { $0[server.name] = document }
            let first = ring(source, database)
            await withTaskGroup(of: String?.self) { group in
                for _ in 0..<50 {
                    group.addTask { await first.keys(for: [server.require(validUntil: .now)])[server.name, server.keyID]?.key.base64 }
                }
                for await key in group { #expect(key == server.key.verifyKeyBase64) }
            }
            let second = ring(source, database)
            for ring in [first, second] {
                #expect(await ring.keys(for: [server.require()])[server.name, server.keyID] != nil)
            }
            #expect(source.asked.withLock { $0 } == ["a.example"])
        }
    }

    @Test("a key that does not hold long enough is fetched again", arguments: DatabaseKind.allCases)
    func renewal(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let (server, source) = (TestServer("a.example"), FakeKeySource())
            let short = try server.document(validUntil: Timestamp.now.advanced(byMilliseconds: 60_000))
            source.direct.withLock { $0[server.name] = short }
            let ring = ring(source, database)
            _ = await ring.keys(for: [server.require()])
            let wanted = Timestamp.now.advanced(byMilliseconds: 600_000)
            let long = try server.document(validUntil: inOneHour())
            source.direct.withLock { $0[server.name] = long }
            let key = await ring.keys(for: [server.require(validUntil: wanted)])[server.name, server.keyID]
            #expect(key?.isValid(at: wanted) == true)
            #expect(source.asked.withLock { $0.count } == 2)
        }
    }

    @Test("whoever makes names of keys up does not have a server asked without end")
    func storms() async throws {
        try await withDatabase(.sqlite) { database in
            let (server, source) = (TestServer("a.example"), FakeKeySource())
            let document = try server.document(validUntil: inOneHour())
            source.direct.withLock { $0[server.name] = document }
            let ring = ring(source, database)
            for number in 0..<100 {
                let made = ServerKeyRequirement(
                    server: server.name, keyID: ByteString("ed25519:x\(number)"), minimumValidUntil: Timestamp(milliseconds: 0))
                #expect(await ring.keys(for: [made], .alive)[server.name, made.keyID] == nil)
            }
            // Each pause is twice as long as the one before: even if this takes minutes, few of them end.
            #expect(source.asked.withLock { $0.count } <= FetchAllowance.free + 8)
            // What is known stays known.
            #expect(await ring.keys(for: [server.require()])[server.name, server.keyID] != nil)
        }
    }

    @Test("a notary is asked where the server does not answer, and first where many servers are wanted")
    func notaries() async throws {
        try await withDatabase(.sqlite) { database in
            let (notary, source) = (TestServer("notary.example"), FakeKeySource())
            let servers = (0..<10).map { TestServer("s\($0).example") }
            let documents = try servers.map {
                JSONValue.object(try JSONSigning.sign($0.document(validUntil: inOneHour()), as: notary.name.string, key: notary.key))
            }
            source.notary.withLock { $0 = ["server_keys": .array(documents)] }
            var rules = FederationConfiguration.KeyServer(name: notary.name)
            rules.verifyKeys[notary.keyID] = notary.key.verifyKey
            let few = await ring(source, database, notaries: [rules]).keys(for: [servers[0].require()])
            #expect(few[servers[0].name, servers[0].keyID] != nil)
            #expect(source.asked.withLock { $0 } == ["s0.example", "notary: 1"])
        }
        try await withDatabase(.sqlite) { database in
            let (notary, source) = (TestServer("notary.example"), FakeKeySource())
            let servers = (0..<10).map { TestServer("s\($0).example") }
            let documents = try servers.map {
                JSONValue.object(try JSONSigning.sign($0.document(validUntil: inOneHour()), as: notary.name.string, key: notary.key))
            }
            source.notary.withLock { $0 = ["server_keys": .array(documents)] }
            var rules = FederationConfiguration.KeyServer(name: notary.name)
            rules.verifyKeys[notary.keyID] = notary.key.verifyKey
            let many = await ring(source, database, notaries: [rules]).keys(for: servers.map { $0.require() })
            for server in servers { #expect(many[server.name, server.keyID] != nil) }
            #expect(source.asked.withLock { $0 } == ["notary: 10"])
        }
    }

    @Test("servers that the operator does not speak with are not asked, and our own is not either")
    func refusals() async throws {
        try await withDatabase(.sqlite) { database in
            let (server, source) = (TestServer("a.example"), FakeKeySource())
            let ring = ring(source, database, allowed: [ServerName(trusted: "b.example")])
            let mine = ServerKeyRequirement(server: own, keyID: "ed25519:own", minimumValidUntil: .now)
            let keys = await ring.keys(for: [server.require(), mine])
            #expect(keys[server.name, server.keyID] == nil && keys[own, "ed25519:own"] != nil)
            #expect(source.asked.withLock { $0.isEmpty })
        }
    }
}
