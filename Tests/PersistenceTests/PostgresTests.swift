// What only PostgreSQL has: connections that break, locales that are unsafe, keywords.

import Logging
import Persistence
import ServerConfiguration
import TestSupport
import Testing

@Suite("PostgreSQL", .enabled(if: DatabaseKind.allCases.contains(.postgres)))
struct PostgresTests {
    private static let insert = TransactionTests.insert

    @Test("a backend that is killed between two calls is not noticed")
    func killedWhileIdle() async throws {
        try await withDatabase(.postgres, migrations: TransactionTests.table) { database in
            for id in 1...5 {
                let backend = try await Self.backend(of: database)
                try await Self.kill(backend)
                try await database.write { try $0.enqueue(Self.insert, [.int(id)]) }
                try await Self.kill(try await Self.backend(of: database))
                expectEqual(try await count(database), Int64(id))
            }
        }
    }

    @Test("a backend that is killed in a transaction fails it, stores nothing of it, and is replaced")
    func killedInTransaction() async throws {
        try await withDatabase(.postgres, migrations: TransactionTests.table) { database in
            let error = await #expect(throws: DatabaseError.self) {
                try await database.write { connection in
                    try connection.execute(Self.insert, [.int(1)])
                    try connection.query("SELECT pg_terminate_backend(pg_backend_pid())") { _ in }
                    try connection.execute(Self.insert, [.int(2)])
                }
            }
            #expect(error?.kind == .unavailable)
            expectEqual(try await count(database), 0)
            try await database.write { try $0.enqueue(Self.insert, [.int(3)]) }
            expectEqual(try await count(database), 1)
        }
    }

    @Test("a backend that is killed by a pipelined statement before the commit stores nothing")
    func killedInPipeline() async throws {
        try await withDatabase(.postgres, migrations: TransactionTests.table) { database in
            let error = await #expect(throws: DatabaseError.self) {
                try await database.write { connection in
                    try connection.enqueue(Self.insert, [.int(1)])
                    try connection.enqueue("SELECT pg_terminate_backend(pg_backend_pid())")
                    try connection.enqueue(Self.insert, [.int(2)])
                }
            }
            #expect(error?.kind == .unavailable)
            expectEqual(try await count(database), 0)
        }
    }

    @Test("a backend that dies in the commit leaves the outcome unknown", arguments: [true, false])
    func killedInCommit(isExplicit: Bool) async throws {
        try await withDatabase(.postgres, migrations: TransactionTests.table) { database in
            try await database.write { connection in
                try connection.execute(
                    SQL(
                        once: """
                            CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql AS
                            $$ BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END $$
                            """))
                try connection.execute(
                    SQL(
                        once: """
                            CREATE CONSTRAINT TRIGGER die_at_commit AFTER INSERT ON samples DEFERRABLE INITIALLY DEFERRED
                            FOR EACH ROW EXECUTE FUNCTION die()
                            """))
            }
            let error = await #expect(throws: DatabaseError.self) {
                try await database.write { connection in
                    try connection.enqueue(Self.insert, [.int(1)])
                    if isExplicit { try connection.flush() }
                }
            }
            #expect(error?.kind == .unknownOutcome)
        }
    }

    @Test("a read whose connection breaks is run again on another")
    func brokenRead() async throws {
        try await withDatabase(.postgres, migrations: TransactionTests.table) { database in
            try await database.write { connection in
                try connection.execute(SQL(once: "CREATE SEQUENCE runs"))
            }
            let run = try await database.read { connection in
                let run = try connection.first("SELECT nextval('runs')") { $0.int(0) }
                if run == 1 { try connection.query("SELECT pg_terminate_backend(pg_backend_pid())") { _ in } }
                return run
            }
            #expect(run == 2)
        }
    }

    @Test("all connections killed under load: calls fail clearly or succeed, and what succeeded is stored once")
    func killedUnderLoad() async throws {
        try await withDatabase(.postgres, migrations: TransactionTests.table) { database in
            let stored = try await withThrowingTaskGroup(of: Set<Int64>.self) { group in
                for writer in 0..<8 {
                    group.addTask {
                        var acknowledged: Set<Int64> = []
                        for index in 0..<100 {
                            let id = Int64(writer * 1000 + index + 1)
                            do {
                                try await database.write { connection in
                                    try connection.enqueue(Self.insert, [.int(id)])
                                    if index % 3 == 0 { try connection.flush() }
                                }
                                acknowledged.insert(id)
                            } catch let error as DatabaseError {
                                #expect(error.kind == .unavailable || error.kind == .unknownOutcome, "\(error)")
                            }
                        }
                        return acknowledged
                    }
                }
                group.addTask {
                    for _ in 0..<10 {
                        try await Task.sleep(for: .milliseconds(20))
                        try await Self.killAll(of: database)
                    }
                    return []
                }
                return try await group.reduce(into: Set<Int64>()) { $0.formUnion($1) }
            }
            let rows = Set(try await database.read { try $0.rows("SELECT id FROM samples") { $0.int(0) } })
            #expect(stored.isSubset(of: rows))
            #expect(stored.count > 400)
        }
    }

    @Test("no more connections than cp_max, and who waits too long is turned away")
    func bounds() async throws {
        try await withPool(PoolState.Limits.test(maximum: 2, patience: .seconds(2))) { pool in
            try await occupying(2, of: pool) {
                await withTaskGroup(of: Void.self) { group in
                    for _ in 0..<3 {
                        group.addTask {
                            let error = await #expect(throws: DatabaseError.self) { try await pool.read { try $0.exists("SELECT 1") } }
                            #expect(error?.kind == .unavailable)
                        }
                    }
                }
                #expect(await pool.openConnections == 2)
            }
            #expect(try await pool.read { try $0.exists("SELECT 1") })
        }
    }

    @Test("a statement that takes too long is stopped, and its connection goes on")
    func statementTimeout() async throws {
        try await withPool(.test(maximum: 1), options: "-c statement_timeout=100") { pool in
            let error = await #expect(throws: DatabaseError.self) {
                try await pool.read { try $0.query("SELECT pg_sleep(5)") { _ in } }
            }
            #expect(error?.kind == .timeout)
            expectEqual(try await pool.read { try $0.first("SELECT 1") { $0.int(0) } }, 1)
        }
    }

    @Test("a caller that is cancelled stops waiting for a connection")
    func cancellation() async throws {
        try await withPool(.test(maximum: 1, patience: .seconds(30))) { pool in
            try await occupying(1, of: pool) {
                let waiter = Task { try await pool.read { try $0.exists("SELECT 1") } }
                try await Task.sleep(for: .milliseconds(50))
                waiter.cancel()
                await #expect(throws: CancellationError.self) { try await waiter.value }
            }
        }
    }

    @Test("an unsafe locale is refused with the command that mends it, and opened where the configuration insists")
    func locale() async throws {
        let name = "martlet_test_locale"
        let fixture = DatabaseFixture.shared
        try await fixture.administrate("DROP DATABASE IF EXISTS \(name)")
        try await fixture.administrate(
            "CREATE DATABASE \(name) ENCODING 'UTF8' LC_COLLATE 'C.UTF-8' LC_CTYPE 'C.UTF-8' TEMPLATE template0")
        let keywords = ["dsn": try DatabaseFixture.address(), "dbname": name]
        let error = await #expect(throws: DatabaseError.self) {
            try await Databases.open(
                .postgres(keywords: keywords, cpMin: 0, cpMax: 1, allowUnsafeLocale: false), migrations: [],
                logger: DatabaseFixture.logger)
        }
        #expect(error?.kind == .refused)
        #expect(error?.message.contains("createdb --encoding=UTF8 --locale=C --template=template0") == true)
        #expect(error?.message.contains(name) == true)
        let database = try await Databases.open(
            .postgres(keywords: keywords, cpMin: 0, cpMax: 1, allowUnsafeLocale: true), migrations: [], logger: DatabaseFixture.logger)
        await database.close()
        try await fixture.administrate("DROP DATABASE \(name)")
    }

    @Test("an encoding that is not UTF8 is refused always")
    func encoding() async throws {
        let name = "martlet_test_encoding"
        let fixture = DatabaseFixture.shared
        try await fixture.administrate("DROP DATABASE IF EXISTS \(name)")
        try await fixture.administrate(
            "CREATE DATABASE \(name) ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0")
        let keywords = ["dsn": try DatabaseFixture.address(), "dbname": name]
        let error = await #expect(throws: DatabaseError.self) {
            try await Databases.open(
                .postgres(keywords: keywords, cpMin: 0, cpMax: 1, allowUnsafeLocale: true), migrations: [],
                logger: DatabaseFixture.logger)
        }
        #expect(error?.kind == .refused)
        #expect(error?.message.contains("SQL_ASCII") == true)
        try await fixture.administrate("DROP DATABASE \(name)")
    }

    @Test("a server that does not answer is reported as unavailable")
    func unreachable() async {
        let error = await #expect(throws: DatabaseError.self) {
            try await Databases.open(
                .postgres(keywords: ["host": "127.0.0.1", "port": "1", "user": "u", "database": "d"], cpMin: 0, cpMax: 1),
                migrations: [], logger: DatabaseFixture.logger)
        }
        #expect(error?.kind == .unavailable)
    }

    @Test("psycopg2's keywords become libpq's")
    func keywords() throws {
        let plain = try PostgresKeywords(["user": "synapse", "password": "p", "database": "matrix", "host": "db", "cp_min": "5"])
        #expect(plain.values["dbname"] == "matrix")
        #expect(plain.values["database"] == nil)
        #expect(plain.values["cp_min"] == nil)
        #expect(plain.values["client_encoding"] == "UTF8")
        let address = try PostgresKeywords(["dbname": "postgresql://anna:secret@db:5433/matrix?sslmode=require", "keepalives_idle": "7"])
        #expect(address.values["dbname"] == "matrix")
        #expect(address.values["user"] == "anna")
        #expect(address.values["port"] == "5433")
        #expect(address.values["sslmode"] == "require")
        #expect(address.values["keepalives_idle"] == "7")
        let options = try PostgresKeywords(["options": "-c work_mem=8MB"])
        #expect(options.values["options"]?.hasSuffix(" -c work_mem=8MB") == true)
    }

    @Test("a keyword that libpq does not know is named", arguments: ["hosst", "isolation_level"])
    func unknownKeyword(keyword: String) {
        let error = #expect(throws: DatabaseError.self) { try PostgresKeywords([keyword: "x"]) }
        #expect(error?.kind == .refused)
        #expect(error?.message.contains("'\(keyword)'") == true)
    }

    @Test("a broken address is refused, and its password is not repeated")
    func brokenAddress() {
        let error = #expect(throws: DatabaseError.self) { try PostgresKeywords(["dsn": "postgresql://a:geheim@[db/x"]) }
        #expect(error?.kind == .refused)
        #expect(error?.description.contains("geheim") == false)
    }

    // MARK: Steps

    private func withPool(
        _ limits: PoolState.Limits, options: String? = nil, _ body: (PostgresPool) async throws -> Void
    ) async throws {
        try await withDatabaseConfiguration(.postgres, isEmpty: true) { configuration in
            guard case .postgres(var keywords, _, _, _) = configuration else { return }
            keywords["options"] = options
            let pool = try await PostgresPool(
                keywords: PostgresKeywords(keywords), limits: limits, allowUnsafeLocale: false, logger: DatabaseFixture.logger)
            try await body(pool)
            await pool.close()
        }
    }

    /// Does something while this many connections of a pool are busy.
    private func occupying(_ count: Int, of pool: PostgresPool, _ body: () async throws -> Void) async throws {
        let statement = "SELECT pg_sleep(60) /* \(UInt64.random(in: .min ... .max)) */"
        let busy = "FROM pg_stat_activity WHERE query = '\(statement)' AND state = 'active'"
        let holders = (0..<count).map { _ in Task { try await pool.read { try $0.query(SQL(statement)) { _ in } } } }
        try await DatabaseFixture.shared.administrate(
            """
            DO $$ BEGIN
                FOR turn IN 1..3000 LOOP
                    PERFORM pg_stat_clear_snapshot();
                    EXIT WHEN (SELECT count(*) \(busy)) = \(count);
                    PERFORM pg_sleep(0.01);
                END LOOP;
            END $$
            """)
        try await body()
        try await DatabaseFixture.shared.administrate("SELECT pg_cancel_backend(pid) \(busy)")
        for holder in holders { await #expect(throws: DatabaseError.self) { try await holder.value } }
    }

    private static func backend(of database: any Database) async throws -> Int64 {
        try await database.read { try $0.first("SELECT pg_backend_pid()") { $0.int(0) } } ?? 0
    }

    /// Kills a backend, and waits until it is gone.
    private static func kill(_ backend: Int64) async throws {
        try await DatabaseFixture.shared.administrate(
            """
            DO $$ BEGIN
                PERFORM pg_terminate_backend(\(backend));
                FOR turn IN 1..500 LOOP
                    PERFORM pg_stat_clear_snapshot();
                    EXIT WHEN NOT EXISTS (SELECT 1 FROM pg_stat_activity WHERE pid = \(backend));
                    PERFORM pg_sleep(0.01);
                END LOOP;
            END $$
            """)
    }

    private static func killAll(of database: any Database) async throws {
        let name = try await database.read { try $0.first("SELECT current_database()") { $0.text(0) } } ?? ""
        try await DatabaseFixture.shared.administrate(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '\(name)'")
    }
}

extension PoolState.Limits {
    fileprivate static func test(maximum: Int, patience: Duration = .seconds(5)) -> PoolState.Limits {
        var limits = PoolState.Limits(minimum: 0, maximum: maximum)
        limits.patience = patience
        return limits
    }
}
