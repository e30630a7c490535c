// Keys of other servers in the database.

import Federation
import MatrixCore
import Persistence
import TestSupport
import Testing

@Suite("The store of servers' keys")
struct ServerKeyStoreTests {
    private let server = ServerName(trusted: "a.example")

    private func store(_ keys: [(String, Int64)], received: Int64, validUntil: Int64, in database: any Database) async throws {
        let document = ServerKeyDocumentRow(
            server: server, receivedAt: Timestamp(milliseconds: received), validUntil: Timestamp(milliseconds: validUntil),
            json: Array("{\"received\":\(received)}".utf8))
        let rows = keys.map {
            ServerKeyRow(
                server: server, keyID: ByteString($0.0), verifyKey: "key \(received)", validUntil: Timestamp(milliseconds: $0.1))
        }
        try await database.write { try ServerKeyStore.store(document, keys: rows, on: $0) }
    }

    @Test("a newer document replaces, an older one only adds, and keys that are gone stay known", arguments: DatabaseKind.allCases)
    func replacing(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { [server] database in
            try await store([("ed25519:1", 100)], received: 1, validUntil: 100, in: database)
            try await store([("ed25519:1", 50), ("ed25519:2", 200)], received: 2, validUntil: 200, in: database)
            try await store([("ed25519:2", 150), ("ed25519:3", 150)], received: 3, validUntil: 150, in: database)
            let keys = try await database.read {
                try ServerKeyStore.keys(of: [server], named: ["ed25519:1", "ed25519:2", "ed25519:3", "ed25519:4"], on: $0)
            }
            #expect(
                keys.sorted { $0.keyID < $1.keyID }.map { "\($0.keyID) \($0.verifyKey) \($0.validUntil)" } == [
                    "ed25519:1 key 2 50", "ed25519:2 key 2 200", "ed25519:3 key 3 150",
                ])
            func received(_ keys: [ByteString]) async throws -> [Int64] {
                try await database.read { try ServerKeyStore.documents(of: server, holding: keys, on: $0) }
                    .map(\.receivedAt.milliseconds)
            }
            // Nobody needs the first document any more.
            #expect(try await received([]) == [2])
            #expect(try await received(["ed25519:3"]) == [3])
            #expect(try await received(["ed25519:1", "ed25519:2", "ed25519:3"]) == [2, 3])
            #expect(try await received(["ed25519:4"]) == [])
        }
    }

    @Test("a document is asked for anew when it lacks a key, holds too short, or is past the middle of its time")
    func staleness() throws {
        let other = TestServer("a.example")
        let now = Timestamp(milliseconds: 1_700_000_000_000)
        let row = try KeyDocument(
            json(other.document(validUntil: now.advanced(byMilliseconds: 1000))), of: other.name, receivedAt: now
        ).row
        func isStale(_ keys: [ByteString: Timestamp?], after milliseconds: Int64 = 0) -> Bool {
            KeyNotary.isStale([row], .init(server: other.name, keys: keys), at: now.advanced(byMilliseconds: milliseconds))
        }
        let whenever: Timestamp? = nil
        #expect(!isStale([:]) && !isStale([other.keyID: whenever]))
        #expect(!isStale([other.keyID: now.advanced(byMilliseconds: 1000)]))
        #expect(isStale([other.keyID: now.advanced(byMilliseconds: 1001)]))
        #expect(isStale(["ed25519:other": whenever]))
        #expect(isStale([:], after: 600))
        #expect(KeyNotary.isStale([], .init(server: other.name, keys: [:]), at: now))
    }
}
