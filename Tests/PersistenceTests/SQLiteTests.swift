// What only SQLite has: a file.

import Glibc
import Logging
import Persistence
import Synchronization
import TestSupport
import Testing

@Suite("SQLite")
struct SQLiteTests {
    private static let insert = TransactionTests.insert

    @Test("a full disk is told apart, the transaction is gone, and writing goes on when there is room")
    func full() async throws {
        try await withDatabase(.sqlite, migrations: TransactionTests.table) { database in
            let fill: SQL = "INSERT INTO samples (id, note) VALUES ($1, $2)"
            let error = await #expect(throws: DatabaseError.self) {
                try await database.write { connection in
                    // As small as the file is now.
                    try connection.query(SQL(once: "PRAGMA max_page_count = 1")) { _ in }
                    for id in 1...100 { try connection.enqueue(fill, [.int(id), .text(String(repeating: "x", count: 2000))]) }
                }
            }
            #expect(error?.kind == .full)
            expectEqual(try await count(database), 0)
            try await database.write { connection in
                try connection.query(SQL(once: "PRAGMA max_page_count = 100000")) { _ in }
                try connection.enqueue(fill, [.int(1), .text("x")])
            }
            expectEqual(try await count(database), 1)
        }
    }

    @Test("a database that takes no writes is told apart")
    func readOnly() async throws {
        try await withDatabase(.sqlite, migrations: TransactionTests.table) { database in
            try await database.write { try $0.query(SQL(once: "PRAGMA query_only = ON")) { _ in } }
            let error = await #expect(throws: DatabaseError.self) {
                try await database.write { try $0.enqueue(Self.insert, [.int(1)]) }
            }
            #expect(error?.kind == .readOnly)
            expectEqual(try await count(database), 0)
        }
    }

    @Test("what was written is there when the file is opened again, and only its owner may read it")
    func reopening() async throws {
        try await withTemporaryFolder { folder in
            let path = folder + "/kept.db"
            for round in 1...3 {
                let database = try await Databases.open(
                    .sqlite(path: path), migrations: TransactionTests.table, logger: DatabaseFixture.logger)
                try await database.write { try $0.enqueue(Self.insert, [.int(round)]) }
                expectEqual(try await count(database), Int64(round))
                await database.close()
            }
            var status = stat()
            #expect(stat(path, &status) == 0)
            #expect(status.st_mode & 0o777 == 0o600)
            #expect(access(path + "-wal", F_OK) != 0)
        }
    }

    @Test("commits are on the disk before they are acknowledged, and readers do not wait for the writer")
    func settings() async throws {
        try await withDatabase(.sqlite, migrations: []) { database in
            let settings = try await database.write { connection in
                try ["journal_mode", "synchronous", "foreign_keys"].map { name in
                    try connection.first(SQL(once: "PRAGMA \(name)")) { $0.text(0) }
                }
            }
            #expect(settings == ["wal", "2", "1"])
        }
    }

    @Test("reads go on while a write is under way, and do not see it")
    func readDuringWrite() async throws {
        try await withDatabase(.sqlite, migrations: TransactionTests.table) { database in
            let (started, signal) = AsyncStream<Void>.makeStream()
            let mayEnd = Flag()
            async let write: Void = database.write { connection in
                try connection.execute(Self.insert, [.int(1)])
                signal.finish()
                while mayEnd.count == 0 { usleep(1000) }
            }
            for await _ in started {}
            // Would never return if it waited for the writer.
            expectEqual(try await count(database), 0)
            mayEnd.raise()
            try await write
            expectEqual(try await count(database), 1)
        }
    }

    @Test("many reads at once are spread over the readers")
    func parallelReads() async throws {
        try await withDatabase(.sqlite, migrations: TransactionTests.table) { database in
            // Each waits, for ten seconds at most, until another has begun: on one reader none ever would.
            let begun = Flag()
            let met = try await withThrowingTaskGroup(of: Bool.self) { group in
                for _ in 0..<2 {
                    group.addTask {
                        try await database.read { _ in
                            begun.raise()
                            for _ in 0..<10_000 where begun.count < 2 { usleep(1000) }
                            return begun.count == 2
                        }
                    }
                }
                return try await group.reduce(true) { $0 && $1 }
            }
            #expect(met)
        }
    }

    @Test("what is not a database, or not a file, is refused", arguments: ["", ":memory:", "file:x?mode=memory"])
    func refusedPaths(path: String) async {
        let error = await #expect(throws: DatabaseError.self) { try await SQLiteDatabase(path: path) }
        #expect(error?.kind == .refused)
    }

    @Test("a folder that is not there makes the database unavailable, with its path in the message")
    func missingFolder() async {
        let path = "/nonexistent/folder/x.db"
        let error = await #expect(throws: DatabaseError.self) { try await SQLiteDatabase(path: path) }
        #expect(error?.kind == .unavailable)
        #expect(error?.message.contains(path) == true)
    }

    @Test("a file that is something else is refused")
    func notADatabase() async throws {
        try await withTemporaryFolder { folder in
            let path = folder + "/other.db"
            let file = fopen(path, "w")
            fputs(String(repeating: "This is no database. ", count: 100), file)
            fclose(file)
            let error = await #expect(throws: DatabaseError.self) { try await SQLiteDatabase(path: path) }
            #expect(error?.kind == .refused)
        }
    }
}

/// Counts how often it was raised, for bodies on other threads that cannot await.
private final class Flag: Sendable {
    private let raised = Atomic<Int>(0)
    var count: Int { raised.load(ordering: .acquiring) }
    func raise() { raised.add(1, ordering: .acquiringAndReleasing) }
}
