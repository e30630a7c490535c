// A reader of the commit stream that remembers over restarts how far it has come.

import Logging
import MatrixCore
import Persistence
import ServiceLifecycle
import Synchronization

/// Reads the commit stream for one handler, at its own pace, from the position that is saved for it. See `CommitHandler`.
///
/// Commits that wait are taken in together. A database that does not answer is asked again until it does. Commits that the handler
/// refuses are tried one by one, a few times each; one that cannot be taken in even so is noted in the log and left out, since a reader
/// that stands still serves nobody.
package final class CommitReader: Service {
    private struct State {
        var position: StreamPosition = .zero
        /// What the database knows of `position`.
        var saved: StreamPosition = .zero
        var waiters: [Int: (target: StreamPosition, continuation: CheckedContinuation<Bool, Never>)] = [:]
        var cancelled: Set<Int> = []
        var nextWaiter = 0
    }

    private let handler: any CommitHandler
    private let commits: CommitStream
    private let database: any Database
    private let logger: Logger
    private let pause: Duration
    private let state = Mutex(State())

    /// Changes that are taken in at once, about.
    private static let batchLimit = 1000
    /// How often the position is saved when there is nothing else to write.
    private static let savingInterval: Duration = .seconds(10)
    private static let attemptLimit = 3

    /// - Parameter pause: how long the reader rests after it has written, so that a busy time makes few large transactions.
    package init(
        _ handler: any CommitHandler, journal: Journal, database: any Database, logger: Logger, pause: Duration = .zero
    ) {
        self.handler = handler
        commits = journal.commits
        self.database = database
        self.logger = logger
        self.pause = pause
    }

    /// Everything up to here is taken in.
    package var position: StreamPosition { state.withLock { $0.position } }

    /// Waits until the reader has come to `target`: for requests that should see what was acknowledged before them.
    ///
    /// - Returns: false when it has not come there within `limit`.
    @discardableResult
    package func reach(_ target: StreamPosition, within limit: Duration = .seconds(1)) async -> Bool {
        if position >= target { return true }
        return await withTaskGroup(of: Bool.self) { group in
            group.addTask { await self.wait(for: target) }
            group.addTask {
                // Cancelled when the reader was quicker.
                try? await Task.sleep(for: limit)
                return false
            }
            let outcome = await group.next() ?? false
            group.cancelAll()
            return outcome
        }
    }

    // MARK: Reading

    /// Reads until the server stops.
    package func run() async throws {
        await cancelWhenGracefulShutdown { await self.follow() }
        await saveAtTheEnd()
    }

    private func follow() async {
        guard let start = await persist({ try await self.start() }) else { return }
        advance(to: start, isSaved: true)
        var savedAt = ContinuousClock.now
        var iterator = commits.from(start).makeAsyncIterator()
        while let first = await iterator.next() {
            let batch = gather(from: first)
            guard let end = batch.last?.positions.upperBound else { continue }
            guard let outcome = await process(batch, upTo: end) else { return }
            var isSaved = if case .write = outcome { true } else { false }
            if !isSaved, savedAt.duration(to: .now) > CommitReader.savingInterval {
                isSaved = await persist({ try await self.save(end) }) != nil
            }
            if isSaved { savedAt = .now }
            advance(to: end, isSaved: isSaved)
            iterator = commits.from(end).makeAsyncIterator()
            if case .write = outcome, pause > .zero { try? await Task.sleep(for: pause) }
        }
    }

    private func start() async throws -> StreamPosition {
        let name = handler.name
        // A position beyond the newest cannot be: it would be one of another database.
        if let saved = try await database.read({ try CommitReaderStore.position(of: name, on: $0) }) { return min(saved, commits.position) }
        let start = try await handler.begin(newest: commits.position)
        try await save(start)
        return start
    }

    /// A commit and those after it that wait in memory.
    private func gather(from first: Commit) -> [Commit] {
        var batch = [first]
        var count = first.changes.count
        for next in commits.recent(after: first.positions.upperBound) ?? [] {
            count += next.changes.count
            if count > CommitReader.batchLimit { break }
            batch.append(next)
        }
        return batch
    }

    /// Has a batch taken in, as a whole or commit by commit.
    ///
    /// - Returns: nil when the reader is stopped.
    private func process(_ batch: [Commit], upTo end: StreamPosition) async -> CommitOutcome? {
        for attempt in 1...CommitReader.attemptLimit {
            do {
                guard let outcome = try await attemptUntilAnswered({ try await self.carryOut(batch, upTo: end) }) else { return nil }
                return outcome
            } catch {
                logger.warning(
                    "a reader of the commit stream failed",
                    metadata: ["reader": "\(handler.name)", "error": "\(error)", "attempt": "\(attempt)"])
                guard batch.count == 1, attempt < CommitReader.attemptLimit else { break }
                do { try await Task.sleep(for: .milliseconds(100 * attempt)) } catch { return nil }
            }
        }
        guard batch.count > 1 else {
            logger.error("a commit was left out", metadata: ["reader": "\(handler.name)", "position": "\(end)"])
            return .nothing
        }
        var outcome = CommitOutcome.nothing
        for commit in batch {
            guard let own = await process([commit], upTo: commit.positions.upperBound) else { return nil }
            if case .write = own { outcome = own }
        }
        return outcome
    }

    private func carryOut(_ batch: [Commit], upTo end: StreamPosition) async throws -> CommitOutcome {
        let outcome = try await handler.take(batch)
        if case .write(let body) = outcome {
            let name = handler.name
            try await database.write { connection in
                // Repeated after its answer was lost, it may be stored already.
                if let saved = try CommitReaderStore.position(of: name, on: connection), saved >= end { return }
                try body(connection)
                try CommitReaderStore.setPosition(end, of: name, on: connection)
            }
        }
        return outcome
    }

    // MARK: Saving

    private func save(_ position: StreamPosition) async throws {
        let name = handler.name
        try await database.write { try CommitReaderStore.setPosition(position, of: name, on: $0) }
    }

    /// What was read since is read again after the next start if this fails.
    private func saveAtTheEnd() async {
        let (position, saved) = state.withLock { ($0.position, $0.saved) }
        guard position > saved else { return }
        do {
            try await save(position)
        } catch {
            logger.info("the position of a reader was not saved", metadata: ["reader": "\(handler.name)", "error": "\(error)"])
        }
    }

    /// Does what must be done before reading goes on, again and again until it is done; nil when the reader is stopped.
    private func persist<T: Sendable>(_ body: () async throws -> T) async -> T? {
        while !Task.isCancelled {
            do {
                return try await attemptUntilAnswered(body)
            } catch {
                logger.error("a reader of the commit stream cannot go on", metadata: ["reader": "\(handler.name)", "error": "\(error)"])
                try? await Task.sleep(for: .seconds(5))
            }
        }
        return nil
    }

    /// Repeats what fails only because the database does not answer; nil when the reader is stopped.
    private func attemptUntilAnswered<T: Sendable>(_ body: () async throws -> T) async throws -> T? {
        while !Task.isCancelled {
            do {
                return try await body()
            } catch let error as DatabaseError where error.kind == .unavailable || error.kind == .unknownOutcome {
                try? await Task.sleep(for: .seconds(1))
            } catch {
                // What a stopping server interrupts is done after the next start.
                if Task.isCancelled { return nil }
                throw error
            }
        }
        return nil
    }

    // MARK: Those who wait

    private func advance(to position: StreamPosition, isSaved: Bool) {
        let due = state.withLock { state in
            state.position = position
            if isSaved { state.saved = position }
            let due = state.waiters.filter { $0.value.target <= position }
            for number in due.keys { state.waiters[number] = nil }
            return due.values.map(\.continuation)
        }
        for continuation in due { continuation.resume(returning: true) }
    }

    private func wait(for target: StreamPosition) async -> Bool {
        let number = state.withLock { state in
            state.nextWaiter += 1
            return state.nextWaiter
        }
        let outcome = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let known: Bool? = state.withLock { state in
                    if state.position >= target { return true }
                    if state.cancelled.remove(number) != nil { return false }
                    state.waiters[number] = (target, continuation)
                    return nil
                }
                if let known { continuation.resume(returning: known) }
            }
        } onCancel: {
            let waiter = state.withLock { state in
                let waiter = state.waiters.removeValue(forKey: number)
                if waiter == nil { state.cancelled.insert(number) }
                return waiter
            }
            waiter?.continuation.resume(returning: false)
        }
        state.withLock { _ = $0.cancelled.remove(number) }
        return outcome
    }
}
