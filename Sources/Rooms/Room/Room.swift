// A room: an inbox of commands, and one loop that turns them into events.

import DequeModule
import MatrixCore
import Persistence
import Synchronization

/// One room of this server.
///
/// Commands wait in a first-in, first-out inbox. One drain loop takes all that are there, builds their events one after the other
/// on a copy of the room's head, hands them to the Journal as one batch, and resumes the callers when it is durable. While a batch
/// is being written, the next one gathers: a busy room gets bigger batches, not longer queues. Only the loop moves the head, and
/// only for what is durable, so no invariant spans an `await` of anyone else.
///
/// The head changes before a reader of the commit stream hears of the commit (`JournalBatch.committed`). So whoever has read
/// position P from the stream finds it in `current`.
package actor Room {
    package nonisolated let id: RoomID
    package nonisolated let nid: RoomNID
    package nonisolated let version: RoomVersion
    package nonisolated let environment: RoomEnvironment
    private nonisolated let head: Mutex<RoomHead>

    private var inbox: Deque<RoomCommand> = []
    private var isDraining = false
    private var recent = RecentTransactions()
    private var extremitiesTiedAt: ContinuousClock.Instant?

    /// How many commands make up a batch at most.
    private static let batchLimit = 100
    /// How often the newest events are tied together at most: others do so too, by what they send next.
    private static let tyingInterval = Duration.seconds(60)

    init(head: RoomHead, environment: RoomEnvironment) {
        id = head.snapshot.roomID
        nid = head.snapshot.nid
        version = head.snapshot.version
        self.environment = environment
        self.head = Mutex(head)
    }

    // MARK: Reading

    /// The room's state now, without waiting.
    package nonisolated var current: RoomSnapshot { head.withLock { $0.snapshot } }

    /// The room's state, with every event of it up to `position` that the commit stream has told of.
    package nonisolated func snapshot(atLeast position: StreamPosition? = nil) async -> RoomSnapshot { current }

    /// The end of the room's graph, without waiting.
    nonisolated var currentHead: RoomHead { head.withLock { $0 } }

    /// The newest events of the room: those that no other one follows.
    package nonisolated var forwardExtremities: [EventID] { head.withLock { $0.forwardExtremities } }

    /// A batch is durable.
    nonisolated func replaceHead(_ head: RoomHead) { self.head.withLock { $0 = head } }

    /// About how many bytes the room holds in memory.
    nonisolated var cost: Int { head.withLock { $0.cost } }

    /// Whether it is long enough since the newest events were tied together; counts as done then.
    func mayTieExtremities(at now: ContinuousClock.Instant) -> Bool {
        if let extremitiesTiedAt, extremitiesTiedAt.duration(to: now) < Self.tyingInterval { return false }
        extremitiesTiedAt = now
        return true
    }

    // MARK: Sending

    /// Sends one event.
    ///
    /// - Returns: its id; for a state event that says what the current one says, or a transaction that was carried out before,
    ///   the id of the event that is there.
    /// - Throws: `MatrixError` when the event is refused, `DatabaseError` when it cannot be stored.
    @discardableResult
    package func send(_ draft: EventDraft, from origin: EventOrigin) async throws -> EventID {
        let ids = try await send([draft], from: origin)
        guard let id = ids.first else { throw MatrixError.unknown("The event was not sent", status: 500) }
        return id
    }

    /// Sends several events as one unit: all of them or none.
    @discardableResult
    package func send(_ drafts: [EventDraft], from origin: EventOrigin) async throws -> [EventID] {
        try await send(from: origin) { _ in drafts }
    }

    /// Sends what `make` decides on, given the state that the events will meet. It may be called more than once; no events is an
    /// answer too. What it throws fails this command alone.
    @discardableResult
    package func send(
        from origin: EventOrigin, making make: @escaping @Sendable (RoomSnapshot) throws -> [EventDraft]
    ) async throws -> [EventID] {
        try await withCheckedThrowingContinuation { continuation in
            enqueue(RoomCommand(origin: origin, make: make, continuation: continuation))
        }
    }

    /// Sends what `make` decides on, and makes it durable in one transaction with what `companion` adds: all of it or nothing.
    /// While the companion is being made, the room waits: it must not send into this room.
    @discardableResult
    func send(
        from origin: EventOrigin, making make: @escaping @Sendable (RoomSnapshot) throws -> [EventDraft],
        together companion: @escaping RoomCompanion
    ) async throws -> [EventID] {
        try await withCheckedThrowingContinuation { continuation in
            enqueue(RoomCommand(origin: origin, make: make, companion: companion, continuation: continuation))
        }
    }

    /// Builds, signs and authorizes the event that `draft` would become now, and does not send it: another server signs it too, and then
    /// it is received.
    package func propose(_ draft: EventDraft) async throws -> Event {
        var batch = RoomBatch(head: currentHead, environment: environment)
        return try await withMaterial(of: &batch) { try $0.proposal(draft) }
    }

    func enqueue(_ command: RoomCommand) {
        inbox.append(command)
        guard !isDraining else { return }
        isDraining = true
        Task(executorPreference: environment.threads.here(or: nid.value.magnitude)) { await self.drain() }
    }

    // MARK: The drain loop

    private func drain() async {
        while !inbox.isEmpty { await perform(takeCommands()) }
        isDraining = false
    }

    /// As many as make up a batch.
    private func takeCommands() -> [RoomCommand] {
        let isAlone = inbox.first?.isAlone == true
        let count = isAlone ? 1 : inbox.prefix(Room.batchLimit).prefix { !$0.isAlone }.count
        let commands = Array(inbox.prefix(count))
        inbox.removeFirst(count)
        return commands
    }

    private func perform(_ commands: [RoomCommand]) async {
        var rest = commands[...]
        while let first = rest.first {
            if case .work(let work, let continuation) = first.kind {
                continuation.resume(with: await Result.catching(work))
                rest.removeFirst()
            } else {
                rest = await performBatch(rest)
            }
        }
    }

    /// Performs commands up to the first received event that does not follow the others, and that one where it is the first.
    ///
    /// - Returns: those that are left.
    private func performBatch(_ all: ArraySlice<RoomCommand>) async -> ArraySlice<RoomCommand> {
        let before = currentHead
        // What a policy server refuses must not take others with it that were built on it.
        let isPoliced = environment.policyServer(of: before.snapshot) != nil
        let commands = isPoliced ? all.prefix(1) : all
        var batch = RoomBatch(head: before, environment: environment)
        var outcomes: [RoomOutcome] = []
        outcomes.reserveCapacity(commands.count)
        var inBatch: [EventOrigin: Int] = [:]
        await prefetch(commands, into: &batch)
        building: for command in commands {
            switch command.kind {
            case .work: break building
            case .receive(let remote, _):
                do {
                    guard try await withMaterial(of: &batch, { try $0.receive(remote) }) else { break building }
                    outcomes.append(.success([]))
                } catch {
                    outcomes.append(.failure(error))
                }
            case .send(let origin, _, _, _):
                let key = origin.idempotencyKey
                if let key, let known = recent[key] {
                    outcomes.append(.success(known))
                } else if let key, let first = inBatch[key] {
                    outcomes.append(outcomes[first])
                } else {
                    if let key { inBatch[key] = outcomes.count }
                    outcomes.append(await build(command, into: &batch))
                }
            }
        }
        guard !outcomes.isEmpty else {
            if let first = commands.first { await receiveOnBranch(first) }
            return all.dropFirst()
        }
        if isPoliced, case .send? = commands.first?.kind {
            do {
                try await batch.getRecommended(in: before.snapshot)
            } catch {
                for command in commands { command.fail(error) }
                return all.dropFirst()
            }
        }
        await makeDurable(batch, Array(commands.prefix(outcomes.count)), outcomes, before: before)
        return all.dropFirst(outcomes.count)
    }

    private func makeDurable(_ batch: RoomBatch, _ commands: [RoomCommand], _ outcomes: [RoomOutcome], before: RoomHead) async {
        if !batch.isEmpty {
            var companion: RoomBatchCompanion?
            do {
                companion = try await self.companion(of: commands, outcomes, before: before.snapshot)
                let own = batch.journalBatch { [self] in replaceHead($0) }
                try await environment.journal.append(companion.map { own.together(with: $0.batch) } ?? own)
            } catch let error as DatabaseError where error.isUniqueViolation {
                batch.forgetKeys()
                companion?.refused()
                return await performAfterConflict(commands, error)
            } catch {
                for command in commands { command.fail(error) }
                return
            }
        }
        finish(commands, outcomes)
    }

    private func companion(
        of commands: [RoomCommand], _ outcomes: [RoomOutcome], before: RoomSnapshot
    ) async throws -> RoomBatchCompanion? {
        guard case .send(_, _, let make?, _)? = commands.first?.kind, case .success(let ids)? = outcomes.first else { return nil }
        return try await make(before, ids)
    }

    private func build(_ command: RoomCommand, into batch: inout RoomBatch) async -> RoomOutcome {
        guard case .send(let origin, let make, _, _) = command.kind else { return .success([]) }
        do {
            return .success(try await withMaterial(of: &batch) { try $0.add(try make($0.head.snapshot), from: origin) })
        } catch {
            return .failure(error)
        }
    }

    /// Builds, and fetches what building says it lacks, until it lacks nothing.
    func withMaterial<T>(of batch: inout RoomBatch, _ build: (inout RoomBatch) throws -> T) async throws -> T {
        var last: MissingMaterial?
        while true {
            do {
                return try build(&batch)
            } catch let missing as MissingMaterial {
                // What was fetched and is missing still will never be there.
                guard missing != last else {
                    environment.logger.error("the database lacks what an event builds on", metadata: ["room": "\(id)"])
                    throw MatrixError.internalError
                }
                last = missing
                try await batch.material.fetch(missing, version: version, from: environment)
            }
        }
    }

    private func finish(_ commands: [RoomCommand], _ outcomes: [RoomOutcome]) {
        for (command, outcome) in zip(commands, outcomes) {
            switch command.kind {
            case .send(let origin, _, _, let continuation):
                if let key = origin.idempotencyKey, case .success(let ids) = outcome { recent.insert(ids, for: key) }
                continuation.resume(with: outcome)
            case .receive(_, let answer): answer(outcome.map { _ in .accepted })
            case .work(_, let continuation): continuation.resume(with: outcome.map { _ in })
            }
        }
    }

    /// Some command repeats a transaction that memory has forgotten: the database refused the batch, and nothing of it is stored.
    /// Answers those from the database, and performs the others again, each alone.
    private func performAfterConflict(_ commands: [RoomCommand], _ conflict: DatabaseError) async {
        for command in commands {
            guard case .send(let origin, _, _, _) = command.kind else {
                await receiveOnBranch(command)
                continue
            }
            do {
                if let stored = try await storedEvent(of: origin) {
                    finish([command], [.success([stored])])
                } else if command.isRepeated {
                    command.fail(conflict)
                } else {
                    await perform([command.repeated()])
                }
            } catch {
                command.fail(error)
            }
        }
    }

    private func storedEvent(of origin: EventOrigin) async throws -> EventID? {
        guard let transactionID = origin.transactionID else { return nil }
        let nid = nid
        return try await environment.database.read { connection in
            try EventStore.sent(
                by: origin.user, device: origin.device, transactionID: transactionID, in: nid, on: connection)
        }
    }
}

extension Result where Failure == any Error {
    fileprivate static func catching(_ body: () async throws -> Success) async -> Self {
        do { return .success(try await body()) } catch { return .failure(error) }
    }
}
