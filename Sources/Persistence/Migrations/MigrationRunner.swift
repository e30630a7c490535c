// Brings a database to the schema of this program.

import Logging

/// Runs the migrations that a database has not had, each in a transaction of its own together with its row in
/// `schema_migrations(number, name)`. Two processes that start at once take turns: each transaction begins with a lock.
package struct MigrationRunner: Sendable {
    private enum Step: Sendable {
        case applied(Migration)
        case upToDate
    }

    /// The key of PostgreSQL's advisory lock: "martlet" in ASCII.
    private static let lockKey: Int64 = 0x6D61_7274_6C65_74

    private let migrations: [Migration]
    private let logger: Logger

    package init(migrations: [Migration] = Migrations.all, logger: Logger) {
        self.migrations = migrations.sorted { $0.number < $1.number }
        self.logger = logger
    }

    /// - Throws: `DatabaseError`: `.refused` when the database was made by a newer version, or holds another program's tables;
    ///   otherwise what made a migration fail, of which nothing is stored then.
    package func run(on database: any Database) async throws {
        while case .applied(let migration) = try await database.write({ connection in try applyNext(on: connection) }) {
            logger.info("database schema: migration \(migration.number), \(migration.name)")
        }
    }

    private func applyNext(on connection: any SQLConnection) throws -> Step {
        // SQLite's write is alone by nature.
        if connection.dialect == .postgres {
            try connection.query("SELECT pg_advisory_xact_lock($1)", [.int(Self.lockKey)]) { _ in }
            try connection.execute(SQL(once: "SET LOCAL statement_timeout = 0"))
        }
        try connection.execute(
            SQL(once: "CREATE TABLE IF NOT EXISTS schema_migrations (number BIGINT NOT NULL PRIMARY KEY, name TEXT NOT NULL)"))
        let applied = Set(try connection.rows(SQL(once: "SELECT number FROM schema_migrations")) { Int($0.int(0)) })
        if applied.isEmpty { try refuseForeignTables(on: connection) }
        let newest = migrations.last?.number ?? 0
        if let beyond = applied.max(), beyond > newest {
            throw DatabaseError(
                .refused,
                "the database was made by a newer version of Martlet: its schema is at migration \(beyond), and this version knows"
                    + " up to \(newest). Run the newer version, or restore a backup from before the upgrade.")
        }
        guard let next = migrations.first(where: { !applied.contains($0.number) }) else { return .upToDate }
        for statement in next.statements(connection.dialect) { try connection.execute(SQL(once: statement.text)) }
        try next.fill?(connection)
        try connection.execute(
            SQL(once: "INSERT INTO schema_migrations (number, name) VALUES ($1, $2)"), [.int(next.number), .text(next.name)])
        return .applied(next)
    }

    /// Synapse's database looks enough like ours to make a mess of.
    private func refuseForeignTables(on connection: any SQLConnection) throws {
        let sql =
            switch connection.dialect {
            case .postgres: "SELECT 1 FROM information_schema.tables WHERE table_schema = current_schema() AND table_name = $1"
            case .sqlite: "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = $1"
            }
        if try connection.exists(SQL(once: sql), [.text("applied_schema_deltas")]) {
            throw DatabaseError(.refused, "this is Synapse's database, which Martlet does not read: give it an empty one")
        }
    }
}
