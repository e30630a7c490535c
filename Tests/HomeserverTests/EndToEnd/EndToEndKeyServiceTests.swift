import Homeserver
import MatrixCore
import Persistence
import Rooms
import TestSupport
import Testing

@Suite("Keys of devices")
struct EndToEndKeyServiceTests {
    static let alice = TestRooms.user("alice")
    static let phone = DeviceAddress(user: alice, device: DeviceID(trusted: "PHONE"))

    private func service(_ rooms: TestRooms) -> EndToEndKeyService {
        EndToEndKeyService(database: rooms.database, journal: rooms.journal, serverName: TestRooms.serverName)
    }

    private func upload(_ body: String) throws -> KeyUpload {
        try KeyUpload(JSONDocument(parsing: Array(body.utf8)).root, by: Self.phone)
    }

    private func oneTimeKeys(_ ids: some Sequence<String>) throws -> KeyUpload {
        try upload("{\"one_time_keys\":{\(ids.map { "\"signed_curve25519:\($0)\":\"\($0)\"" }.joined(separator: ","))}}")
    }

    private let claim = [KeyClaim(address: phone, algorithm: "signed_curve25519")]

    private func deviceKeys(_ key: String) -> String {
        """
        {"device_keys":{"user_id":"\(Self.alice)","device_id":"PHONE","algorithms":[],"keys":{"ed25519:PHONE":"\(key)"},\
        "signatures":{}}}
        """
    }

    @Test("claimers at once never get the same key, and get the fallback key when all are gone", arguments: DatabaseKind.allCases)
    func concurrentClaims(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let keys = service(try await TestRooms(on: database))
            _ = try await keys.upload(oneTimeKeys((0..<20).map { "K\($0)" }), by: Self.phone)
            _ = try await keys.upload(upload(#"{"fallback_keys":{"signed_curve25519:F":"f"}}"#), by: Self.phone)
            let names = try await withThrowingTaskGroup(of: [String].self) { group in
                for _ in 0..<30 { group.addTask { try await keys.claim(claim).keys.map(\.key.name) } }
                return try await group.reduce(into: []) { $0 += $1 }
            }
            #expect(names.count == 30)
            #expect(names.count { $0 == "signed_curve25519:F" } == 10)
            #expect(Set(names).count == 21)
            #expect(try await keys.oneTimeKeyCounts(Self.alice, Self.phone.device).map(\.1) == [0])
            #expect(try await keys.unusedFallbackKeyTypes(Self.alice, Self.phone.device) == [])
        }
    }

    @Test("counts follow uploads and claims, though they come from memory", arguments: DatabaseKind.allCases)
    func counts(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let keys = service(try await TestRooms(on: database))
            func count() async throws -> Int? {
                try await keys.oneTimeKeyCounts(Self.alice, Self.phone.device).first { $0.0 == "signed_curve25519" }?.1
            }
            #expect(try await count() == 0)
            #expect(try await keys.upload(oneTimeKeys(["A", "B"]), by: Self.phone).oneTimeKeys.map(\.1) == [2])
            #expect(try await count() == 2)
            _ = try await keys.claim(claim)
            #expect(try await count() == 1)
            // The same upload again brings nothing, also not the key that is gone.
            #expect(try await keys.upload(oneTimeKeys(["A", "B"]), by: Self.phone).oneTimeKeys.map(\.1) == [1])
            #expect(try await keys.unusedFallbackKeyTypes(Self.alice, Self.phone.device) == [])
            _ = try await keys.upload(upload(#"{"fallback_keys":{"signed_curve25519:F":"f"}}"#), by: Self.phone)
            #expect(try await keys.unusedFallbackKeyTypes(Self.alice, Self.phone.device) == ["signed_curve25519"])
        }
    }

    @Test("another key under the id of a stored one is refused, and nothing of the upload is stored", arguments: DatabaseKind.allCases)
    func conflict(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let keys = service(try await TestRooms(on: database))
            _ = try await keys.upload(oneTimeKeys(["A"]), by: Self.phone)
            let other = try upload(#"{"one_time_keys":{"signed_curve25519:A":"other","signed_curve25519:B":"B"}}"#)
            let error = await #expect(throws: MatrixError.self) { try await keys.upload(other, by: Self.phone) }
            #expect(error?.errcode == "M_INVALID_PARAM")
            #expect(try await keys.oneTimeKeyCounts(Self.alice, Self.phone.device).map(\.1) == [1])
        }
    }

    @Test("new identity keys are announced once, unchanged ones not at all", arguments: DatabaseKind.allCases)
    func announcement(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let rooms = try await TestRooms(on: database)
            let keys = service(rooms)
            let start = rooms.journal.position
            _ = try await keys.upload(upload(deviceKeys("one")), by: Self.phone)
            _ = try await keys.upload(upload(deviceKeys("one")), by: Self.phone)
            _ = try await keys.upload(upload(deviceKeys("two")), by: Self.phone)
            let changes = rooms.journal.commits.recent(after: start)?.flatMap(\.changes) ?? []
            #expect(changes.count == 2)
        }
    }

    @Test("a query finds the wanted devices of local users", arguments: DatabaseKind.allCases)
    func query(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let rooms = try await TestRooms(on: database)
            let keys = service(rooms)
            try await rooms.addDevice("PHONE", of: Self.alice)
            _ = try await keys.upload(upload(deviceKeys("one")), by: Self.phone)
            let body = """
                {"device_keys":{"\(Self.alice)":["PHONE","OTHER"],"@nobody:example.org":[],"@x:far.example":[],"nonsense":[]}}
                """
            let query = try KeyQuery(JSONDocument(parsing: Array(body.utf8)).root)
            let answer = try await keys.query(query, by: Self.alice)
            #expect(answer.users.map(\.user) == [Self.alice, TestRooms.user("nobody")])
            #expect(answer.users.map { $0.devices.map(\.device.string) } == [["PHONE"], []])
        }
    }
}
