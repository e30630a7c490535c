// A reader of the commit stream that remembers over restarts how far it has come.

import Logging
import MatrixCore
import Persistence
import ServiceLifecycle

/// Reads the commit stream for one handler, at its own pace, from the position that is saved for it. See `CommitHandler`.
///
/// Commits that concern nobody are passed over in memory. The others gather for as long as the handler has patience, until they are many,
/// or until somebody waits for them; then they are taken in together. A database that does not answer is asked again until it does.
/// Commits that the handler refuses are tried one by one, a few times each; one that cannot be taken in even so is noted in the log and
/// left out, since a reader that stands still serves nobody.
package final class CommitReader: Service {
    private let handler: any CommitHandler
    private let commits: CommitStream
    private let database: any Database
    private let logger: Logger
    /// Up to where everything is taken in.
    private let taken = PositionGate(at: .zero)
    /// Up to where somebody waits for it.
    private let wanted = PositionGate(at: .zero)
    /// Up to where the database knows of it.
    private let saved = PositionGate(at: .zero)

    /// Changes that are taken in at once, about.
    package static let batchLimit = 1000
    /// How far the saved position stays behind when there is nothing else to write: so much is read again after a crash.
    private static let savingDistance = 5000
    /// The rest between two transactions on the way through a long past, which is in no hurry.
    private static let pastPause: Duration = .milliseconds(50)
    private static let attemptLimit = 3

    package init(_ handler: any CommitHandler, journal: Journal, database: any Database, logger: Logger) {
        self.handler = handler
        commits = journal.commits
        self.database = database
        self.logger = logger
    }

    /// Everything up to here is taken in.
    package var position: StreamPosition { taken.position }

    /// Waits until the reader has come to `target`, and hurries it: for requests that should see what was acknowledged before them.
    ///
    /// - Returns: false when it has not come there within `limit`.
    @discardableResult
    package func reach(_ target: StreamPosition, within limit: Duration = .seconds(5)) async -> Bool {
        wanted.advance(to: target)
        return await taken.wait(for: target, within: limit)
    }

    // MARK: Reading

    /// Reads until the server stops.
    package func run() async throws {
        await cancelWhenGracefulShutdown { await self.follow() }
        await saveAtTheEnd()
    }

    private func follow() async {
        guard let start = await persist({ try await self.start() }) else { return }
        saved.advance(to: start)
        taken.advance(to: start)
        var iterator = commits.from(start).makeAsyncIterator()
        while let first = await iterator.next() {
            var batch = gather(from: first)
            if !batch.commits.isEmpty, handler.patience > .zero {
                if batch.isPast {
                    try? await Task.sleep(for: Self.pastPause)
                } else if batch.end == commits.position {
                    await rest(from: first.positions.lowerBound)
                    batch = gather(from: first)
                }
            }
            guard await takeIn(batch) else { return }
            iterator = commits.from(batch.end).makeAsyncIterator()
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

    /// What is taken in at once.
    private struct Batch {
        /// Those that concern the handler.
        var commits: [Commit] = []
        /// Everything up to here was looked at.
        var end: StreamPosition
        /// It was read from the database, as memory does not reach back to it.
        var isPast = false
    }

    /// A commit and those after it that wait in memory, as far as they concern the handler.
    private func gather(from first: Commit) -> Batch {
        var batch = Batch(end: first.positions.upperBound)
        var count = first.changes.count
        if first.changes.contains(where: handler.concerns) { batch.commits.append(first) }
        guard let recent = commits.recent(after: batch.end) else {
            batch.isPast = true
            return batch
        }
        for next in recent {
            count += next.changes.count
            if count > CommitReader.batchLimit { break }
            if next.changes.contains(where: handler.concerns) { batch.commits.append(next) }
            batch.end = next.positions.upperBound
        }
        return batch
    }

    /// Lets commits gather from `start` on, up to a batch, unless somebody waits for them.
    private func rest(from start: StreamPosition) async {
        let next = taken.position.next
        guard wanted.position < next else { return }
        await withTaskGroup(of: Void.self) { group in
            group.addTask { try? await Task.sleep(for: self.handler.patience) }
            group.addTask { await self.wanted.wait(for: next) }
            group.addTask { await self.commits.wait(for: start.advanced(by: CommitReader.batchLimit)) }
            await group.next()
            group.cancelAll()
        }
    }

    /// - Returns: false when the reader is stopped.
    private func takeIn(_ batch: Batch) async -> Bool {
        if !batch.commits.isEmpty {
            guard await process(batch.commits, upTo: batch.end) else { return false }
        }
        if saved.position.distance(to: batch.end) > CommitReader.savingDistance {
            guard await persist({ try await self.save(batch.end) }) != nil else { return false }
        }
        taken.advance(to: batch.end)
        return true
    }

    /// Has commits taken in, as a whole or one by one.
    ///
    /// - Returns: false when the reader is stopped.
    private func process(_ batch: [Commit], upTo end: StreamPosition) async -> Bool {
        for attempt in 1...CommitReader.attemptLimit {
            do {
                return try await attemptUntilAnswered({ try await self.carryOut(batch, upTo: end) }) != nil
            } catch {
                logger.warning(
                    "a reader of the commit stream failed",
                    metadata: ["reader": "\(handler.name)", "error": "\(error)", "attempt": "\(attempt)"])
                guard batch.count == 1, attempt < CommitReader.attemptLimit else { break }
                do { try await Task.sleep(for: .milliseconds(100 * attempt)) } catch { return false }
            }
        }
        guard batch.count > 1 else {
            logger.error("a commit was left out", metadata: ["reader": "\(handler.name)", "position": "\(end)"])
            return true
        }
        for commit in batch {
            guard await process([commit], upTo: commit.positions.upperBound) else { return false }
        }
        return true
    }

    private func carryOut(_ batch: [Commit], upTo end: StreamPosition) async throws {
        guard case .write(let body) = try await handler.take(batch) else { return }
        let name = handler.name
        try await database.write { connection in
            // Repeated after its answer was lost, it may be stored already.
            if let saved = try CommitReaderStore.position(of: name, on: connection), saved >= end { return }
            try body(connection)
            try CommitReaderStore.setPosition(end, of: name, on: connection)
        }
        saved.advance(to: end)
    }

    // MARK: Saving

    private func save(_ position: StreamPosition) async throws {
        let name = handler.name
        try await database.write { try CommitReaderStore.setPosition(position, of: name, on: $0) }
        saved.advance(to: position)
    }

    /// What was read since is read again after the next start if this fails.
    private func saveAtTheEnd() async {
        guard taken.position > saved.position else { return }
        do {
            try await save(taken.position)
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
}
