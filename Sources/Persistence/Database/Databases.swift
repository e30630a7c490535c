// Opens the database that the configuration names.

import Logging
import ServerConfiguration

package enum Databases {
    /// Opens the database, checks that it can be trusted with our data, and brings its schema up to date.
    ///
    /// - Throws: `DatabaseError`: `.refused` with what to do about it, or `.unavailable`.
    package static func open(
        _ configuration: DatabaseConfiguration, migrations: [Migration] = Migrations.all, logger: Logger
    ) async throws -> any Database {
        let database: any Database
        switch configuration {
        case .sqlite(let path):
            database = try await SQLiteDatabase(path: path)
        case .postgres(let keywords, let cpMin, let cpMax, let allowUnsafeLocale):
            database = try await PostgresPool(
                keywords: keywords, cpMin: cpMin, cpMax: cpMax, allowUnsafeLocale: allowUnsafeLocale, logger: logger)
        }
        do {
            try await MigrationRunner(migrations: migrations, logger: logger).run(on: database)
        } catch {
            await database.close()
            throw error
        }
        return database
    }
}
