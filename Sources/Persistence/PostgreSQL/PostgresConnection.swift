// A PostgreSQL connection as an actor on a thread of its own.

import CLibpq

/// Owns one session. Its calls block, so it runs on its own thread; a body runs there from beginning to end.
actor PostgresConnection {
    /// What became of a call.
    struct Outcome<Value: Sendable>: Sendable {
        let result: Result<Value, any Error>
        /// The connection can be used again.
        let isUsable: Bool
        /// The connection turned out to be closed before the body ran: another one can take the call.
        let hasRun: Bool
    }

    private let executor: ThreadExecutor
    private let keywords: PostgresKeywords
    private let allowUnsafeLocale: Bool
    private var session: PostgresSession?

    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    /// Starts the thread; `open` connects.
    init(keywords: PostgresKeywords, allowUnsafeLocale: Bool) throws(DatabaseError) {
        executor = try ThreadExecutor()
        self.keywords = keywords
        self.allowUnsafeLocale = allowUnsafeLocale
    }

    deinit { executor.stop() }

    /// How much longer than `statement_timeout` a silent server is waited for before it counts as lost.
    private static let answerMargin = Duration.seconds(30)

    /// Connects and checks what the server and the database are like.
    func open() throws(DatabaseError) {
        guard let connection = keywords.connect() else { throw DatabaseError(.unavailable, "libpq is out of memory") }
        do throws(DatabaseError) {
            guard PQstatus(connection) == CONNECTION_OK else { throw DatabaseError(.unavailable, connection: connection) }
            // Notices would go to standard error.
            PQsetNoticeReceiver(connection, { _, _ in }, nil)
            let facts = try PostgresRequirements.facts(of: connection)
            try PostgresRequirements.check(facts, allowUnsafeLocale: allowUnsafeLocale)
            guard PQenterPipelineMode(connection) == 1 else { throw DatabaseError(.unavailable, connection: connection) }
            let limit = facts.statementTimeoutMilliseconds
            session = PostgresSession(
                PostgresWire(
                    connection: connection, answerLimit: limit == 0 ? nil : Duration.milliseconds(limit) + Self.answerMargin))
        } catch {
            PQfinish(connection)
            throw error
        }
    }

    func read<T: Sendable>(_ body: @Sendable (any SQLConnection) throws -> T) -> Outcome<T> {
        use { session in try session.read(body) }
    }

    func write<T: Sendable>(_ body: @Sendable (any SQLConnection) throws -> T) -> Outcome<T> {
        use { session in try session.write(body) }
    }

    /// Runs one statement outside of any transaction.
    func command(_ sql: SQL) -> Outcome<Void> {
        use { session in try session.command(sql) }
    }

    /// Whether the server still answers.
    func probe() -> Bool {
        guard let session, session.looksAlive() else { return false }
        return session.answers()
    }

    func close() {
        session?.close()
        session = nil
    }

    private func use<T: Sendable>(_ call: (PostgresSession) throws -> T) -> Outcome<T> {
        guard let session, session.looksAlive() else {
            let error = DatabaseError(.unavailable, "the server closed the connection")
            return Outcome(result: .failure(error), isUsable: false, hasRun: false)
        }
        let result = Result { try call(session) }
        return Outcome(result: result, isUsable: !session.isBroken, hasRun: true)
    }
}
