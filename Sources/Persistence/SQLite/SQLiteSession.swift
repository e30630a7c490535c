// One connection to SQLite: statements, transactions, savepoints.

import CSQLite

/// A SQLite connection, used by one thread at a time. Behaves as `PostgresSession` does where the two differ by nature: a
/// statement that failed loses the transaction, a read refuses writes, and no text holds U+0000.
final class SQLiteSession: SQLConnection {
    /// The writer changes things; readers see what was committed when a statement begins.
    enum Role: Sendable {
        case writer
        case reader
    }

    private final class Statement {
        let handle: OpaquePointer
        /// A query whose rows are being read: the same text inside of its body needs a statement of its own.
        var isInUse = false

        init(_ handle: OpaquePointer) { self.handle = handle }
        deinit { sqlite3_finalize(handle) }
    }

    private let connection: OpaquePointer
    private var statements = StatementCache<Statement>(capacity: 256)
    private var savepoints = 0
    /// What lost the transaction; later statements repeat it.
    private var failure: DatabaseError?
    private var isWriting = false
    private var isClosed = false
    private var deadline: SQLiteDeadline?

    /// How long one statement waits for another process's lock, ms.
    private static let busyTimeout: Int32 = 10_000

    /// Copies what is bound: the parameter is gone before the statement runs.
    private static let transient = unsafeBitCast(-1, to: sqlite3_destructor_type.self)

    init(path: String, role: Role) throws(DatabaseError) {
        var handle: OpaquePointer?
        let flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | (role == .writer ? SQLITE_OPEN_CREATE : 0)
        guard sqlite3_open_v2(path, &handle, flags, nil) == SQLITE_OK, let handle else {
            let error = DatabaseError(sqlite: handle)
            sqlite3_close_v2(handle)
            throw DatabaseError(error.kind, "cannot open '\(path)': \(error.message)", code: error.code)
        }
        connection = handle
        sqlite3_extended_result_codes(handle, 1)
        sqlite3_busy_timeout(handle, Self.busyTimeout)
        for pragma in Self.settings(role) { try run(pragma) }
    }

    deinit { close() }

    /// - `journal_mode=WAL`: readers and the writer do not wait for each other.
    /// - `synchronous=FULL`: a commit is on the disk when it is acknowledged, also through a power failure.
    /// - `cache_size`: KiB; the system's page cache holds the file, this only saves the calls.
    private static func settings(_ role: Role) -> [String] {
        let common = ["PRAGMA foreign_keys = ON", "PRAGMA temp_store = MEMORY", "PRAGMA trusted_schema = OFF"]
        switch role {
        case .writer:
            return [
                "PRAGMA journal_mode = WAL", "PRAGMA synchronous = FULL", "PRAGMA cache_size = -2048",
                "PRAGMA journal_size_limit = 16777216",
            ] + common
        case .reader:
            return ["PRAGMA query_only = ON", "PRAGMA cache_size = -1024"] + common
        }
    }

    func close() {
        if isClosed { return }
        isClosed = true
        statements.removeAll()
        sqlite3_close_v2(connection)
    }

    // MARK: Lending

    func write<T>(_ body: (any SQLConnection) throws -> T) throws -> T {
        failure = nil
        savepoints = 0
        try command("BEGIN IMMEDIATE")
        isWriting = true
        defer { isWriting = false }
        do {
            let result = try body(self)
            if let failure { throw failure }
            try command("COMMIT")
            return result
        } catch {
            failure = nil
            // Some failures, a full disk among them, have rolled back already.
            if sqlite3_get_autocommit(connection) == 0 { try command("ROLLBACK") }
            throw error
        }
    }

    func read<T>(_ body: (any SQLConnection) throws -> T) throws -> T { try body(self) }

    // MARK: SQLConnection

    var dialect: SQLDialect { .sqlite }

    func execute(_ sql: SQL, _ parameters: [SQLValue]) throws(DatabaseError) -> Int {
        if let failure { throw failure }
        do throws(DatabaseError) {
            let before = sqlite3_total_changes64(connection)
            let statement = try bound(sql, parameters)
            defer { finish(statement) }
            while try step(statement, sql) {}
            // Statements that are not for rows leave the count of the one before.
            return sqlite3_total_changes64(connection) == before ? 0 : Int(sqlite3_changes64(connection))
        } catch {
            throw lose(error)
        }
    }

    func query(_ sql: SQL, _ parameters: [SQLValue], _ body: (SQLRow) throws -> Void) throws {
        if let failure { throw failure }
        let statement: Statement
        do throws(DatabaseError) {
            statement = try bound(sql, parameters)
        } catch {
            throw lose(error)
        }
        defer { finish(statement) }
        let row = SQLRow(sqlite: statement.handle)
        while true {
            let hasRow: Bool
            do throws(DatabaseError) {
                hasRow = try step(statement, sql)
            } catch {
                throw lose(error)
            }
            guard hasRow else { return }
            try body(row)
        }
    }

    func enqueue(_ sql: SQL, _ parameters: [SQLValue]) throws(DatabaseError) { _ = try execute(sql, parameters) }

    func flush() throws(DatabaseError) {
        if let failure { throw failure }
    }

    func setSavepoint() throws(DatabaseError) {
        if let failure { throw failure }
        try command(SQL("SAVEPOINT s\(savepoints + 1)"))
        savepoints += 1
    }

    func releaseSavepoint() throws(DatabaseError) {
        if let failure { throw failure }
        try command(SQL("RELEASE s\(savepoints)"))
        savepoints -= 1
    }

    func rollbackToSavepoint() throws(DatabaseError) {
        // A failure that ended the whole transaction leaves no savepoint to go back to.
        if let failure, sqlite3_get_autocommit(connection) != 0 { throw failure }
        failure = nil
        try command(SQL("ROLLBACK TO s\(savepoints)"))
        try command(SQL("RELEASE s\(savepoints)"))
        savepoints -= 1
    }

    /// Counts from now, for all statements together.
    func setTimeLimit(_ limit: Duration?) throws(DatabaseError) {
        deadline = limit.map { SQLiteDeadline(ContinuousClock.now + $0) }
        guard let deadline else { return sqlite3_progress_handler(connection, 0, nil, nil) }
        sqlite3_progress_handler(
            connection, SQLiteDeadline.interval, { SQLiteDeadline.hasPassed($0) }, Unmanaged.passUnretained(deadline).toOpaque())
    }

    // MARK: Steps

    /// Remembers a failure, which in a `write` loses the transaction.
    private func lose(_ error: DatabaseError) -> DatabaseError {
        if isWriting { failure = error }
        return error
    }

    /// A statement of our own, without parameters and rows.
    private func command(_ sql: SQL) throws(DatabaseError) {
        let statement = try bound(sql, [])
        defer { finish(statement) }
        while try step(statement, sql) {}
    }

    private func run(_ text: String) throws(DatabaseError) { try command(SQL(once: text)) }

    private func step(_ statement: Statement, _ sql: SQL) throws(DatabaseError) -> Bool {
        switch sqlite3_step(statement.handle) {
        case SQLITE_ROW: return true
        case SQLITE_DONE: return false
        default: throw DatabaseError(sqlite: connection, sql: sql.text)
        }
    }

    private func finish(_ statement: Statement) {
        sqlite3_reset(statement.handle)
        sqlite3_clear_bindings(statement.handle)
        statement.isInUse = false
    }

    /// A statement that is ready to step.
    private func bound(_ sql: SQL, _ parameters: [SQLValue]) throws(DatabaseError) -> Statement {
        let statement = try prepared(sql)
        guard sqlite3_bind_parameter_count(statement.handle) == Int32(parameters.count) else {
            throw DatabaseError(
                .syntax, "\(parameters.count) parameters for \(sqlite3_bind_parameter_count(statement.handle))", sql: sql.text)
        }
        statement.isInUse = true
        for (index, value) in parameters.enumerated() {
            do throws(DatabaseError) {
                guard try bind(value, at: Int32(index + 1), statement.handle) == SQLITE_OK else {
                    throw DatabaseError(sqlite: connection, sql: sql.text)
                }
            } catch {
                finish(statement)
                throw error
            }
        }
        return statement
    }

    private func prepared(_ sql: SQL) throws(DatabaseError) -> Statement {
        if sql.isPrepared, let known = statements[sql.text], !known.isInUse { return known }
        let text = try SQLText.render(sql, for: .sqlite)
        var handle: OpaquePointer?
        let flags = sql.isPrepared ? UInt32(SQLITE_PREPARE_PERSISTENT) : 0
        guard sqlite3_prepare_v3(connection, text, -1, flags, &handle, nil) == SQLITE_OK, let handle else {
            sqlite3_finalize(handle)
            throw DatabaseError(sqlite: connection, sql: sql.text)
        }
        let statement = Statement(handle)
        if sql.isPrepared { _ = statements.insert(statement, for: sql.text) }
        return statement
    }

    private func bind(_ value: SQLValue, at index: Int32, _ statement: OpaquePointer) throws(DatabaseError) -> Int32 {
        switch value {
        case .null: return sqlite3_bind_null(statement, index)
        case .int(let int): return sqlite3_bind_int64(statement, index, int)
        case .double(let double): return sqlite3_bind_double(statement, index, double)
        case .bool(let bool): return sqlite3_bind_int64(statement, index, bool ? 1 : 0)
        case .blob(let blob):
            // An empty array may have no address, and a null pointer would bind NULL.
            if blob.isEmpty { return sqlite3_bind_zeroblob(statement, index, 0) }
            return blob.withUnsafeBytes {
                sqlite3_bind_blob64(statement, index, $0.baseAddress, UInt64($0.count), Self.transient)
            }
        case .text(let text):
            try PostgresParameters.refuseZero(in: text)
            return bind(text, at: index, statement)
        case .ints(let ints): return bind(SQLiteList.json(ints), at: index, statement)
        case .texts(let texts):
            for text in texts { try PostgresParameters.refuseZero(in: text) }
            return bind(SQLiteList.json(texts), at: index, statement)
        }
    }

    private func bind(_ text: String, at index: Int32, _ statement: OpaquePointer) -> Int32 {
        var text = text
        return text.withUTF8 { buffer in
            buffer.withMemoryRebound(to: CChar.self) { characters in
                guard let start = characters.baseAddress else {
                    return sqlite3_bind_text64(statement, index, "", 0, Self.transient, UInt8(SQLITE_UTF8))
                }
                return sqlite3_bind_text64(statement, index, start, UInt64(characters.count), Self.transient, UInt8(SQLITE_UTF8))
            }
        }
    }
}
