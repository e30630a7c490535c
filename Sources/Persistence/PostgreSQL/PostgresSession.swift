// One connection to PostgreSQL: what is sent together, what is awaited, and what a failure means.

import CLibpq

/// A libpq connection in pipeline mode, used by one thread at a time.
///
/// Statements of a `write` that want no result are queued. The first that wants one sends `BEGIN` and the queue before it,
/// all in one go. A body that only queued is sent without `BEGIN`: between two `Sync` messages PostgreSQL runs everything as
/// one transaction anyway, and commits it at the second.
final class PostgresSession: SQLConnection {
    /// What the session is lent for.
    private enum Use {
        case none
        case read
        case write
    }

    private let wire: PostgresWire
    private var use = Use.none
    private var queue: [(sql: SQL, parameters: [SQLValue])] = []
    private var hasBegun = false
    private var savepoints = 0
    /// What lost the transaction; later statements repeat it.
    private var failure: DatabaseError?

    init(_ wire: PostgresWire) {
        self.wire = wire
    }

    var dialect: SQLDialect { .postgres }

    /// The connection is of no more use.
    var isBroken: Bool { wire.isBroken }

    /// Whether the other side has not closed the connection, as far as can be known without asking where nothing has come in.
    func looksAlive() -> Bool { wire.looksAlive() }

    /// Asks the server for a sign of life.
    func answers() -> Bool { wire.answers() }

    // MARK: Lending

    func read<T>(_ body: (any SQLConnection) throws -> T) throws -> T {
        use = .read
        failure = nil
        defer { use = .none }
        return try body(self)
    }

    func write<T>(_ body: (any SQLConnection) throws -> T) throws -> T {
        use = .write
        hasBegun = false
        savepoints = 0
        failure = nil
        defer {
            use = .none
            queue.removeAll(keepingCapacity: true)
        }
        let result: T
        do {
            result = try body(self)
        } catch {
            rollback()
            throw error
        }
        if let failure {
            rollback()
            throw failure
        }
        try commit()
        return result
    }

    func close() { wire.close() }

    /// Runs one statement by itself, outside of any transaction (`CREATE DATABASE`, `VACUUM`).
    func command(_ sql: SQL) throws(DatabaseError) {
        try wire.send(sql, [])
        try wire.roundTrip(.sync)
    }

    // MARK: SQLConnection

    func execute(_ sql: SQL, _ parameters: [SQLValue]) throws(DatabaseError) -> Int {
        guard use == .write else { throw Self.refusal(sql) }
        let result = try run(sql, parameters)
        defer { PQclear(result) }
        return PQcmdTuples(result).flatMap { Int(String(cString: $0)) } ?? 0
    }

    func query(_ sql: SQL, _ parameters: [SQLValue], _ body: (SQLRow) throws -> Void) throws {
        let result = try run(sql, parameters)
        defer { PQclear(result) }
        for row in 0..<PQntuples(result) { try body(SQLRow(postgres: result, row: row)) }
    }

    func enqueue(_ sql: SQL, _ parameters: [SQLValue]) throws(DatabaseError) {
        guard use == .write else { throw Self.refusal(sql) }
        if let failure { throw failure }
        try PostgresParameters.validate(parameters)
        queue.append((sql, parameters))
    }

    func flush() throws(DatabaseError) {
        if let failure { throw failure }
        if queue.isEmpty { return }
        try guarded { () throws(DatabaseError) in
            try sendQueue()
            try wire.roundTrip(.flush)
        }
    }

    func setSavepoint() throws(DatabaseError) {
        try flush()
        try enqueue(SQL("SAVEPOINT s\(savepoints + 1)"), [])
        savepoints += 1
        try flush()
    }

    func releaseSavepoint() throws(DatabaseError) {
        try enqueue(SQL("RELEASE SAVEPOINT s\(savepoints)"), [])
        try flush()
        savepoints -= 1
    }

    func rollbackToSavepoint() throws(DatabaseError) {
        if wire.isBroken { throw failure ?? DatabaseError(.unavailable, "the connection is lost") }
        queue.removeAll(keepingCapacity: true)
        failure = nil
        try enqueue(SQL("ROLLBACK TO SAVEPOINT s\(savepoints)"), [])
        try enqueue(SQL("RELEASE SAVEPOINT s\(savepoints)"), [])
        try flush()
        savepoints -= 1
    }

    func setTimeLimit(_ limit: Duration?) throws(DatabaseError) {
        let value = limit.map { String(max(1, $0 / .milliseconds(1))) } ?? "DEFAULT"
        PQclear(try run(SQL(once: "SET statement_timeout = \(value)"), []))
    }

    // MARK: Steps

    private static func refusal(_ sql: SQL) -> DatabaseError {
        DatabaseError(.readOnly, "a statement that changes something was run in a read", sql: sql.text)
    }

    private func run(_ sql: SQL, _ parameters: [SQLValue]) throws(DatabaseError) -> OpaquePointer {
        if let failure { throw failure }
        var result: OpaquePointer?
        try guarded { () throws(DatabaseError) in
            if use == .write { try sendQueue() }
            try wire.send(sql, parameters)
            result = try wire.roundTrip(use == .write ? .flush : .sync, wantsResult: true)
        }
        guard let result else { throw DatabaseError(.other, "the server gave no result", sql: sql.text) }
        return result
    }

    /// `BEGIN`, if it has not been sent, and what is queued.
    private func sendQueue() throws(DatabaseError) {
        if !hasBegun {
            try wire.send("BEGIN", [])
            hasBegun = true
        }
        try sendQueued()
    }

    private func sendQueued() throws(DatabaseError) {
        for (sql, parameters) in queue { try wire.send(sql, parameters) }
        queue.removeAll(keepingCapacity: true)
    }

    /// Remembers a failure, which in a `write` loses the transaction.
    private func guarded(_ body: () throws(DatabaseError) -> Void) throws(DatabaseError) {
        do {
            try body()
        } catch {
            wire.settle()
            if use == .write { failure = error }
            throw error
        }
    }

    private func commit() throws(DatabaseError) {
        if queue.isEmpty && !hasBegun { return }
        do {
            try sendQueued()
            if hasBegun { try wire.send("COMMIT", []) }
        } catch {
            // Part of the statements may be on their way already, and the next `Sync` would commit them.
            wire.fail()
            throw error
        }
        do {
            try wire.roundTrip(.commit(isExplicit: hasBegun))
        } catch {
            rollback()
            throw error
        }
    }

    /// Ends a transaction that failed. A connection on which that is not possible is broken.
    private func rollback() {
        queue.removeAll(keepingCapacity: true)
        guard hasBegun, !wire.isBroken else { return }
        do {
            try wire.send("ROLLBACK", [])
            try wire.roundTrip(.sync)
        } catch {
            wire.fail()
        }
    }
}
