// The one writer of history: gathers batches from all rooms and services, makes a group of them durable in one
// transaction, gives out the stream positions, and publishes in their order.

import DequeModule
import Logging
import MatrixCore
import Persistence
import ServiceLifecycle

/// Thrown to those who append after the Journal was stopped.
package struct JournalStopped: Error, Sendable, CustomStringConvertible {
    package var description: String { "the server is stopping" }
}

/// The Journal. Callers hand over batches and are resumed when these are durable and published.
///
/// While one group is being written, what arrives waits and makes up the next group: the busier the server, the larger
/// the groups, and the fewer commits. At most one group is being written at any time, so order of position is order of commit.
package actor Journal: Service {
    fileprivate enum Item {
        case batch(JournalBatch, CheckedContinuation<ClosedRange<StreamPosition>, any Error>)
        case transient(@Sendable (StreamPosition) -> Change, CheckedContinuation<StreamPosition, Never>)
        case gap(Int, CheckedContinuation<StreamPosition, any Error>)
    }

    package nonisolated let commits: CommitStream
    private nonisolated let log: CommitLog
    private let database: any Database
    private let sequences: Sequences
    private let logger: Logger
    private let threads: WorkingThreads

    private var queue: Deque<Item> = []
    private var isDraining = false
    private var isStopped = false
    /// The last position that was given out and published.
    private var lastPosition: Int64
    /// Resumed when the queue has been worked off.
    private var idleWaiters: [CheckedContinuation<Void, Never>] = []

    /// How many records one transaction takes at most; a single batch may be larger.
    private static let groupLimit = 1000

    /// - Parameter threads: where the Journal works.
    package init(
        database: any Database, sequences: Sequences, logger: Logger, window: CommitWindow = CommitWindow(),
        threads: WorkingThreads = WorkingThreads()
    ) {
        self.threads = threads
        self.database = database
        self.sequences = sequences
        self.logger = logger
        lastPosition = sequences.initialPosition
        let start = StreamPosition(lastPosition)
        log = CommitLog(startingAt: start, window: window)
        commits = CommitStream(log: log, database: database, logger: logger, start: start)
    }

    /// The last published position: everything up to it is durable and known to `commits`.
    package nonisolated var position: StreamPosition { log.position }

    /// Makes a batch durable.
    ///
    /// - Returns: the positions of the records, when they are durable and published. For a batch without records: the position
    ///   at which it became durable.
    /// - Throws: what `alongside` or a record threw, or `DatabaseError`; then nothing of the batch is stored.
    @discardableResult
    package func append(_ batch: JournalBatch) async throws -> ClosedRange<StreamPosition> {
        guard !isStopped else { throw JournalStopped() }
        return try await withCheckedThrowingContinuation { continuation in
            enqueue(.batch(batch, continuation))
        }
    }

    /// Publishes a change that has no rows, such as typing, in order with the durable ones. A server that is stopping tells no more.
    @discardableResult
    package func publishTransient(_ make: @escaping @Sendable (StreamPosition) -> Change) async -> StreamPosition {
        guard !isStopped else { return StreamPosition(lastPosition) }
        return await withCheckedContinuation { continuation in
            enqueue(.transient(make, continuation))
        }
    }

    /// Leaves positions out, for what will be found later to have happened before what comes next. Whoever asks is the only one to use them.
    ///
    /// - Returns: the position before the first of them.
    package func leaveGap(of width: Int) async throws -> StreamPosition {
        guard !isStopped else { throw JournalStopped() }
        return try await withCheckedThrowingContinuation { continuation in
            enqueue(.gap(width, continuation))
        }
    }

    /// Works until the server stops; then writes off the queue and notes the exact positions.
    package func run() async throws {
        try? await gracefulShutdown()
        await stop()
    }

    /// Takes no more batches, makes durable what was taken, and notes the exact positions so that the next start has no gap.
    package func stop() async {
        guard !isStopped else { return }
        isStopped = true
        if isDraining { await withCheckedContinuation { idleWaiters.append($0) } }
        let exact = sequences.exactCeilings(position: lastPosition)
        do {
            try await database.write { try Sequences.write(exact, on: $0) }
        } catch {
            logger.warning("could not note the exact stream positions", metadata: ["error": "\(error)"])
        }
    }

    // MARK: The drain loop

    private func enqueue(_ item: Item) {
        queue.append(item)
        guard !isDraining else { return }
        isDraining = true
        Task(executorPreference: threads.here(or: 0)) { await self.drain() }
    }

    private func drain() async {
        while !queue.isEmpty {
            let group = takeGroup()
            await write(group)
        }
        isDraining = false
        for waiter in idleWaiters { waiter.resume() }
        idleWaiters.removeAll()
    }

    private func takeGroup() -> [Item] {
        var group: [Item] = []
        var recordCount = 0
        while let item = queue.first {
            if case .batch(let batch, _) = item {
                recordCount += batch.records.count
                if recordCount > Journal.groupLimit, !group.isEmpty { break }
            }
            group.append(queue.removeFirst())
        }
        return group
    }

    private func write(_ group: [Item]) async {
        do {
            try await store(group)
            publish(group)
        } catch  where group.count > 1 && Journal.isWorthDividing(error) {
            for item in group { await write([item]) }
        } catch {
            fail(group, error)
        }
    }

    /// A database that cannot be reached or written to fails every batch alike.
    private static func isWorthDividing(_ error: any Error) -> Bool {
        guard let error = error as? DatabaseError else { return true }
        switch error.kind {
        case .unavailable, .unknownOutcome, .full, .readOnly, .refused: return false
        default: return true
        }
    }

    /// Makes the rows of a group and the ceilings of the numbers in it durable.
    private func store(_ group: [Item]) async throws {
        let rows = JournalGroup(group.map(\.batch), after: lastPosition)
        let ceilings = sequences.ceilingsToRaise(position: rows.lastPosition)
        guard !rows.isEmpty || !ceilings.isEmpty else { return }
        do {
            try await database.write { connection in
                try Sequences.write(ceilings, on: connection)
                try rows.write(on: connection)
            }
        } catch let error as DatabaseError where error.kind == .unknownOutcome {
            logger.error("connection lost during a commit, finding out what became of it", metadata: ["error": "\(error)"])
            try await settle(rows, ceilings)
        }
        sequences.didReserve(ceilings)
    }

    /// Finds out whether a group whose commit was not answered is stored, and stores it if not.
    ///
    /// Nothing else is written meanwhile: to go on without knowing would either leave stored events that no reader is told of, or
    /// give positions out twice. So this asks until the database answers, or the server stops.
    private func settle(_ rows: JournalGroup, _ ceilings: [Sequences.Name: Int64]) async throws {
        var pause = Duration.milliseconds(100)
        while true {
            do {
                return try await database.write { connection in
                    if try rows.areStored(on: connection) { return }
                    try Sequences.write(ceilings, on: connection)
                    try rows.write(on: connection)
                }
            } catch let error as DatabaseError where error.kind == .unavailable || error.kind == .unknownOutcome {
                guard !isStopped else { throw error }
                try? await Task.sleep(for: pause)
                pause = min(pause * 2, .seconds(2))
            }
        }
    }

    // MARK: Telling

    /// Tells the owners, then the readers, then the callers.
    private func publish(_ group: [Item]) {
        var position = lastPosition
        var changes: [Change] = []
        var resume: [() -> Void] = []
        resume.reserveCapacity(group.count)
        for item in group {
            switch item {
            case .batch(let batch, let continuation):
                let range = JournalGroup.positions(of: batch, after: position)
                for (offset, record) in batch.records.enumerated() {
                    changes.append(record.change(at: StreamPosition(position + Int64(offset) + 1)))
                }
                position += Int64(batch.records.count)
                batch.committed?(range)
                resume.append { continuation.resume(returning: range) }
            case .transient(let make, let continuation):
                position += 1
                let own = StreamPosition(position)
                changes.append(make(own))
                resume.append { continuation.resume(returning: own) }
            case .gap(let width, let continuation):
                let floor = StreamPosition(position)
                position += Int64(width)
                resume.append { continuation.resume(returning: floor) }
            }
        }
        if position > lastPosition {
            let positions = StreamPosition(lastPosition + 1)...StreamPosition(position)
            lastPosition = position
            log.publish(Commit(changes: changes, positions: positions))
        }
        for resume in resume { resume() }
    }

    /// Nothing of the group is stored. A transient change is dropped: what it told is no longer worth telling by then.
    private func fail(_ group: [Item], _ error: any Error) {
        if error is DatabaseError { logger.error("could not write", metadata: ["error": "\(error)"]) }
        for item in group {
            switch item {
            case .batch(_, let continuation): continuation.resume(throwing: error)
            case .transient(_, let continuation): continuation.resume(returning: StreamPosition(lastPosition))
            case .gap(_, let continuation): continuation.resume(throwing: error)
            }
        }
    }
}

extension Journal.Item {
    /// The batch; for a transient change an empty one.
    fileprivate var batch: JournalGroup.Entry {
        switch self {
        case .batch(let batch, _): JournalGroup.Entry(batch: batch, positionCount: batch.records.count)
        case .transient: JournalGroup.Entry(batch: nil, positionCount: 1)
        case .gap(let width, _): JournalGroup.Entry(batch: nil, positionCount: width)
        }
    }
}
