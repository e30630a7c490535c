// Databases for tests: a fresh one per call, on both kinds.

import Glibc
import Logging
import Persistence
import ServerConfiguration

/// The databases that store tests run on. For `@Test(arguments: DatabaseKind.allCases)`, and `forEachDatabase`.
package enum DatabaseKind: String, CaseIterable, Sendable {
    case sqlite
    case postgres

    /// All kinds; SQLite alone where `MARTLET_TEST_SQLITE_ONLY` is set.
    package static var allCases: [DatabaseKind] { environment("MARTLET_TEST_SQLITE_ONLY") == nil ? [.sqlite, .postgres] : [.sqlite] }
}

/// Why a test could not have its database.
package struct DatabaseFixtureError: Error, CustomStringConvertible {
    package let description: String
}

/// Runs `body` on a fresh SQLite and on a fresh PostgreSQL database, each with the schema of this version, and removes them.
package func forEachDatabase(
    isolation: isolated (any Actor)? = #isolation, _ body: (any Database) async throws -> Void
) async throws {
    for kind in DatabaseKind.allCases { try await withDatabase(kind, body) }
}

/// Runs `body` on a fresh database of one kind, and removes it.
/// - Parameter migrations: the schema to bring it to, where it is not this version's.
package func withDatabase(
    _ kind: DatabaseKind, migrations: [Migration]? = nil, isolation: isolated (any Actor)? = #isolation,
    _ body: (any Database) async throws -> Void
) async throws {
    try await withDatabaseConfiguration(kind, isEmpty: migrations != nil) { configuration in
        let database = try await Databases.open(
            configuration, migrations: migrations ?? Migrations.all, logger: DatabaseFixture.logger)
        do {
            try await body(database)
        } catch {
            await database.close()
            throw error
        }
        await database.close()
    }
}

/// Gives the configuration of a fresh database, for tests that open it themselves, once or several times.
/// - Parameter isEmpty: whether it has no tables at all; otherwise it may have this version's already.
package func withDatabaseConfiguration(
    _ kind: DatabaseKind, isEmpty: Bool = false, isolation: isolated (any Actor)? = #isolation,
    _ body: (DatabaseConfiguration) async throws -> Void
) async throws {
    switch kind {
    case .sqlite:
        try await withTemporaryFolder { folder in try await body(.sqlite(path: folder + "/test.db")) }
    case .postgres:
        let name = try await DatabaseFixture.shared.makeDatabase(isEmpty: isEmpty)
        do {
            try await body(DatabaseFixture.configuration(database: name))
        } catch {
            await DatabaseFixture.shared.drop(name)
            throw error
        }
        await DatabaseFixture.shared.drop(name)
    }
}

/// Gives an empty folder, and removes it with its files.
package func withTemporaryFolder(
    isolation: isolated (any Actor)? = #isolation, _ body: (String) async throws -> Void
) async throws {
    var template = Array("\(environment("TMPDIR") ?? "/tmp")/martlet-test-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else { throw DatabaseFixtureError(description: "cannot make a temporary folder") }
    let folder = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    defer { removeFolder(folder) }
    try await body(folder)
}

private func removeFolder(_ folder: String) {
    guard let directory = opendir(folder) else { return }
    while let entry = readdir(directory) {
        let name = withUnsafePointer(to: &entry.pointee.d_name) {
            $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
        }
        if name == "." || name == ".." { continue }
        if unlink("\(folder)/\(name)") != 0 { removeFolder("\(folder)/\(name)") }
    }
    closedir(directory)
    rmdir(folder)
}

package func environment(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }

/// The PostgreSQL cluster of this test run. `MARTLET_TEST_POSTGRES` is the address of a superuser's database on it.
package actor DatabaseFixture {
    package static let shared = DatabaseFixture()
    package static let logger = Logger(label: "tests") { _ in SwiftLogNoOpLogHandler() }

    /// Tests run side by side; as many have a database at once, so that the server's connections suffice.
    private static let databasesAtOnce = 8
    private static let connectionsPerDatabase = 4

    private var administration: Task<PostgresPool, any Error>?
    private var template: Task<String, any Error>?
    private var made = 0
    private var inUse = 0
    private var waiting: [CheckedContinuation<Void, Never>] = []

    package static func configuration(database: String, options: String? = nil) throws -> DatabaseConfiguration {
        var keywords = ["dsn": try address(), "dbname": database]
        keywords["options"] = options
        return .postgres(keywords: keywords, cpMin: 0, cpMax: connectionsPerDatabase)
    }

    package static func address() throws(DatabaseFixtureError) -> String {
        if let address = environment("MARTLET_TEST_POSTGRES") { return address }
        throw DatabaseFixtureError(
            description: "MARTLET_TEST_POSTGRES is not set: it is the address (postgresql://…) of a superuser on a PostgreSQL that"
                + " is for tests only, as Scripts/test starts one. MARTLET_TEST_SQLITE_ONLY=1 leaves PostgreSQL out.")
    }

    /// Runs a statement as the superuser, outside of any transaction.
    package func administrate(_ statement: String) async throws {
        try await administrator().command(statement)
    }

    fileprivate func makeDatabase(isEmpty: Bool) async throws -> String {
        await enter()
        do {
            let source = isEmpty ? "template0" : try await migratedTemplate()
            made += 1
            let name = "martlet_test_\(getpid())_\(made)"
            try await administrate(Self.createStatement(name, from: source))
            return name
        } catch {
            leave()
            throw error
        }
    }

    fileprivate func drop(_ name: String) async {
        // What is left over goes with the cluster.
        try? await administrate("DROP DATABASE IF EXISTS \(name) WITH (FORCE)")
        leave()
    }

    private static func createStatement(_ name: String, from source: String) -> String {
        "CREATE DATABASE \(name) ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE \(source)"
    }

    private func administrator() async throws -> PostgresPool {
        if let administration { return try await administration.value }
        let task = Task {
            // Copying databases takes its time on a busy machine: nobody is turned away.
            var limits = PoolState.Limits(minimum: 0, maximum: 3)
            limits.patience = .seconds(600)
            return try await PostgresPool(
                keywords: PostgresKeywords(["dsn": Self.address()]), limits: limits, allowUnsafeLocale: true, logger: Self.logger)
        }
        administration = task
        return try await task.value
    }

    /// A database with this version's schema, of which the tests' are copies: faster than migrating each.
    private func migratedTemplate() async throws -> String {
        if let template { return try await template.value }
        let task = Task {
            let name = "martlet_test_\(getpid())_template"
            try await administrate("DROP DATABASE IF EXISTS \(name) WITH (FORCE)")
            try await administrate(Self.createStatement(name, from: "template0"))
            let database = try await Databases.open(Self.configuration(database: name), logger: Self.logger)
            await database.close()
            return name
        }
        template = task
        return try await task.value
    }

    private func enter() async {
        if inUse < Self.databasesAtOnce {
            inUse += 1
            return
        }
        await withCheckedContinuation { waiting.append($0) }
    }

    private func leave() {
        if waiting.isEmpty { inUse -= 1 } else { waiting.removeFirst().resume() }
    }
}
