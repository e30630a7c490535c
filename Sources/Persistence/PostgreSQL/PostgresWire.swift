// libpq in pipeline mode: statements out, answers in.

import CLibpq
import Glibc

/// Sends statements without waiting and then collects all their answers in one go. Knows nothing of transactions but how a
/// lost connection is to be reported.
final class PostgresWire {
    /// How a batch ends.
    enum Ending {
        /// The server sends what it has; the transaction goes on.
        case flush
        /// Ends what runs outside of an explicit transaction.
        case sync
        /// The same where the batch commits a transaction: a connection lost now leaves the outcome unknown.
        case commit(isExplicit: Bool)
    }

    private final class PreparedStatement {
        let text: String
        let name: String
        let types: [Oid]

        init(text: String, name: String, types: [Oid]) {
            self.text = text
            self.name = name
            self.types = types
        }

        /// A NULL fits any type, but a type that the server guessed for a NULL need not fit a value.
        func accepts(_ parameters: [Oid]) -> Bool {
            guard parameters.count == types.count else { return false }
            for index in parameters.indices where parameters[index] != 0 && parameters[index] != types[index] { return false }
            return true
        }
    }

    private enum Expectation {
        case preparation(PreparedStatement)
        case command(String)
    }

    private let connection: OpaquePointer
    private let answerLimit: Duration?
    private var statements = StatementCache<PreparedStatement>(capacity: 256)
    private var statementCount = 0
    private var parameters = PostgresParameters()
    /// What was sent and has not been answered, oldest first.
    private var expectations: [Expectation] = []
    private var isClosed = false
    private(set) var isBroken = false

    /// Takes over a connection that is open and in pipeline mode.
    /// - Parameter answerLimit: how long a silent server is waited for: longer than its own `statement_timeout`.
    init(connection: OpaquePointer, answerLimit: Duration?) {
        self.connection = connection
        self.answerLimit = answerLimit
    }

    deinit { close() }

    func close() {
        isBroken = true
        if !isClosed { PQfinish(connection) }
        isClosed = true
    }

    /// Gives the connection up.
    func fail() { isBroken = true }

    // MARK: Sending

    func send(_ sql: SQL, _ values: [SQLValue]) throws(DatabaseError) {
        guard !isBroken else { throw DatabaseError(.unavailable, "the connection is lost", sql: sql.text) }
        try parameters.encode(values)
        let isSent: Bool
        if sql.isPrepared {
            let statement = try prepared(sql)
            isSent =
                parameters.withPointers { count, values, lengths, formats in
                    PQsendQueryPrepared(connection, statement.name, count, values, lengths, formats, 1)
                } == 1
        } else {
            isSent = try sendUnprepared(SQLText.render(sql, for: .postgres))
        }
        guard isSent else { throw lost(.unavailable, sql: sql.text) }
        expectations.append(.command(sql.text))
    }

    private func sendUnprepared(_ text: String) -> Bool {
        let types = parameters.types
        return parameters.withPointers { count, values, lengths, formats in
            PQsendQueryParams(connection, text, count, types, values, lengths, formats, 1)
        } == 1
    }

    private func prepared(_ sql: SQL) throws(DatabaseError) -> PreparedStatement {
        var types = parameters.types
        let known = statements[sql.text]
        if let known {
            if known.accepts(types) { return known }
            for index in types.indices where types[index] == 0 && index < known.types.count { types[index] = known.types[index] }
        }
        statementCount += 1
        let statement = PreparedStatement(text: sql.text, name: "s\(statementCount)", types: types)
        let text = try SQLText.render(sql, for: .postgres)
        guard PQsendPrepare(connection, statement.name, text, Int32(types.count), types) == 1 else {
            throw lost(.unavailable, sql: sql.text)
        }
        expectations.append(.preparation(statement))
        if let replaced = statements.insert(statement, for: sql.text) {
            // libpq 15 has no message for this; as a statement it takes its turn in the pipeline like any other.
            guard PQsendQueryParams(connection, "DEALLOCATE \(replaced.name)", 0, nil, nil, nil, nil, 1) == 1 else {
                throw lost(.unavailable, sql: sql.text)
            }
            expectations.append(.command("DEALLOCATE"))
        }
        return statement
    }

    // MARK: Receiving

    /// Ends the batch and waits for all its answers.
    /// - Returns: the answer of the last statement, where it is wanted; the caller clears it.
    /// - Throws: the first failure. Everything that was sent is answered then, or the connection is broken.
    @discardableResult
    func roundTrip(_ ending: Ending, wantsResult: Bool = false) throws(DatabaseError) -> OpaquePointer? {
        defer { expectations.removeAll(keepingCapacity: true) }
        var collected = Collected()
        do {
            try push(ending)
            try collect(&collected, ending, wantsResult: wantsResult)
        } catch {
            collected.discard()
            forgetUnanswered(from: collected.count)
            // A statement that the server refused before the connection broke has kept the commit from happening.
            throw collected.failure ?? error
        }
        if let failure = collected.failure {
            collected.discard()
            throw failure
        }
        return collected.result
    }

    /// Waits for what was sent by a batch that was given up, and forgets the answers.
    func settle() {
        guard !expectations.isEmpty, !isBroken else { return }
        _ = try? roundTrip(.sync)  // its failures say nothing new
    }

    private struct Collected {
        var count = 0
        var result: OpaquePointer?
        var failure: DatabaseError?

        mutating func discard() {
            PQclear(result)
            result = nil
        }
    }

    private func push(_ ending: Ending) throws(DatabaseError) {
        switch ending {
        case .flush:
            guard PQsendFlushRequest(connection) == 1, PQflush(connection) == 0 else { throw lost(.unavailable) }
        case .sync:
            guard PQpipelineSync(connection) == 1 else { throw lost(.unavailable) }
        case .commit:
            guard PQpipelineSync(connection) == 1 else { throw lost(.unknownOutcome) }
        }
    }

    private func collect(_ collected: inout Collected, _ ending: Ending, wantsResult: Bool) throws(DatabaseError) {
        let lossOfCommand: DatabaseError.Kind
        var isSynced = true
        switch ending {
        case .flush: (lossOfCommand, isSynced) = (.unavailable, false)
        case .sync: lossOfCommand = .unavailable
        case .commit: lossOfCommand = .unknownOutcome
        }
        while collected.count < expectations.count {
            let answer = try next(lossOfCommand)
            let isLast = collected.count == expectations.count - 1
            var isKept = false
            defer { if !isKept { PQclear(answer) } }
            let isResult = try accept(answer, expectations[collected.count], &collected, ending, isLast: isLast)
            if isResult && wantsResult && isLast {
                collected.result = answer
                isKept = true
            }
            collected.count += 1
        }
        if collected.failure != nil && !isSynced {
            // The server skips everything up to the next Sync.
            guard PQpipelineSync(connection) == 1 else { throw lost(.unavailable) }
            isSynced = true
        }
        guard isSynced else { return }
        while true {
            let answer = try next(lossOfCommand)
            defer { PQclear(answer) }
            if PQresultStatus(answer) == PGRES_PIPELINE_SYNC { return }
            // A failure of the commit itself.
            try note(answer, sql: nil, loss: lossOfCommand, fatal: lossOfCommand, &collected)
        }
    }

    /// Takes the answer to one expectation.
    /// - Returns: whether it is a result.
    private func accept(
        _ answer: OpaquePointer, _ expectation: Expectation, _ collected: inout Collected, _ ending: Ending, isLast: Bool
    ) throws(DatabaseError) -> Bool {
        switch PQresultStatus(answer) {
        case PGRES_TUPLES_OK:
            return true
        case PGRES_COMMAND_OK:
            if case .commit(isExplicit: true) = ending, isLast, let tag = PQcmdStatus(answer), String(cString: tag) == "ROLLBACK" {
                collected.failure = collected.failure ?? DatabaseError(.other, "the server rolled the transaction back")
            }
            return true
        case PGRES_PIPELINE_ABORTED:
            forget(expectation)
            return false
        default:
            defer { forget(expectation) }
            // Only the answer to the commit itself leaves open whether it happened.
            var loss = DatabaseError.Kind.unavailable
            var fatal = DatabaseError.Kind.unavailable
            if case .commit(let isExplicit) = ending {
                loss = .unknownOutcome
                if isExplicit && isLast { fatal = .unknownOutcome }
            }
            switch expectation {
            case .preparation(let statement): try note(answer, sql: statement.text, loss: loss, fatal: fatal, &collected)
            case .command(let sql): try note(answer, sql: sql, loss: loss, fatal: fatal, &collected)
            }
            return false
        }
    }

    /// Notes a failure.
    /// - Parameters:
    ///   - loss: what it means when libpq itself reports that the connection is gone.
    ///   - fatal: what it means when the server ends the session with this answer.
    private func note(
        _ answer: OpaquePointer, sql: String?, loss: DatabaseError.Kind, fatal: DatabaseError.Kind, _ collected: inout Collected
    ) throws(DatabaseError) {
        var error = DatabaseError(postgres: answer, sql: sql)
        if DatabaseError.isFatal(answer) {
            isBroken = true
            error = DatabaseError(fatal, error.message, code: error.code, sql: sql)
        } else if PQstatus(connection) == CONNECTION_BAD {
            isBroken = true
            error = DatabaseError(error.code.isEmpty ? loss : error.kind, error.message, code: error.code, sql: sql)
        } else if error.code == "0A000" || error.code == "26000", let sql {
            // The plan does not fit the tables any more: prepare it again the next time.
            statements.remove(sql)
        }
        if collected.failure == nil { collected.failure = error }
        if isBroken { throw error }
    }

    private func forget(_ expectation: Expectation) {
        guard case .preparation(let statement) = expectation, statements[statement.text] === statement else { return }
        statements.remove(statement.text)
    }

    private func forgetUnanswered(from index: Int) {
        for expectation in expectations[min(index, expectations.count)...] { forget(expectation) }
    }

    /// The next answer. libpq puts a null pointer between the answers of two statements.
    private func next(_ loss: DatabaseError.Kind) throws(DatabaseError) -> OpaquePointer {
        for _ in 0..<4 {
            while PQisBusy(connection) != 0 {
                guard awaitInput() else {
                    isBroken = true
                    throw DatabaseError(loss, "the server gave no answer in time")
                }
                guard PQconsumeInput(connection) == 1 else { throw lost(loss) }
            }
            if let answer = PQgetResult(connection) { return answer }
        }
        throw lost(loss)
    }

    private func lost(_ kind: DatabaseError.Kind, sql: String? = nil) -> DatabaseError {
        isBroken = true
        return DatabaseError(kind, connection: connection, sql: sql)
    }

    // MARK: The socket

    /// Whether the other side has not closed the connection, as far as can be known without asking where nothing has come in.
    func looksAlive() -> Bool {
        if isBroken { return false }
        guard poll(milliseconds: 0) != 0 else { return true }
        // A notice, a changed parameter, or the server's farewell, whose end of file may still be under way: asking tells.
        guard PQconsumeInput(connection) == 1 else {
            isBroken = true
            return false
        }
        return answers()
    }

    /// Asks the server for a sign of life.
    func answers() -> Bool {
        do {
            try roundTrip(.sync)
        } catch {
            isBroken = true
        }
        return !isBroken
    }

    private func awaitInput() -> Bool {
        guard let answerLimit else { return poll(milliseconds: -1) != 0 }
        return poll(milliseconds: Int32(clamping: answerLimit.components.seconds * 1000)) != 0
    }

    /// 0 when nothing came in that time.
    private func poll(milliseconds: Int32) -> Int32 {
        var descriptor = pollfd(fd: PQsocket(connection), events: Int16(POLLIN), revents: 0)
        while true {
            let ready = Glibc.poll(&descriptor, 1, milliseconds)
            // A failure of the call itself comes to light when the socket is read.
            if ready >= 0 || errno != EINTR { return ready }
        }
    }
}
