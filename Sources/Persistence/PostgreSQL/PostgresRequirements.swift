// What a PostgreSQL database must be like before anything is stored in it.

import CLibpq

/// The checks of a fresh connection, before it enters pipeline mode.
enum PostgresRequirements {
    /// PostgreSQL 13: the oldest we test with.
    static let oldestVersion: Int32 = 130_000

    /// Facts about the database, as the server gives them.
    struct Facts: Sendable {
        var version: Int32
        var encoding: String
        var collation: String
        var characterType: String
        /// `libc`, `icu` or `builtin`; before PostgreSQL 15 always libc.
        var usesICU: Bool
        var database: String
        var user: String
        /// 0: none.
        var statementTimeoutMilliseconds: Int64
    }

    /// - Throws: `.refused`, saying what to do.
    static func check(_ facts: Facts, allowUnsafeLocale: Bool) throws(DatabaseError) {
        guard facts.version >= oldestVersion else {
            throw DatabaseError(.refused, "PostgreSQL 13 or newer is needed; the server is version \(facts.version / 10_000)")
        }
        guard facts.encoding == "UTF8" else {
            throw DatabaseError(
                .refused, "the database '\(facts.database)' has the encoding \(facts.encoding), and UTF8 is needed. \(remedy(facts))")
        }
        let hasSafeLocale = facts.collation == "C" && facts.characterType == "C" && !facts.usesICU
        guard hasSafeLocale || allowUnsafeLocale else {
            throw DatabaseError(
                .refused,
                "the database '\(facts.database)' has the collation \(facts.usesICU ? "ICU" : facts.collation) and the character type"
                    + " \(facts.characterType), and both must be C: with another one an update of the system's locales can damage"
                    + " the indexes. \(remedy(facts))"
                    + " (Or set `allow_unsafe_locale: true` in the `database` section, at your own risk.)")
        }
    }

    /// The locale of a database cannot be changed: it is made anew, with what is in it.
    private static func remedy(_ facts: Facts) -> String {
        let database = quoted(facts.database)
        let user = quoted(facts.user)
        return "To mend it, stop the server and run as the database's administrator: "
            + "pg_dump --format=custom --file=martlet.dump \(database) && dropdb \(database) && "
            + "createdb --encoding=UTF8 --locale=C --template=template0 --owner=\(user) \(database) && "
            + "pg_restore --no-owner --role=\(user) --dbname=\(database) martlet.dump"
    }

    private static func quoted(_ name: String) -> String {
        let isPlain = name.utf8.allSatisfy { byte in
            (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
                || byte == UInt8(ascii: "_")
        }
        if isPlain && !name.isEmpty { return name }
        return "'" + name.split(separator: "'", omittingEmptySubsequences: false).joined(separator: #"'\''"#) + "'"
    }

    /// Asks the server.
    static func facts(of connection: OpaquePointer) throws(DatabaseError) -> Facts {
        let version = PQserverVersion(connection)
        let provider = version >= 150_000 ? "datlocprovider = 'i'" : "false"
        let result = PQexec(
            connection,
            """
            SELECT pg_encoding_to_char(encoding), datcollate, datctype, CASE WHEN \(provider) THEN 'icu' ELSE '' END,
                   datname, current_user, (SELECT setting FROM pg_settings WHERE name = 'statement_timeout')
            FROM pg_database WHERE datname = current_database()
            """)
        guard let result else { throw DatabaseError(.unavailable, connection: connection) }
        defer { PQclear(result) }
        guard PQresultStatus(result) == PGRES_TUPLES_OK, PQntuples(result) == 1 else {
            throw DatabaseError(postgres: result, sql: "SELECT … FROM pg_database")
        }
        func text(_ column: Int32) -> String { PQgetvalue(result, 0, column).map { String(cString: $0) } ?? "" }
        return Facts(
            version: version, encoding: text(0), collation: text(1), characterType: text(2), usesICU: text(3) == "icu",
            database: text(4), user: text(5), statementTimeoutMilliseconds: Int64(text(6)) ?? 0)
    }
}
