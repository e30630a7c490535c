// One-time and fallback keys on both databases.

import MatrixCore
import Persistence
import TestSupport
import Testing

@Suite("One-time key store")
struct OneTimeKeyStoreTests {
    let user = UserID(trusted: "@alice:example.org")
    let device = DeviceID(trusted: "PHONE")
    let now = Timestamp(milliseconds: 1_000_000)

    private func key(_ id: String, _ json: String = "\"key\"") -> StoredKey {
        StoredKey(algorithm: "signed_curve25519", keyID: ByteString(id), json: Array(json.utf8))
    }

    private func insert(_ keys: [StoredKey], at position: Int64 = 1, in database: any Database) async throws {
        try await database.write { [user, device] connection in
            for key in keys {
                try OneTimeKeyStore.insert(key, of: device, of: user, position: StreamPosition(position), on: connection)
            }
        }
    }

    private func claim(in database: any Database) async throws -> StoredKey? {
        try await database.write { [user, device, now] connection in
            try OneTimeKeyStore.claim("signed_curve25519", of: device, of: user, at: now, on: connection)
        }
    }

    private func count(in database: any Database) async throws -> Int {
        try await database.read { [user, device] in try OneTimeKeyStore.counts(of: device, of: user, on: $0) }.first?.count ?? 0
    }

    @Test("sixteen claimers at once get sixteen different keys, and no more than there are", arguments: DatabaseKind.allCases)
    func concurrentClaims(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let ids = (0..<40).map { "K\($0)" }
            try await insert(ids.map { key($0) }, in: database)
            let claimed = try await withThrowingTaskGroup(of: [ByteString].self) { group in
                for _ in 0..<16 {
                    group.addTask {
                        var mine: [ByteString] = []
                        for _ in 0..<3 {
                            if let key = try await claim(in: database) { mine.append(key.keyID) }
                        }
                        return mine
                    }
                }
                return try await group.reduce(into: []) { $0 += $1 }
            }
            #expect(claimed.count == 40)
            #expect(Set(claimed) == Set(ids.map { ByteString($0) }))
            #expect(try await count(in: database) == 0)
        }
    }

    @Test("keys are handed out in the order of their uploads", arguments: DatabaseKind.allCases)
    func order(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            try await insert([key("Z")], at: 1, in: database)
            try await insert([key("B"), key("A")], at: 2, in: database)
            try await insert([key("0")], at: 3, in: database)
            var order: [String] = []
            while let key = try await claim(in: database) { order.append(key.keyID.string) }
            #expect(order == ["Z", "A", "B", "0"])
        }
    }

    @Test("a key that was handed out does not come back by a repeated upload, another key of its id does", arguments: DatabaseKind.allCases)
    func repeatedUpload(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            try await insert([key("A", "\"one\"")], in: database)
            #expect(try await claim(in: database) == key("A", "\"one\""))
            try await insert([key("A", "\"one\"")], in: database)
            #expect(try await claim(in: database) == nil)
            try await insert([key("A", "\"two\"")], in: database)
            #expect(try await claim(in: database) == key("A", "\"two\""))
        }
    }

    @Test("a key that waits is not replaced by another of its id", arguments: DatabaseKind.allCases)
    func noReplacement(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            try await insert([key("A", "\"one\"")], in: database)
            try await insert([key("A", "\"two\"")], in: database)
            #expect(try await count(in: database) == 1)
            #expect(try await claim(in: database) == key("A", "\"one\""))
        }
    }

    @Test("handed-out keys are forgotten after their time, waiting ones are not", arguments: DatabaseKind.allCases)
    func forgetting(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            try await insert([key("A"), key("B")], in: database)
            _ = try await claim(in: database)
            try await database.write { [user, device, now] connection in
                try OneTimeKeyStore.deleteKeys(
                    claimedBefore: now.advanced(byMilliseconds: 1), of: device, of: user, on: connection)
            }
            try await insert([key("A")], in: database)
            #expect(try await count(in: database) == 2)
        }
    }

    @Test("a fallback key is handed out again and again, and is unused only until the first time", arguments: DatabaseKind.allCases)
    func fallback(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let uses = try await database.write { [user, device] connection in
                let fallback = key("F", "\"one\"")
                func unused() throws -> [ByteString] {
                    try OneTimeKeyStore.unusedFallbackAlgorithms(of: device, of: user, on: connection)
                }
                func claim() throws -> Bool? {
                    try OneTimeKeyStore.claimFallback("signed_curve25519", of: device, of: user, on: connection)?.isFirstUse
                }
                #expect(try claim() == nil)
                try OneTimeKeyStore.setFallback(fallback, of: device, of: user, on: connection)
                #expect(try unused() == ["signed_curve25519"])
                let uses = [try claim(), try claim()]
                #expect(try unused() == [])
                // The same key again is no new key.
                try OneTimeKeyStore.setFallback(fallback, of: device, of: user, on: connection)
                #expect(try unused() == [])
                try OneTimeKeyStore.setFallback(key("G", "\"two\""), of: device, of: user, on: connection)
                #expect(try unused() == ["signed_curve25519"])
                return uses
            }
            #expect(uses == [true, false])
        }
    }
}
