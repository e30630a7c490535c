// The pool's bookkeeping: who waits, what is free, when to open and when to give up. Pure: it is told the time.

/// Decides; `PostgresPool` carries the actions out.
package struct PoolState {
    package typealias Instant = ContinuousClock.Instant

    package struct Limits: Sendable {
        /// As many stay open once they were needed (`cp_min`).
        package var minimum: Int
        /// As many are open at most (`cp_max`).
        package var maximum: Int
        /// How long a caller waits for a connection.
        package var patience: Duration = .seconds(10)
        /// After so long without use a connection above the minimum is closed.
        package var idleLimit: Duration = .seconds(60)
        /// After so long without use a connection is asked whether it still stands.
        package var probeInterval: Duration = .seconds(30)
        /// The pause after a failed attempt to connect; doubled after each further one.
        package var firstPause: Duration = .milliseconds(50)
        package var longestPause: Duration = .seconds(5)

        package init(minimum: Int, maximum: Int) {
            self.minimum = minimum
            self.maximum = maximum
        }
    }

    package enum Action: Equatable {
        case open(connection: Int)
        case close(connection: Int)
        case probe(connection: Int)
        case serve(waiter: Int, connection: Int)
        case fail(waiter: Int, DatabaseError)
    }

    package enum Acquisition: Equatable {
        case connection(Int)
        case wait(waiter: Int, [Action])
        case closed
    }

    private struct Idle {
        let connection: Int
        let since: Instant
        var nextProbe: Instant
    }

    private struct Waiter {
        let id: Int
        let deadline: Instant
    }

    package let limits: Limits
    /// Most recently used last; that one is used next, so that what is too much ages.
    private var idle: [Idle] = []
    private var busy: Set<Int> = []
    /// Busy with a probe, and since when idle: a probe is no use.
    private var probing: [Int: Instant] = [:]
    private var opening: Set<Int> = []
    /// In order of arrival. Their deadlines are in the same order.
    private var waiters: [Waiter] = []
    private var nextID = 1
    private var failures = 0
    private var notBefore: Instant?
    private var lastFailure: DatabaseError?
    package private(set) var isClosed = false

    package init(limits: Limits) {
        self.limits = limits
    }

    package var openCount: Int { idle.count + busy.count }
    package var total: Int { openCount + opening.count }
    package var waiting: Int { waiters.count }
    package var isDrained: Bool { isClosed && total == 0 }

    // MARK: What happens

    /// Someone wants a connection.
    package mutating func acquire(now: Instant) -> Acquisition {
        if isClosed { return .closed }
        if let free = idle.popLast() {
            busy.insert(free.connection)
            return .connection(free.connection)
        }
        let waiter = makeID()
        waiters.append(Waiter(id: waiter, deadline: now + limits.patience))
        return .wait(waiter: waiter, openAsNeeded(now))
    }

    /// A waiter went away by itself.
    package mutating func cancel(waiter: Int) -> Bool {
        guard let index = waiters.firstIndex(where: { $0.id == waiter }) else { return false }
        waiters.remove(at: index)
        return true
    }

    /// A connection comes back from a caller or a probe.
    package mutating func release(_ connection: Int, isUsable: Bool, now: Instant) -> [Action] {
        guard busy.remove(connection) != nil else { return [] }
        let idleSince = probing.removeValue(forKey: connection)
        guard isUsable, !isClosed else { return [.close(connection: connection)] + openAsNeeded(now) }
        return lend(connection, idleSince: idleSince, now)
    }

    package mutating func opened(_ connection: Int, now: Instant) -> [Action] {
        guard opening.remove(connection) != nil else { return [] }
        if isClosed { return [.close(connection: connection)] }
        failures = 0
        notBefore = nil
        lastFailure = nil
        return lend(connection, idleSince: nil, now) + openAsNeeded(now)
    }

    package mutating func openFailed(_ connection: Int, _ error: DatabaseError, now: Instant) -> [Action] {
        guard opening.remove(connection) != nil else { return [] }
        lastFailure = error
        // Several that fail together are one failure.
        if let notBefore, now < notBefore { return [] }
        let pause = limits.firstPause * (1 << min(failures, 16))
        failures += 1
        notBefore = now + min(pause, limits.longestPause)
        return []
    }

    /// Does what is due. Called at `nextDue`, or whenever.
    package mutating func tick(now: Instant) -> [Action] {
        var actions: [Action] = []
        while let waiter = waiters.first, waiter.deadline <= now {
            waiters.removeFirst()
            actions.append(.fail(waiter: waiter.id, impatience()))
        }
        var index = 0
        while index < idle.count {
            if idle[index].since + limits.idleLimit <= now, total > limits.minimum {
                actions.append(.close(connection: idle.remove(at: index).connection))
            } else if idle[index].nextProbe <= now {
                let probed = idle.remove(at: index)
                busy.insert(probed.connection)
                probing[probed.connection] = probed.since
                actions.append(.probe(connection: probed.connection))
            } else {
                index += 1
            }
        }
        return actions + openAsNeeded(now)
    }

    /// When `tick` has something to do next.
    package func nextDue() -> Instant? {
        var due: Instant?
        func consider(_ instant: Instant?) {
            guard let instant else { return }
            due = due.map { min($0, instant) } ?? instant
        }
        if let waiter = waiters.first {
            consider(waiter.deadline)
            if opening.isEmpty, total < limits.maximum { consider(notBefore) }
        }
        for connection in idle {
            consider(connection.nextProbe)
            if total > limits.minimum { consider(connection.since + limits.idleLimit) }
        }
        return due
    }

    /// No more connections are lent. Those that are out are closed when they come back.
    package mutating func close() -> [Action] {
        isClosed = true
        let actions =
            idle.map { Action.close(connection: $0.connection) }
            + waiters.map { .fail(waiter: $0.id, DatabaseError(.unavailable, "the database is closed")) }
        idle = []
        waiters = []
        return actions
    }

    /// A connection that was opened by the pool's maker, before there was any caller.
    package mutating func adopt(now: Instant) -> Int {
        let connection = makeID()
        idle.append(Idle(connection: connection, since: now, nextProbe: now + limits.probeInterval))
        return connection
    }

    // MARK: Steps

    private mutating func makeID() -> Int {
        defer { nextID += 1 }
        return nextID
    }

    /// - Parameter idleSince: of a probed connection, which goes back to the end that is used last.
    private mutating func lend(_ connection: Int, idleSince: Instant?, _ now: Instant) -> [Action] {
        if waiters.isEmpty {
            let free = Idle(connection: connection, since: idleSince ?? now, nextProbe: now + limits.probeInterval)
            idle.insert(free, at: idleSince == nil ? idle.count : 0)
            return []
        }
        busy.insert(connection)
        return [.serve(waiter: waiters.removeFirst().id, connection: connection)]
    }

    /// One opening per waiter, within the maximum; one at a time, after a pause, while the server cannot be reached.
    private mutating func openAsNeeded(_ now: Instant) -> [Action] {
        if isClosed { return [] }
        if let notBefore, now < notBefore { return [] }
        let atOnce = failures > 0 ? 1 : limits.maximum
        var actions: [Action] = []
        while opening.count < min(waiters.count, atOnce), total < limits.maximum {
            let connection = makeID()
            opening.insert(connection)
            actions.append(.open(connection: connection))
        }
        return actions
    }

    private func impatience() -> DatabaseError {
        if let lastFailure {
            return DatabaseError(.unavailable, "PostgreSQL cannot be reached: \(lastFailure.message)", code: lastFailure.code)
        }
        return DatabaseError(.unavailable, "no database connection became free within \(limits.patience)")
    }
}
