// Reads and writes: all or nothing, and alike on both databases.

import Persistence
import Synchronization
import TestSupport
import Testing

@Suite("Transactions")
struct TransactionTests {
    static let insert: SQL = "INSERT INTO samples (id) VALUES ($1)"

    static let table = [
        Migration(
            number: 1, name: "samples",
            statements: [
                """
                CREATE TABLE samples (
                    id BIGINT NOT NULL, note TEXT, CONSTRAINT samples_key PRIMARY KEY (id),
                    CONSTRAINT samples_positive CHECK (id > 0))
                """,
                "CREATE TABLE children (id BIGINT NOT NULL REFERENCES samples (id))",
            ])
    ]

    private struct Refused: Error {}

    @Test("what was enqueued and executed is there after the write, in order", arguments: DatabaseKind.allCases)
    func writes(kind: DatabaseKind) async throws {
        try await withDatabase(kind, migrations: Self.table) { database in
            let changed = try await database.write { connection in
                try connection.enqueue(Self.insert, [.int(1)])
                try connection.enqueue(Self.insert, [.int(2)])
                let seen = try connection.first("SELECT count(*) FROM samples") { $0.int(0) }
                #expect(seen == 2)
                try connection.enqueue("UPDATE samples SET note = 'first'")
                try connection.enqueue(Self.insert, [.int(3)])
                return try connection.execute("UPDATE samples SET note = 'second' WHERE note = 'first'")
            }
            #expect(changed == 2)
            let notes = try await database.read { connection in
                try connection.rows("SELECT id, note FROM samples ORDER BY id") { "\($0.int(0)) \($0.text(1))" }
            }
            #expect(notes == ["1 second", "2 second", "3 "])
        }
    }

    @Test("a write that only enqueues is stored whole", arguments: DatabaseKind.allCases)
    func onlyEnqueues(kind: DatabaseKind) async throws {
        try await withDatabase(kind, migrations: Self.table) { database in
            try await database.write { connection in
                for id in 1...500 { try connection.enqueue(Self.insert, [.int(id)]) }
            }
            expectEqual(try await count(database), 500)
            try await database.write { _ in }
            expectEqual(try await count(database), 500)
        }
    }

    @Test("a body that throws leaves nothing behind", arguments: DatabaseKind.allCases)
    func rollback(kind: DatabaseKind) async throws {
        try await withDatabase(kind, migrations: Self.table) { database in
            let bodies: [@Sendable (any SQLConnection) throws -> Void] = [
                { try $0.enqueue(Self.insert, [.int(1)]) },
                { _ = try $0.execute(Self.insert, [.int(1)]) },
                { connection in
                    try connection.execute(Self.insert, [.int(1)])
                    try connection.enqueue(Self.insert, [.int(2)])
                },
                { connection in
                    try connection.execute(Self.insert, [.int(1)])
                    try connection.query("SELECT id FROM samples") { _ in throw Refused() }
                },
            ]
            for body in bodies {
                await #expect(throws: Refused.self) {
                    try await database.write { connection in
                        try body(connection)
                        throw Refused()
                    }
                }
                expectEqual(try await count(database), 0)
            }
        }
    }

    @Test("a constraint that an enqueued statement breaks fails the write, and takes all of it back", arguments: DatabaseKind.allCases)
    func pipelinedConstraint(kind: DatabaseKind) async throws {
        try await withDatabase(kind, migrations: Self.table) { database in
            let bodies: [@Sendable (any SQLConnection) throws -> Void] = [
                { _ in },
                { try $0.flush() },
                { _ = try $0.first("SELECT 1") { $0.int(0) } },
                { try $0.execute(Self.insert, [.int(50)]) },
            ]
            for body in bodies {
                let error = await #expect(throws: DatabaseError.self) {
                    try await database.write { connection in
                        for id in [1, 2, 1, 3] { try connection.enqueue(Self.insert, [.int(id)]) }
                        try body(connection)
                    }
                }
                #expect(error?.isUniqueViolation == true)
                #expect(error?.kind == .constraint(name: kind == .postgres ? "samples_key" : "samples.id"))
                #expect(error?.sql == Self.insert.text)
                expectEqual(try await count(database), 0)
            }
        }
    }

    @Test("constraints are told apart", arguments: DatabaseKind.allCases)
    func constraints(kind: DatabaseKind) async throws {
        try await withDatabase(kind, migrations: Self.table) { database in
            let check = await #expect(throws: DatabaseError.self) {
                try await database.write { try $0.enqueue(Self.insert, [.int(-1)]) }
            }
            #expect(check?.kind == .constraint(name: "samples_positive"))
            #expect(check?.isUniqueViolation == false)
            let foreign = await #expect(throws: DatabaseError.self) {
                try await database.write { try $0.enqueue("INSERT INTO children (id) VALUES (7)") }
            }
            #expect(foreign?.isForeignKeyViolation == true)
        }
    }

    @Test("an error that the body swallows still fails the write", arguments: DatabaseKind.allCases)
    func swallowedError(kind: DatabaseKind) async throws {
        try await withDatabase(kind, migrations: Self.table) { database in
            let error = await #expect(throws: DatabaseError.self) {
                try await database.write { connection in
                    try connection.execute(Self.insert, [.int(1)])
                    _ = try? connection.execute(Self.insert, [.int(1)])
                    try? connection.enqueue(Self.insert, [.int(2)])
                }
            }
            #expect(error?.isUniqueViolation == true)
            expectEqual(try await count(database), 0)
        }
    }

    @Test("a savepoint takes back its own statements only", arguments: DatabaseKind.allCases)
    func savepoints(kind: DatabaseKind) async throws {
        try await withDatabase(kind, migrations: Self.table) { database in
            try await database.write { connection in
                try connection.enqueue(Self.insert, [.int(1)])
                let collision = failure {
                    try connection.savepoint {
                        try connection.enqueue(Self.insert, [.int(2)])
                        try connection.enqueue(Self.insert, [.int(1)])
                    }
                }
                #expect((collision as? DatabaseError)?.isUniqueViolation == true)
                try connection.savepoint {
                    try connection.execute(Self.insert, [.int(3)])
                    let refusal = failure {
                        try connection.savepoint {
                            try connection.execute(Self.insert, [.int(4)])
                            throw Refused()
                        }
                    }
                    #expect(refusal is Refused)
                    try connection.enqueue(Self.insert, [.int(5)])
                }
                try connection.enqueue(Self.insert, [.int(6)])
            }
            let ids = try await database.read { try $0.rows("SELECT id FROM samples ORDER BY id") { $0.int(0) } }
            #expect(ids == [1, 3, 5, 6])
        }
    }

    @Test("a read refuses to write, and reads on after a failure", arguments: DatabaseKind.allCases)
    func reads(kind: DatabaseKind) async throws {
        try await withDatabase(kind, migrations: Self.table) { database in
            try await database.read { connection in
                let error = #expect(throws: DatabaseError.self) { try connection.execute(Self.insert, [.int(1)]) }
                #expect(error?.kind == .readOnly)
                let syntax = #expect(throws: DatabaseError.self) { try connection.query("SELECT nothing FROM nowhere") { _ in } }
                #expect(syntax?.kind == .syntax)
                expectEqual(try connection.first("SELECT 5") { $0.int(0) }, 5)
            }
            expectEqual(try await count(database), 0)
        }
    }

    @Test("statements nest, also the same one", arguments: DatabaseKind.allCases)
    func nestedQueries(kind: DatabaseKind) async throws {
        try await withDatabase(kind, migrations: Self.table) { database in
            let seen = try await database.write { connection in
                for id in 1...3 { try connection.enqueue(Self.insert, [.int(id)]) }
                let all: SQL = "SELECT id FROM samples ORDER BY id"
                var seen: [Int64] = []
                try connection.query(all) { outer in
                    try connection.query(all) { inner in seen.append(outer.int(0) * 10 + inner.int(0)) }
                }
                return seen
            }
            #expect(seen == [11, 12, 13, 21, 22, 23, 31, 32, 33])
        }
    }

    @Test("RETURNING gives rows, and conflicts change nothing", arguments: DatabaseKind.allCases)
    func returning(kind: DatabaseKind) async throws {
        try await withDatabase(kind, migrations: Self.table) { database in
            try await database.write { connection in
                let upsert: SQL = "INSERT INTO samples (id) VALUES ($1) ON CONFLICT (id) DO NOTHING RETURNING id"
                expectEqual(try connection.first(upsert, [.int(8)]) { $0.int(0) }, 8)
                expectEqual(try connection.first(upsert, [.int(8)]) { $0.int(0) }, nil)
                expectEqual(try connection.execute("INSERT INTO samples (id) VALUES ($1) ON CONFLICT DO NOTHING", [.int(8)]), 0)
                #expect(try connection.exists("SELECT 1 FROM samples WHERE id = $1", [.int(8)]))
                #expect(try !connection.exists("SELECT 1 FROM samples WHERE id = $1 {FOR UPDATE}", [.int(9)]))
            }
        }
    }

    @Test("more different statements than are kept prepared", arguments: DatabaseKind.allCases)
    func manyStatements(kind: DatabaseKind) async throws {
        try await withDatabase(kind, migrations: Self.table) { database in
            let sum = try await database.write { connection in
                var sum: Int64 = 0
                for number in (0..<600).map({ $0 % 400 }) {
                    sum += try connection.first(SQL("SELECT $1 + \(number)"), [.int(0)]) { $0.int(0) } ?? 0
                }
                return sum
            }
            #expect(sum == 399 * 400 / 2 + 199 * 200 / 2)
        }
    }

    @Test("writers that change the same rows side by side all succeed", arguments: DatabaseKind.allCases)
    func concurrency(kind: DatabaseKind) async throws {
        try await withDatabase(kind, migrations: Self.table) { database in
            try await database.write { connection in
                try connection.enqueue("INSERT INTO samples (id, note) VALUES (1, '0'), (2, '0')")
            }
            let add: SQL = "UPDATE samples SET note = cast(cast(note AS BIGINT) + 1 AS TEXT) WHERE id = $1"
            try await withThrowingTaskGroup(of: Void.self) { group in
                for index in 0..<40 {
                    group.addTask {
                        // The two orders lock each other out on PostgreSQL: one of the two is run again.
                        try await database.write { connection in
                            if kind == .postgres { try connection.enqueue("SET LOCAL deadlock_timeout = '20ms'") }
                            try connection.execute(add, [.int(index % 2 + 1)])
                            try connection.execute(add, [.int(2 - index % 2)])
                        }
                    }
                }
                try await group.waitForAll()
            }
            let notes = try await database.read { try $0.rows("SELECT note FROM samples ORDER BY id") { $0.text(0) } }
            #expect(notes == ["40", "40"])
        }
    }

    @Test("the time in the database is added up where it is asked for", arguments: DatabaseKind.allCases)
    func databaseTime(kind: DatabaseKind) async throws {
        try await withDatabase(kind, migrations: Self.table) { database in
            let time = DatabaseTime()
            try await DatabaseTime.$current.withValue(time) {
                try await database.write { try $0.enqueue(Self.insert, [.int(1)]) }
                _ = try await database.read { try $0.first("SELECT 1") { $0.int(0) } }
            }
            #expect(time.count == 2)
            #expect(time.total > .zero)
            _ = try await database.read { try $0.first("SELECT 1") { $0.int(0) } }
            #expect(time.count == 2)
        }
    }

    @Test("a closed database refuses with unavailable", arguments: DatabaseKind.allCases)
    func closed(kind: DatabaseKind) async throws {
        try await withDatabase(kind, migrations: Self.table) { database in
            await database.close()
            let read = await #expect(throws: DatabaseError.self) { try await database.read { try $0.exists("SELECT 1") } }
            #expect(read?.kind == .unavailable)
            let write = await #expect(throws: DatabaseError.self) {
                try await database.write { try $0.enqueue(Self.insert, [.int(1)]) }
            }
            #expect(write?.kind == .unavailable)
        }
    }
}
