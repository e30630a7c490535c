// Schema versions.

import Persistence
import ServerConfiguration
import TestSupport
import Testing

@Suite("Migrations")
struct MigrationTests {
    private static let first = Migration(
        number: 1, name: "first", statements: ["CREATE TABLE samples (id BIGINT NOT NULL)", "INSERT INTO samples (id) VALUES (1)"])
    private static let second = Migration(number: 2, name: "second") { dialect in
        [
            SQL("ALTER TABLE samples ADD COLUMN bytes \(dialect.blob)"),
            "INSERT INTO samples (id) VALUES (2)",
        ]
    }

    private static func open(_ configuration: DatabaseConfiguration, _ migrations: [Migration]) async throws -> any Database {
        try await Databases.open(configuration, migrations: migrations, logger: DatabaseFixture.logger)
    }

    @Test("each migration runs once, in the order of the numbers", arguments: DatabaseKind.allCases)
    func once(kind: DatabaseKind) async throws {
        try await withDatabaseConfiguration(kind, isEmpty: true) { configuration in
            for (migrations, rows) in [([Self.first], 1), ([Self.second, Self.first], 2), ([Self.first, Self.second], 2)] {
                let database = try await Self.open(configuration, migrations)
                expectEqual(try await count(database), Int64(rows))
                await database.close()
            }
        }
    }

    @Test("a database from a newer version is refused, and left as it is", arguments: DatabaseKind.allCases)
    func newer(kind: DatabaseKind) async throws {
        try await withDatabaseConfiguration(kind, isEmpty: true) { configuration in
            await (try Self.open(configuration, [Self.first, Self.second])).close()
            let error = await #expect(throws: DatabaseError.self) { try await Self.open(configuration, [Self.first]) }
            #expect(error?.kind == .refused)
            #expect(error?.message.contains("newer version") == true)
            let database = try await Self.open(configuration, [Self.first, Self.second])
            expectEqual(try await count(database), 2)
            await database.close()
        }
    }

    @Test("a migration that fails leaves nothing of itself behind", arguments: DatabaseKind.allCases)
    func failure(kind: DatabaseKind) async throws {
        let broken = Migration(
            number: 2, name: "broken", statements: ["CREATE TABLE half (id BIGINT)", "INSERT INTO nowhere (id) VALUES (1)"])
        try await withDatabaseConfiguration(kind, isEmpty: true) { configuration in
            let error = await #expect(throws: DatabaseError.self) { try await Self.open(configuration, [Self.first, broken]) }
            #expect(error?.kind == .syntax)
            let mended = Migration(number: 2, name: "mended", statements: ["CREATE TABLE half (id BIGINT)"])
            let database = try await Self.open(configuration, [Self.first, mended])
            expectEqual(try await count(database), 1)
            await database.close()
        }
    }

    @Test("several that start at once migrate once", arguments: DatabaseKind.allCases)
    func atOnce(kind: DatabaseKind) async throws {
        try await withDatabaseConfiguration(kind, isEmpty: true) { configuration in
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<4 {
                    group.addTask { await (try Self.open(configuration, [Self.first, Self.second])).close() }
                }
                try await group.waitForAll()
            }
            let database = try await Self.open(configuration, [Self.first, Self.second])
            expectEqual(try await count(database), 2)
            await database.close()
        }
    }

    @Test("Synapse's database is refused", arguments: DatabaseKind.allCases)
    func synapse(kind: DatabaseKind) async throws {
        try await withDatabaseConfiguration(kind, isEmpty: true) { configuration in
            let database = try await Self.open(configuration, [])
            try await database.write { try $0.execute(SQL(once: "CREATE TABLE applied_schema_deltas (version INTEGER)")) }
            await database.close()
            let error = await #expect(throws: DatabaseError.self) { try await Self.open(configuration, [Self.first]) }
            #expect(error?.kind == .refused)
            #expect(error?.message.contains("Synapse") == true)
        }
    }

    @Test("the numbers of our migrations are each used once, and this version's schema can be made", arguments: DatabaseKind.allCases)
    func ours(kind: DatabaseKind) async throws {
        let numbers = Migrations.all.map(\.number)
        #expect(Set(numbers).count == numbers.count)
        #expect(numbers == numbers.sorted())
        try await withDatabase(kind, migrations: Migrations.all) { _ in }
    }
}
