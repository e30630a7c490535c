// The tables of media on both databases.

import MatrixCore
import Persistence
import TestSupport
import Testing

@Suite("Media stores")
struct MediaStoreTests {
    private static let alice = UserID(trusted: "@alice:test"), bob = UserID(trusted: "@bob:test")
    private static let other = ServerName(trusted: "other.example")

    private func time(_ milliseconds: Int64) -> Timestamp { Timestamp(milliseconds: milliseconds) }

    private func content(_ sha256: String = "aa", length: Int = 10) -> MediaContent {
        MediaContent(contentType: "image/png", length: length, name: "ä.png", sha256: sha256)
    }

    @Test("an upload is read back as it was noted", arguments: DatabaseKind.allCases)
    func uploads(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let content = content(length: 5_000_000_000)
            try await database.write {
                try MediaStore.insert(content, as: "m1", by: Self.alice, at: time(7), isAuthenticated: true, on: $0)
            }
            let media = try #require(try await database.read { try MediaStore.local("m1", on: $0) })
            #expect(media.user == Self.alice && media.length == 5_000_000_000 && media.name == "ä.png" && media.contentType == "image/png")
            #expect(media.isAuthenticated && media.quarantinedBy == nil && media.lastAccess == nil && media.created == time(7))
            #expect(media.sha256 == "aa" && media.fileID == "m1" && media.origin == nil)
            #expect(try await database.read { try MediaStore.local("m2", on: $0) } == nil)
        }
    }

    @Test("an address takes its content once, and is counted until then", arguments: DatabaseKind.allCases)
    func pending(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            try await database.write { connection in
                for (id, at) in [("old", 1), ("a", 100), ("b", 200)] as [(String, Int64)] {
                    try MediaStore.insertPending(id, by: Self.alice, at: time(at), isAuthenticated: false, on: connection)
                }
                try MediaStore.insertPending("c", by: Self.bob, at: time(100), isAuthenticated: false, on: connection)
            }
            var found = try await database.write { try MediaStore.pending(by: Self.alice, since: time(50), on: $0) }
            #expect(found.count == 2 && found.oldest == time(100))
            #expect(try await database.read { try MediaStore.local("old", on: $0) } == nil)
            let content = content()
            #expect(try await database.write { try MediaStore.complete(content, as: "a", on: $0) })
            #expect(try await database.write { try !MediaStore.complete(content, as: "a", on: $0) })
            #expect(try await database.write { try !MediaStore.complete(content, as: "nothing", on: $0) })
            found = try await database.write { try MediaStore.pending(by: Self.alice, since: time(50), on: $0) }
            #expect(found.count == 1 && found.oldest == time(200))
            #expect(try await database.read { try MediaStore.local("a", on: $0)?.length } == 10)
            found = try await database.write { try MediaStore.pending(by: UserID(trusted: "@x:test"), since: time(0), on: $0) }
            #expect(found.count == 0 && found.oldest == nil)
        }
    }

    @Test("what a user has uploaded is summed up from a time on", arguments: DatabaseKind.allCases)
    func sums(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let content = content()
            try await database.write { connection in
                for (id, at) in [("a", 100), ("b", 200)] as [(String, Int64)] {
                    try MediaStore.insert(content, as: id, by: Self.alice, at: time(at), isAuthenticated: true, on: connection)
                }
            }
            let sums = try await database.read { connection in
                try [0, 150, 300].map { try MediaStore.uploadedBytes(by: Self.alice, since: time($0), on: connection) }
            }
            #expect(sums == [20, 10, 0])
        }
    }

    @Test("a copy replaces one whose file has gone, but keeps its quarantine", arguments: DatabaseKind.allCases)
    func copies(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let (first, second) = (content("aa"), content("bb"))
            let thumbnail = ThumbnailRow(width: 1, height: 2, method: "crop", contentType: "image/png", length: 3)
            try await database.write { connection in
                let row = try MediaStore.insertRemote(
                    first, as: "m", of: Self.other, fileID: "f1", at: time(1), isAuthenticated: true, on: connection)
                #expect(row?.fileID == "f1" && row?.origin == Self.other)
                try ThumbnailStore.insert([thumbnail], of: "m", from: Self.other, on: connection)
                try connection.enqueue("UPDATE remote_media SET quarantined_by = 'admin'")
                let again = try MediaStore.insertRemote(
                    second, as: "m", of: Self.other, fileID: "f2", at: time(2), isAuthenticated: false, on: connection)
                #expect(again?.fileID == "f2" && again?.quarantinedBy == "admin" && again?.sha256 == "bb" && again?.isAuthenticated == true)
            }
            // They were of the file that has gone.
            #expect(try await database.read { try ThumbnailStore.thumbnails(of: "m", from: Self.other, on: $0) } == [])
        }
    }

    @Test("what is the same as something in quarantine is in quarantine", arguments: DatabaseKind.allCases)
    func quarantine(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let (bad, good) = (content("bad"), content("good"))
            try await database.write { connection in
                try MediaStore.insert(bad, as: "a", by: Self.alice, at: time(1), isAuthenticated: true, on: connection)
                try connection.enqueue("UPDATE local_media SET quarantined_by = 'admin'")
                try MediaStore.insert(bad, as: "b", by: Self.bob, at: time(1), isAuthenticated: true, on: connection)
                try MediaStore.insert(good, as: "c", by: Self.bob, at: time(1), isAuthenticated: true, on: connection)
                let copy = try MediaStore.insertRemote(
                    bad, as: "m", of: Self.other, fileID: "f", at: time(1), isAuthenticated: true, on: connection)
                #expect(copy?.quarantinedBy == "system")
            }
            let found = try await database.read { connection in
                try ["a", "b", "c"].map { try MediaStore.local($0, on: connection)?.quarantinedBy }
            }
            #expect(found == ["admin", "system", nil])
        }
    }

    @Test("thumbnails of the same medium ID of two servers are apart, and go with their medium", arguments: DatabaseKind.allCases)
    func thumbnails(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let rows = [32, 96].map { ThumbnailRow(width: $0, height: $0, method: "crop", contentType: "image/png", length: $0) }
            try await database.write { connection in
                try ThumbnailStore.insert(rows, of: "m", from: nil, on: connection)
                try ThumbnailStore.insert([rows[0]], of: "m", from: Self.other, on: connection)
                var longer = rows[0]
                longer.length = 1000
                try ThumbnailStore.insert([longer], of: "m", from: nil, on: connection)
            }
            let found = try await database.read { try ThumbnailStore.thumbnails(of: "m", from: nil, on: $0) }
            #expect(found.map(\.length) == [1000, 96])
            try await database.write { try MediaRetentionStore.deleteLocal("m", on: $0) }
            #expect(try await database.read { try ThumbnailStore.thumbnails(of: "m", from: nil, on: $0) } == [])
            #expect(try await database.read { try ThumbnailStore.thumbnails(of: "m", from: Self.other, on: $0) } == [rows[0]])
        }
    }
}
