import Homeserver
import MatrixCore
import Persistence
import TestSupport
import Testing

@Suite("Key backups")
struct KeyBackupServiceTests {
    static let alice = UserID(trusted: "@alice:example.org")
    static let bob = UserID(trusted: "@bob:example.org")

    private func create(_ backups: KeyBackupService, of user: UserID = alice) async throws -> String {
        String(try await backups.create(algorithm: "m.megolm_backup.v1", authData: json(#"{"key":"x"}"#), of: user))
    }

    private func session(
        _ name: ByteString, room: ByteString = "!r", index: Int64 = 5, forwarded: Int64 = 5, verified: Bool = false, data: String = "{}"
    ) -> BackedUpSession {
        BackedUpSession(
            room: room, session: name, firstMessageIndex: index, forwardedCount: forwarded, isVerified: verified, data: Array(data.utf8))
    }

    private func put(
        _ sessions: [BackedUpSession], to version: String, of user: UserID = alice, _ backups: KeyBackupService
    ) async throws -> KeyBackupService.Standing {
        try await backups.put(KeyBackupUpload(sessions: sessions), to: version, of: user)
    }

    @Test("the newest backup is the current one; versions are not used again", arguments: DatabaseKind.allCases)
    func versions(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let backups = KeyBackupService(database: database)
            #expect(try await errorCode { _ = try await backups.backup(nil, of: Self.alice) } == "M_NOT_FOUND")
            #expect(try await create(backups) == "1")
            #expect(try await create(backups, of: Self.bob) == "1")
            #expect(try await create(backups) == "2")
            #expect(try await backups.backup(nil, of: Self.alice).version == 2)
            #expect(try await backups.backup("1", of: Self.alice).version == 1)
            for version in ["3", "01", "+1", " 1", "x", ""] {
                #expect(try await errorCode { _ = try await backups.backup(version, of: Self.alice) } == "M_NOT_FOUND")
            }
            try await backups.delete("2", of: Self.alice)
            try await backups.delete("2", of: Self.alice)
            #expect(try await errorCode { try await backups.delete("3", of: Self.alice) } == "M_NOT_FOUND")
            #expect(try await backups.backup(nil, of: Self.alice).version == 1)
            #expect(try await errorCode { _ = try await backups.backup("2", of: Self.alice) } == "M_NOT_FOUND")
            #expect(try await create(backups) == "3")
        }
    }

    @Test("a backup can be given other data, but no other algorithm", arguments: DatabaseKind.allCases)
    func update(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let backups = KeyBackupService(database: database)
            let version = try await create(backups)
            try await backups.update(version, algorithm: "m.megolm_backup.v1", authData: json(#"{"key":"y"}"#), of: Self.alice)
            #expect(try await backups.backup(version, of: Self.alice).authData == Array(#"{"key":"y"}"#.utf8))
            let other = try await errorCode {
                try await backups.update(version, algorithm: "other", authData: json("{}"), of: Self.alice)
            }
            #expect(other == "M_INVALID_PARAM")
            let missing = try await errorCode {
                try await backups.update("2", algorithm: "m.megolm_backup.v1", authData: json("{}"), of: Self.alice)
            }
            #expect(missing == "M_NOT_FOUND")
        }
    }

    @Test("of two keys the better one stays; count and etag follow", arguments: DatabaseKind.allCases)
    func replacing(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let backups = KeyBackupService(database: database)
            let version = try await create(backups)
            var standing = try await put([session("a"), session("b"), session("a", room: "!q")], to: version, backups)
            #expect(standing == .init(etag: 1, count: 3))
            // What comes, and whether it takes the place of the key that is there.
            let steps: [(BackedUpSession, Bool)] = [
                (session("a", data: "[1]"), false),
                (session("a", index: 6, data: "[2]"), false),
                (session("a", index: 4, forwarded: 9, data: "[3]"), true),
                (session("a", index: 9, forwarded: 0, data: "[4]"), false),
                (session("a", index: 4, forwarded: 8, data: "[5]"), true),
                (session("a", index: 99, forwarded: 99, verified: true, data: "[6]"), true),
                (session("a", index: 99, forwarded: 99, verified: true, data: "[7]"), false),
                (session("a", index: 0, forwarded: 0, verified: false, data: "[8]"), false),
                (session("a", index: 100, forwarded: 0, verified: true, data: "[9]"), false),
                (session("a", index: 99, forwarded: 98, verified: true, data: "[10]"), true),
            ]
            for (key, replaces) in steps {
                let after = try await put([key], to: version, backups)
                #expect(after == .init(etag: standing.etag + (replaces ? 1 : 0), count: 3))
                let stored = try await backups.sessions(.session(room: "!r", session: "a"), of: version, of: Self.alice)
                #expect((stored == [key]) == replaces)
                standing = after
            }
            // Some are new, some are better, some are not.
            let mixed = try await put(
                [session("a", index: 999, forwarded: 999), session("b", index: 0), session("c")], to: version, backups)
            #expect(mixed == .init(etag: standing.etag + 1, count: 4))
            let backup = try await backups.backup(nil, of: Self.alice)
            #expect((backup.etag, backup.count) == (mixed.etag, mixed.count))
        }
    }

    @Test("keys are read and deleted by session, by room and all together", arguments: DatabaseKind.allCases)
    func scopes(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let backups = KeyBackupService(database: database)
            let version = try await create(backups)
            let all = ["!q", "!r"].flatMap { room in ["a", "b"].map { session(ByteString($0), room: ByteString(room)) } }
            _ = try await put(all, to: version, backups)
            _ = try await create(backups, of: Self.bob)
            _ = try await put(all, to: "1", of: Self.bob, backups)
            func sessions(_ scope: KeyBackupScope) async throws -> [BackedUpSession] {
                try await backups.sessions(scope, of: version, of: Self.alice)
            }
            #expect(try await sessions(.all) == all)
            #expect(try await sessions(.room("!q")) == Array(all.prefix(2)))
            #expect(try await sessions(.session(room: "!r", session: "b")) == [all[3]])
            #expect(try await sessions(.room("!x")) == [])
            #expect(try await backups.deleteSessions(.room("!x"), of: version, of: Self.alice) == .init(etag: 1, count: 4))
            #expect(
                try await backups.deleteSessions(.session(room: "!q", session: "a"), of: version, of: Self.alice)
                    == .init(etag: 2, count: 3))
            #expect(try await backups.deleteSessions(.room("!r"), of: version, of: Self.alice) == .init(etag: 3, count: 1))
            #expect(try await backups.deleteSessions(.all, of: version, of: Self.alice) == .init(etag: 4, count: 0))
            #expect(try await sessions(.all) == [])
            #expect(try await backups.sessions(.all, of: "1", of: Self.bob) == all)
        }
    }

    @Test("an earlier backup can be read, but takes no more keys", arguments: DatabaseKind.allCases)
    func earlier(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let backups = KeyBackupService(database: database)
            #expect(try await errorCode { _ = try await put([session("a")], to: "1", backups) } == "M_NOT_FOUND")
            let first = try await create(backups)
            _ = try await put([session("a")], to: first, backups)
            let second = try await create(backups)
            let error = await #expect(throws: MatrixError.self) { try await put([session("b")], to: first, backups) }
            #expect(error?.errcode == "M_WRONG_ROOM_KEYS_VERSION")
            #expect(error?.status == 403)
            #expect(error?.extra["current_version"] == .string(second))
            #expect(try await errorCode { _ = try await put([session("b")], to: "7", backups) } == "M_NOT_FOUND")
            #expect(try await backups.sessions(.all, of: first, of: Self.alice).count == 1)
            #expect(try await backups.sessions(.all, of: second, of: Self.alice) == [])
            try await backups.delete(second, of: Self.alice)
            #expect(try await put([session("b")], to: first, backups).count == 2)
            try await backups.delete(first, of: Self.alice)
            #expect(try await errorCode { _ = try await backups.sessions(.all, of: first, of: Self.alice) } == "M_NOT_FOUND")
        }
    }

    @Test("many uploads at once lose no key and count each", arguments: DatabaseKind.allCases)
    func atOnce(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let backups = KeyBackupService(database: database)
            let version = try await create(backups)
            try await withThrowingTaskGroup(of: Void.self) { group in
                for number in 0..<20 {
                    group.addTask {
                        _ = try await put(
                            [session(ByteString("s\(number % 10)")), session(ByteString("t\(number)"))], to: version, backups)
                    }
                }
                try await group.waitForAll()
            }
            #expect(try await backups.backup(nil, of: Self.alice).count == 30)
            #expect(try await backups.sessions(.all, of: version, of: Self.alice).count == 30)
        }
    }
}
