// The database as the rest of the server sees it.

/// PostgreSQL or SQLite behind one face. The stores' functions take the connection that `read` and `write` lend, so that
/// several of them make up one transaction.
package protocol Database: Sendable {
    var dialect: SQLDialect { get }

    /// Runs `body` on a connection for reading. Every statement sees what was committed when it began; a write is refused.
    /// The body may be run a second time when its connection breaks.
    func read<T: Sendable>(_ body: @escaping @Sendable (any SQLConnection) throws -> T) async throws -> T

    /// Runs `body` as one transaction: all of it is durable when this returns, and nothing of it is stored when it throws
    /// (but see `.unknownOutcome`). The body may be run again after a collision with another transaction: no side
    /// effects in it.
    ///
    /// On PostgreSQL transactions run side by side at READ COMMITTED; SQLite runs one at a time.
    @discardableResult
    func write<T: Sendable>(_ body: @escaping @Sendable (any SQLConnection) throws -> T) async throws -> T

    /// Waits for what is running, and closes all connections. Later calls fail with `.unavailable`.
    func close() async
}
