// Parameters and columns: what goes in comes out, on both databases.

import Persistence
import TestSupport
import Testing

@Suite("Values")
struct ValueTests {
    static let table = [
        Migration(
            number: 1, name: "values",
            statements: [
                """
                CREATE TABLE samples (
                    id BIGINT NOT NULL PRIMARY KEY, int_value BIGINT, double_value DOUBLE PRECISION, text_value TEXT,
                    blob_value {BLOB}, bool_value BOOLEAN)
                """
            ])
    ]

    @Test("integers of any size come back", arguments: DatabaseKind.allCases)
    func integers(kind: DatabaseKind) async throws {
        try await withDatabase(kind, migrations: Self.table) { database in
            for value in [0, 1, -1, 255, 65_536, Int64(Int32.min), Int64.max, Int64.min] {
                expectEqual(try await Self.roundTrip(database, "int_value", .int(value)) { $0.int(0) }, value)
            }
        }
    }

    @Test("floating point numbers come back bit by bit", arguments: DatabaseKind.allCases)
    func doubles(kind: DatabaseKind) async throws {
        try await withDatabase(kind, migrations: Self.table) { database in
            for value in [0, -0.5, 1.0 / 3, 1e300, .leastNonzeroMagnitude, .infinity] {
                expectEqual(try await Self.roundTrip(database, "double_value", .double(value)) { $0.double(0) }, value)
            }
        }
    }

    @Test("texts come back byte by byte", arguments: DatabaseKind.allCases)
    func texts(kind: DatabaseKind) async throws {
        try await withDatabase(kind, migrations: Self.table) { database in
            let composed = "\u{E9}", decomposed = "e\u{301}"
            for value in ["", "a", "'", "\"{}\\", composed, decomposed, "🦜 \u{1}\n", String(repeating: "långt ", count: 20_000)] {
                let read = try await Self.roundTrip(database, "text_value", .text(value)) { $0.text(0) }
                #expect(read.map { Array($0.utf8) } == Array(value.utf8))
            }
        }
    }

    @Test("bytes come back, and none is not NULL", arguments: DatabaseKind.allCases)
    func blobs(kind: DatabaseKind) async throws {
        try await withDatabase(kind, migrations: Self.table) { database in
            for value in [[], [0], [0, 255, 0], [UInt8](repeating: 7, count: 300_000)] as [[UInt8]] {
                expectEqual(try await Self.roundTrip(database, "blob_value", .blob(value)) { $0.optionalBlob(0) }, value)
            }
        }
    }

    @Test("booleans come back", arguments: DatabaseKind.allCases)
    func booleans(kind: DatabaseKind) async throws {
        try await withDatabase(kind, migrations: Self.table) { database in
            for value in [true, false] {
                expectEqual(try await Self.roundTrip(database, "bool_value", .bool(value)) { $0.bool(0) }, value)
            }
        }
    }

    @Test("NULL reads as nil, or as nothing where it was not expected", arguments: DatabaseKind.allCases)
    func nulls(kind: DatabaseKind) async throws {
        try await withDatabase(kind, migrations: Self.table) { database in
            try await database.write { try $0.execute("INSERT INTO samples (id) VALUES (1)") }
            let isEmpty = try await database.read { connection in
                try connection.first("SELECT int_value, double_value, text_value, blob_value, bool_value FROM samples") { row in
                    row.optionalInt(0) == nil && row.optionalDouble(1) == nil && row.optionalText(2) == nil
                        && row.optionalBlob(3) == nil && row.optionalBool(4) == nil && row.isNull(0)
                        && row.int(0) == 0 && row.double(1) == 0 && row.text(2) == "" && row.blob(3) == [] && !row.bool(4)
                }
            }
            #expect(isEmpty == true)
        }
    }

    @Test("a statement that was first run with NULL takes a value afterwards", arguments: DatabaseKind.allCases)
    func nullFirst(kind: DatabaseKind) async throws {
        try await withDatabase(kind, migrations: Self.table) { database in
            let sums = try await database.write { connection in
                try [nil, 5, nil, Int64.max - 7].map { (value: Int64?) in
                    try connection.first("SELECT coalesce($1, 0) + 7", [.optional(value)]) { $0.int(0) }
                }
            }
            #expect(sums == [7, 12, 7, Int64.max])
        }
    }

    @Test("parameters are taken by their number, not by their place", arguments: DatabaseKind.allCases)
    func parameterOrder(kind: DatabaseKind) async throws {
        try await withDatabase(kind, migrations: []) { database in
            let pair = try await database.read { connection in
                try connection.first("SELECT $2 || '$1' || $1 || $2", [.text("one"), .text("two")]) { $0.text(0) }
            }
            #expect(pair == "two$1onetwo")
        }
    }

    @Test("lists select what they hold, and nothing when they are empty", arguments: DatabaseKind.allCases)
    func lists(kind: DatabaseKind) async throws {
        try await withDatabase(kind, migrations: Self.table) { database in
            let names = ["a", "b\"\\\n", "ç", "d,e", "NULL"]
            try await database.write { connection in
                for (index, name) in names.enumerated() {
                    try connection.enqueue("INSERT INTO samples (id, text_value) VALUES ($1, $2)", [.int(index), .text(name)])
                }
            }
            try await database.read { connection in
                let byInts: SQL = "SELECT id FROM samples WHERE {id IN $1} ORDER BY id"
                expectEqual(try connection.rows(byInts, [.ints([3, 1, 99, -5])]) { $0.int(0) }, [1, 3])
                expectEqual(try connection.rows(byInts, [.ints([])]) { $0.int(0) }, [])
                let byTexts: SQL = "SELECT id FROM samples WHERE {text_value IN $2} AND id >= $1 ORDER BY id"
                expectEqual(try connection.rows(byTexts, [.int(0), .texts(names + ["x"])]) { $0.int(0) }, [0, 1, 2, 3, 4])
                expectEqual(try connection.rows(byTexts, [.int(0), .texts([])]) { $0.int(0) }, [])
                let notIn: SQL = "SELECT id FROM samples WHERE {text_value NOT IN $1} ORDER BY id"
                expectEqual(try connection.rows(notIn, [.texts(["a", "ç"])]) { $0.int(0) }, [1, 3, 4])
                expectEqual(try connection.rows(notIn, [.texts([])]) { $0.int(0) }.count, 5)
                let built = SQL("SELECT id FROM samples WHERE \(connection.dialect.contains("id", 1)) ORDER BY id")
                expectEqual(try connection.rows(built, [.ints([0, 4])]) { $0.int(0) }, [0, 4])
                let all: SQL = "SELECT {LIST}(id), {LIST}(text_value) FROM samples"
                expectEqual(try connection.first(all) { Set($0.ints(0)) }, [0, 1, 2, 3, 4])
                expectEqual(try connection.first(all) { Set($0.texts(1)) }, Set(names))
            }
        }
    }

    @Test("counts and sums read as integers", arguments: DatabaseKind.allCases)
    func aggregates(kind: DatabaseKind) async throws {
        try await withDatabase(kind, migrations: Self.table) { database in
            let values: [Int64] = [12_345_678_901, -3, 40_000, 0]
            try await database.write { connection in
                for (index, value) in values.enumerated() {
                    try connection.enqueue("INSERT INTO samples (id, int_value) VALUES ($1, $2)", [.int(index), .int(value)])
                }
            }
            let result = try await database.read { connection in
                try connection.first(
                    "SELECT count(*), sum(int_value), max(int_value), avg(id), {GREATEST}(1, 2), {LEAST}(1, 2) FROM samples"
                ) { row in ([row.int(0), row.int(1), row.int(2), row.int(4), row.int(5)], row.double(3)) }
            }
            #expect(result?.0 == [4, values.reduce(0, +), 12_345_678_901, 2, 1])
            #expect(result?.1 == 1.5)
        }
    }

    @Test("a text with U+0000 is refused, and the database goes on", arguments: DatabaseKind.allCases)
    func zeroInText(kind: DatabaseKind) async throws {
        try await withDatabase(kind, migrations: Self.table) { database in
            let insert: SQL = "INSERT INTO samples (id, text_value) VALUES ($1, $2)"
            let calls: [@Sendable (any SQLConnection) throws -> Void] = [
                { try $0.enqueue(insert, [.int(1), .text("a\0b")]) },
                { _ = try $0.execute(insert, [.int(1), .text("a\0b")]) },
                { try $0.query("SELECT id FROM samples WHERE {text_value IN $1}", [.texts(["\0"])]) { _ in } },
            ]
            for call in calls {
                let error = await #expect(throws: DatabaseError.self) {
                    try await database.write { connection in
                        try connection.enqueue(insert, [.int(9), .text("before")])
                        try call(connection)
                    }
                }
                #expect(error?.kind == .invalidText)
            }
            expectEqual(try await count(database), 0)
        }
    }

    private static func roundTrip<T: Sendable>(
        _ database: any Database, _ column: String, _ value: SQLValue, _ read: @escaping @Sendable (SQLRow) -> T
    ) async throws -> T? {
        try await database.write { connection in
            try connection.execute("DELETE FROM samples")
            try connection.execute(SQL("INSERT INTO samples (id, \(column)) VALUES (1, $1)"), [value])
        }
        return try await database.read { connection in try connection.first(SQL("SELECT \(column) FROM samples"), [], read) }
    }
}

/// The number of rows of `samples`.
func count(_ database: any Database) async throws -> Int64 {
    try await database.read { connection in try connection.first("SELECT count(*) FROM samples") { $0.int(0) } } ?? -1
}
