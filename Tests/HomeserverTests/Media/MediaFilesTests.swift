// The media store on the disk, and what goes from it.

import Federation
import Glibc
import Homeserver
import Logging
import MatrixCore
import Persistence
import ServerConfiguration
import TestSupport
import Testing

@Suite struct MediaFilesTests {
    private func entries(_ folder: String) -> [String] {
        guard let stream = opendir(folder) else { return [] }
        defer { closedir(stream) }
        var names: [String] = []
        while let entry = readdir(stream) {
            names.append(withUnsafeBytes(of: &entry.pointee.d_name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) })
        }
        return names.filter { $0 != "." && $0 != ".." }
    }

    private func read(_ content: StoredContent?) async throws -> [UInt8]? {
        switch content {
        case nil: return nil
        case .bytes(let bytes): return bytes
        case .file(let file):
            var bytes: [UInt8] = []
            while let piece = try await file.next() { bytes += piece }
            return bytes
        }
    }

    @Test("what was written is read again, small or large, with its hash")
    func roundTrip() async throws {
        try await withTemporaryFolder { folder in
            let files = MediaFiles(base: folder + "/store")
            try files.prepare()
            for (index, count) in [0, 5, 262_144, 262_145, 3_000_000].enumerated() {
                let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31) }
                var file = IncomingFile(files)
                for start in stride(from: 0, to: count, by: 100_000) {
                    try await file.append(Array(bytes[start..<min(start + 100_000, count)]))
                }
                let path = "local_content/aa/bb/file\(index)"
                let hash = try await file.finish(as: path)
                #expect(hash == SHA256Hash.hash(bytes).map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined())
                #expect(file.length == count)
                #expect(try await read(files.open(path)) == bytes)
            }
            #expect(entries(folder + "/store/tmp").isEmpty)
            #expect(try await files.open("local_content/aa/bb/other") == nil)
        }
    }

    @Test("what is given up leaves nothing, and what a crash left goes at the next start")
    func leftovers() async throws {
        try await withTemporaryFolder { folder in
            let files = MediaFiles(base: folder)
            try files.prepare()
            do {
                var file = IncomingFile(files)
                try await file.append([UInt8](repeating: 1, count: 400_000))
                #expect(entries(folder + "/tmp").count == 1)
            }
            #expect(entries(folder + "/tmp").isEmpty)
            let left = open(folder + "/tmp/left", O_CREAT | O_WRONLY, 0o600)
            close(left)
            try files.prepare()
            #expect(entries(folder + "/tmp").isEmpty)
        }
    }

    @Test("a store that takes no files fails the write, and leaves nothing")
    func unwritable() async throws {
        try await withTemporaryFolder { folder in
            let files = MediaFiles(base: folder)
            try files.prepare()
            // In place of the folder, a file.
            close(open(folder + "/local_content", O_CREAT | O_WRONLY, 0o600))
            var file = IncomingFile(files)
            try await file.append([1, 2, 3])
            let finished = file
            await #expect(throws: MediaFileError.self) {
                var file = finished
                _ = try await file.finish(as: "local_content/aa/bb/cc")
            }
            #expect(entries(folder + "/tmp").isEmpty)
        }
    }

    @Test("folders of thumbnails and files are removed, and what is not there is no error")
    func removal() async throws {
        try await withTemporaryFolder { folder in
            let files = MediaFiles(base: folder)
            try files.prepare()
            for name in ["a", "b"] {
                var file = IncomingFile(files)
                try await file.append([1])
                _ = try await file.finish(as: "local_thumbnails/aa/bb/cc/\(name)")
            }
            try await files.remove("local_thumbnails/aa/bb/cc")
            try await files.remove("local_thumbnails/aa/bb/cc")
            #expect(entries(folder + "/local_thumbnails/aa/bb").isEmpty)
        }
    }

    @Test("media that nobody has looked at go, but for pictures of people, and what is in quarantine", arguments: DatabaseKind.allCases)
    func retention(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            try await withTemporaryFolder { folder in
                var options = MediaConfiguration()
                options.localLifetime = .seconds(100)
                options.remoteLifetime = .seconds(100)
                let files = MediaFiles(base: folder)
                try files.prepare()
                let upkeep = MediaUpkeep(
                    serverName: ServerName(trusted: "test"), database: database, files: files, options: options,
                    logger: Logger(label: "test"))
                let alice = UserID(trusted: "@alice:test"), other = ServerName(trusted: "other")
                let start = Timestamp(milliseconds: 1_000_000), now = start.advanced(byMilliseconds: 150_000)
                let content = MediaContent(contentType: "image/png", length: 1, name: nil, sha256: "00")
                let ids = ["oldoldold", "seenseen", "avataravatar", "pendingpending", "youngyoung"]
                try await database.write { connection in
                    for id in ids where id != "pendingpending" {
                        let time = id == "youngyoung" ? now : start
                        try MediaStore.insert(content, as: id, by: alice, at: time, isAuthenticated: true, on: connection)
                    }
                    try MediaStore.insertPending("pendingpending", by: alice, at: start, isAuthenticated: true, on: connection)
                    try ProfileStore.set("avatar_url", to: Array("\"mxc://test/avataravatar\"".utf8), of: alice, on: connection)
                    for id in ["oldremote", "newremote"] {
                        _ = try MediaStore.insertRemote(
                            content, as: id, of: other, fileID: "file\(id)", at: id == "oldremote" ? start : now, isAuthenticated: true,
                            on: connection)
                    }
                    try MediaStore.touch(local: ["seenseen"], remote: [:], at: now, on: connection)
                }
                for path in [MediaFile.local("oldoldold").path, MediaFile.remote(other, "fileoldremote").path] {
                    var file = IncomingFile(files)
                    try await file.append([1])
                    _ = try await file.finish(as: try #require(path))
                }
                try await upkeep.deleteOld(at: now)
                let left = try await database.read { connection in try ids.filter { try MediaStore.local($0, on: connection) != nil } }
                #expect(left == ["seenseen", "avataravatar", "pendingpending", "youngyoung"])
                #expect(try await database.read { try MediaStore.remote("oldremote", of: other, on: $0) } == nil)
                #expect(try await database.read { try MediaStore.remote("newremote", of: other, on: $0) } != nil)
                #expect(entries(folder + "/local_content/ol/do").isEmpty && entries(folder + "/remote_content/other/fi/le").isEmpty)
            }
        }
    }
}
