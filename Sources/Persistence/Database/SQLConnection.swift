// What a store talks to: one connection, for the length of one `read` or `write`.

/// A connection lent to the body of `Database.read` or `Database.write`. It must not leave that body.
///
/// After a statement has failed, the transaction is lost: every later statement fails too, and so does the `write`, even
/// when the body caught the error. What may fail belongs into `savepoint { }`. Both databases behave alike in this.
package protocol SQLConnection: AnyObject {
    var dialect: SQLDialect { get }

    /// Runs a statement and waits for it.
    /// - Returns: how many rows it inserted, changed or deleted.
    @discardableResult
    func execute(_ sql: SQL, _ parameters: [SQLValue]) throws(DatabaseError) -> Int

    /// Runs a statement and hands over its rows one by one. Also for `INSERT … RETURNING`.
    /// - Throws: `DatabaseError`, or what `body` throws.
    func query(_ sql: SQL, _ parameters: [SQLValue], _ body: (SQLRow) throws -> Void) throws

    /// Runs a statement of whose result nothing is wanted. On PostgreSQL it is only noted, and sent with the next
    /// statement that has a result or with the commit: a `write` that only enqueues is one round trip. Its failure then
    /// comes to light at the next `execute`, `query` or `flush`, or from `write` itself. Order is kept.
    func enqueue(_ sql: SQL, _ parameters: [SQLValue]) throws(DatabaseError)

    /// Waits until everything enqueued has run.
    func flush() throws(DatabaseError)

    /// What `within` is made of: no statement may take longer from now on; nil for what is usual.
    func setTimeLimit(_ limit: Duration?) throws(DatabaseError)

    /// What `savepoint` is made of. `rollback` takes back everything since the savepoint was set and ends it.
    func setSavepoint() throws(DatabaseError)
    func releaseSavepoint() throws(DatabaseError)
    func rollbackToSavepoint() throws(DatabaseError)
}

extension SQLConnection {
    @discardableResult
    package func execute(_ sql: SQL) throws(DatabaseError) -> Int { try execute(sql, []) }

    package func query(_ sql: SQL, _ body: (SQLRow) throws -> Void) throws { try query(sql, [], body) }

    package func enqueue(_ sql: SQL) throws(DatabaseError) { try enqueue(sql, []) }

    /// All rows, each made into a value.
    package func rows<T>(_ sql: SQL, _ parameters: [SQLValue] = [], _ make: (SQLRow) throws -> T) throws -> [T] {
        var result: [T] = []
        try query(sql, parameters) { result.append(try make($0)) }
        return result
    }

    /// The first row made into a value, or nil where there is none. Ask for at most one row where more may match (`LIMIT 1`).
    package func first<T>(_ sql: SQL, _ parameters: [SQLValue] = [], _ make: (SQLRow) throws -> T) throws -> T? {
        var result: T?
        try query(sql, parameters) { row in
            if result == nil { result = try make(row) }
        }
        return result
    }

    /// Whether the query has a row.
    package func exists(_ sql: SQL, _ parameters: [SQLValue] = []) throws -> Bool {
        try first(sql, parameters) { _ in true } ?? false
    }

    /// Runs `body` so that its failure takes back its own statements only, and the transaction goes on.
    /// Savepoints nest. Costs two round trips on PostgreSQL: not for a common path, where `ON CONFLICT` does.
    package func savepoint<T>(_ body: () throws -> T) throws -> T {
        try setSavepoint()
        do {
            let result = try body()
            try releaseSavepoint()
            return result
        } catch {
            try rollbackToSavepoint()
            throw error
        }
    }

    /// Runs `body`, which only reads, and of which no statement may take longer than `limit`: one that does fails with `.timeout`.
    package func within<T>(_ limit: Duration, _ body: () throws -> T) throws -> T {
        try setTimeLimit(limit)
        let result: T
        do {
            result = try body()
        } catch {
            // On a connection that is lost this fails too, and `error` says it.
            try? setTimeLimit(nil)
            throw error
        }
        try setTimeLimit(nil)
        return result
    }
}
