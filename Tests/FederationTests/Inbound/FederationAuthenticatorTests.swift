// Which requests are believed.

import Federation
import MatrixCore
import Persistence
import ServerConfiguration
import TestSupport
import Testing

@Suite("Signed requests")
struct FederationAuthenticatorTests {
    private let own = ServerName(trusted: "own.example")
    private let server = TestServer("a.example")
    private static let body = Array(#"{ "b":1.5, "a":"é" }"#.utf8)

    private func authenticator(_ database: any Database, allowed: Set<ServerName>? = nil) throws -> FederationAuthenticator {
        var configuration = FederationConfiguration()
        configuration.keyServers = []
        configuration.allowedServers = allowed
        let source = FakeKeySource()
        let document = try server.document(validUntil: Timestamp.now.advanced(byMilliseconds: 3_600_000))
        source.direct.withLock { $0[server.name] = document }
        let ring = KeyRing(
            serverName: own, ownKeys: [], configuration: configuration, source: source, database: database, logger: DatabaseFixture.logger)
        return FederationAuthenticator(
            serverName: own, configuration: configuration, keyRing: ring,
            destinations: Destinations(database: database, retries: configuration.retries, logger: DatabaseFixture.logger),
            logger: DatabaseFixture.logger)
    }

    private func header(
        method: String = "PUT", uri: String = "/x?y=%2F", destination: String = "own.example", key: SigningKey? = nil
    ) throws -> String {
        let content = try JSONDocument(parsing: Self.body, limits: JSONLimits(numbers: .event)).root.canonicalBytes
        let destination = ServerName(trusted: destination)
        let signature = try (key ?? server.key).sign(
            XMatrix.signedBytes(method: method, uri: uri, origin: server.name, destination: destination, content: content))
        return XMatrix(origin: server.name, destination: destination, keyID: server.key.keyID, signature: signature).header
    }

    private func request(_ authorization: [String]) -> SignedRequest {
        SignedRequest(method: "PUT", uri: "/x?y=%2F", authorization: authorization, body: Self.body)
    }

    @Test("a request whose signature holds is its server's")
    func accepted() async throws {
        try await withDatabase(.sqlite) { database in
            let origin = try await authenticator(database).authenticate(request([header()]))
            #expect(origin.server == server.name)
            #expect(origin.content?["a"]?.string == "é")
        }
    }

    @Test("all others are refused")
    func refused() async throws {
        try await withDatabase(.sqlite) { database in
            let authenticator = try authenticator(database)
            let stolen = SigningKey.generate(version: "1")
            let cases: [(authorization: [String], status: Int)] = [
                ([], 401), (["Bearer abc"], 401), (["X-Matrix nonsense"], 400), ([try header(method: "GET")], 401),
                ([try header(uri: "/x")], 401), ([try header(destination: "other.example")], 401), ([try header(key: stolen)], 401),
                ([try header(), try header(key: stolen)], 401), ([try header(), "X-Matrix origin=b.example,key=\"ed25519:1\",sig=x"], 400),
                (["X-Matrix origin=b.example,destination=own.example,key=\"ed25519:1\",sig=x"], 401),
            ]
            for (authorization, status) in cases {
                let error = await #expect(throws: MatrixError.self) {
                    _ = try await authenticator.authenticate(request(authorization))
                }
                #expect(error?.status == status && error?.errcode == "M_UNAUTHORIZED", "\(authorization)")
            }
        }
    }

    @Test("a server that the operator does not speak with is forbidden")
    func whitelist() async throws {
        try await withDatabase(.sqlite) { database in
            let authenticator = try authenticator(database, allowed: [ServerName(trusted: "b.example")])
            let header = try header()
            let error = await #expect(throws: MatrixError.self) { _ = try await authenticator.authenticate(request([header])) }
            #expect(error?.status == 403 && error?.errcode == "M_FORBIDDEN")
        }
    }
}
