// PostgreSQL behind the `Database` protocol: a pool of connections.

import Logging
import ServerConfiguration

/// Lends connections. What to do is `PoolState`'s decision; here it is done.
///
/// Nothing is opened before it is needed but the one connection that shows at start that the database can be used.
package actor PostgresPool: Database {
    private typealias Handover = CheckedContinuation<PostgresConnection, any Error>

    /// How often a transaction that collided is run again.
    static let retryLimit = 8

    package nonisolated let dialect = SQLDialect.postgres
    private nonisolated let logger: Logger
    private let keywords: PostgresKeywords
    private let allowUnsafeLocale: Bool
    private var state: PoolState
    private var connections: [Int: PostgresConnection] = [:]
    private var waiters: [Int: Handover] = [:]
    private var closers: [CheckedContinuation<Void, Never>] = []
    /// Connections that are being closed.
    private var departing = 0
    private var timer: (due: ContinuousClock.Instant, task: Task<Void, Never>)?

    /// Opens the first connection.
    /// - Throws: `.refused` where the database cannot be used as it is, `.unavailable` where it cannot be reached.
    package init(
        keywords arguments: [String: String], cpMin: Int, cpMax: Int, allowUnsafeLocale: Bool, logger: Logger
    ) async throws(DatabaseError) {
        try await self.init(
            keywords: PostgresKeywords(arguments), limits: PoolState.Limits(minimum: max(0, cpMin), maximum: max(1, cpMax)),
            allowUnsafeLocale: allowUnsafeLocale, logger: logger)
    }

    package init(
        keywords: PostgresKeywords, limits: PoolState.Limits, allowUnsafeLocale: Bool, logger: Logger
    ) async throws(DatabaseError) {
        self.keywords = keywords
        self.allowUnsafeLocale = allowUnsafeLocale
        self.logger = logger
        state = PoolState(limits: limits)
        let first = try PostgresConnection(keywords: keywords, allowUnsafeLocale: allowUnsafeLocale)
        try await first.open()
        connections[state.adopt(now: .now)] = first
        setTimer()
    }

    // MARK: Database

    package func read<T: Sendable>(_ body: @escaping @Sendable (any SQLConnection) throws -> T) async throws -> T {
        let time = DatabaseTime.current
        let start = time.map { _ in ContinuousClock.now }
        defer { if let time, let start { time.add(since: start) } }
        var isSecondTry = false
        while true {
            let (id, connection) = try await acquire()
            let outcome = await connection.read(body)
            release(id, isUsable: outcome.isUsable)
            if !outcome.hasRun { continue }
            if !outcome.isUsable && !isSecondTry, case .failure = outcome.result {
                isSecondTry = true
                continue
            }
            return try outcome.result.get()
        }
    }

    @discardableResult
    package func write<T: Sendable>(_ body: @escaping @Sendable (any SQLConnection) throws -> T) async throws -> T {
        let time = DatabaseTime.current
        let start = time.map { _ in ContinuousClock.now }
        defer { if let time, let start { time.add(since: start) } }
        var retries = 0
        while true {
            let (id, connection) = try await acquire()
            let outcome = await connection.write(body)
            release(id, isUsable: outcome.isUsable)
            if !outcome.hasRun { continue }
            if case .failure(let error) = outcome.result, (error as? DatabaseError)?.kind == .serialization, retries < Self.retryLimit {
                retries += 1
                // Apart by chance, so that two that collided do not collide again.
                try await Task.sleep(for: .microseconds(Int.random(in: 0...(1000 << min(retries, 6)))))
                continue
            }
            return try outcome.result.get()
        }
    }

    package func close() async {
        timer?.task.cancel()
        timer = nil
        perform(state.close())
        if state.isDrained && departing == 0 { return }
        await withCheckedContinuation { closers.append($0) }
    }

    /// Runs one statement outside of any transaction: `CREATE DATABASE`, `VACUUM`.
    package func command(_ text: String) async throws {
        while true {
            let (id, connection) = try await acquire()
            let outcome = await connection.command(SQL(once: text))
            release(id, isUsable: outcome.isUsable)
            if outcome.hasRun { return try outcome.result.get() }
        }
    }

    /// How many connections stand.
    package var openConnections: Int { state.openCount }

    // MARK: Lending

    private func acquire() async throws -> (Int, PostgresConnection) {
        switch state.acquire(now: .now) {
        case .closed:
            throw DatabaseError(.unavailable, "the database is closed")
        case .connection(let id):
            guard let connection = connections[id] else { throw DatabaseError(.unavailable, "the pool lost a connection") }
            return (id, connection)
        case .wait(let waiter, let actions):
            return try await wait(waiter, actions)
        }
    }

    private func wait(_ waiter: Int, _ actions: [PoolState.Action]) async throws -> (Int, PostgresConnection) {
        let connection = try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { (handover: Handover) in
                waiters[waiter] = handover
                perform(actions)
                setTimer()
            }
        } onCancel: {
            Task { await self.cancel(waiter) }
        }
        guard let id = connections.first(where: { $0.value === connection })?.key else {
            throw DatabaseError(.unavailable, "the pool lost a connection")
        }
        return (id, connection)
    }

    private func cancel(_ waiter: Int) {
        guard state.cancel(waiter: waiter) else { return }
        waiters.removeValue(forKey: waiter)?.resume(throwing: CancellationError())
    }

    private func release(_ id: Int, isUsable: Bool) {
        perform(state.release(id, isUsable: isUsable, now: .now))
        if !isUsable || timer == nil { setTimer() }
    }

    // MARK: Carrying out

    private func perform(_ actions: [PoolState.Action]) {
        for action in actions {
            switch action {
            case .open(let id): open(id)
            case .close(let id): dispose(id)
            case .probe(let id): probe(id)
            case .serve(let waiter, let id):
                if let connection = connections[id] { waiters.removeValue(forKey: waiter)?.resume(returning: connection) }
            case .fail(let waiter, let error):
                waiters.removeValue(forKey: waiter)?.resume(throwing: error)
            }
        }
        finishClosing()
    }

    private func finishClosing() {
        guard state.isDrained, departing == 0 else { return }
        for closer in closers { closer.resume() }
        closers = []
    }

    private func open(_ id: Int) {
        Task {
            do throws(DatabaseError) {
                let connection = try PostgresConnection(keywords: keywords, allowUnsafeLocale: allowUnsafeLocale)
                try await connection.open()
                connections[id] = connection
                perform(state.opened(id, now: .now))
            } catch {
                logger.error("cannot connect to PostgreSQL: \(error)")
                perform(state.openFailed(id, error, now: .now))
            }
            setTimer()
        }
    }

    private func probe(_ id: Int) {
        guard let connection = connections[id] else { return }
        Task {
            let isAlive = await connection.probe()
            if !isAlive { logger.warning("a PostgreSQL connection was lost while idle") }
            release(id, isUsable: isAlive)
        }
    }

    private func dispose(_ id: Int) {
        guard let connection = connections.removeValue(forKey: id) else { return }
        departing += 1
        Task {
            await connection.close()
            departing -= 1
            finishClosing()
        }
    }

    /// Sees to it that `tick` is called when something is due.
    private func setTimer() {
        guard let due = state.nextDue() else { return }
        if let timer, timer.due <= due { return }
        timer?.task.cancel()
        timer = (
            due,
            Task { [weak self] in
                do { try await Task.sleep(until: due, tolerance: .milliseconds(10)) } catch { return }
                await self?.tick()
            }
        )
    }

    private func tick() {
        timer = nil
        perform(state.tick(now: .now))
        setTimer()
    }
}
