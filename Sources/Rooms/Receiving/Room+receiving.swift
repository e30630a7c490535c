// Events of other servers on their way through a room's inbox. Server-Server API §Checks performed on receipt of a PDU.

import MatrixCore
import Persistence

extension Room {
    /// Takes in an event of another server, in its turn.
    ///
    /// - Throws: `MissingFoundation`; `DatabaseError` when it cannot be stored.
    package func receive(_ remote: RemoteEvent) async throws -> Receipt {
        let remote = await judged(remote)
        return try await withCheckedThrowingContinuation { continuation in
            enqueue(RoomCommand(remote: remote) { continuation.resume(with: $0) })
        }
    }

    /// Takes in events of other servers, one after the other.
    ///
    /// - Returns: what became of each, or why nothing did: as the other `receive`.
    package func receive(_ remotes: [RemoteEvent]) async -> [Result<Receipt, any Error>] {
        guard !remotes.isEmpty else { return [] }
        var remotes = remotes
        for index in remotes.indices { remotes[index] = await judged(remotes[index]) }
        return await withCheckedContinuation { continuation in
            let receipts = ReceiptCollector(remotes.count) { continuation.resume(returning: $0) }
            for (index, remote) in remotes.enumerated() {
                enqueue(RoomCommand(remote: remote) { receipts.note($0, at: index) })
            }
        }
    }

    /// Has `work` done in its turn, with nothing else under way in the room.
    func alone(_ work: @escaping @Sendable () async throws -> Void) async throws {
        try await withCheckedThrowingContinuation { continuation in
            enqueue(RoomCommand(work: work, continuation: continuation))
        }
    }

    // MARK: In turn

    /// One question to the database for all of them.
    func prefetch(_ commands: ArraySlice<RoomCommand>, into batch: inout RoomBatch) async {
        let ids = commands.compactMap(\.remote?.event.id)
        guard !ids.isEmpty else { return }
        do {
            try await batch.material.fetch(
                MissingMaterial(standings: ids, waitingRedactions: ids), version: version, from: environment)
        } catch {
            // It is asked for again by each of them, and fails them.
            environment.logger.info("the database does not answer", metadata: ["room": "\(id)", "error": "\(error)"])
        }
    }

    /// Takes in an event that does not follow what the room ends with.
    func receiveOnBranch(_ command: RoomCommand) async {
        guard case .receive(let remote, let answer) = command.kind else { return }
        do {
            answer(.success(try await placeOnBranch(remote)))
            await tieExtremities()
        } catch {
            answer(.failure(error))
        }
    }

    func placeOnBranch(_ remote: RemoteEvent, isRepeated: Bool = false) async throws -> Receipt {
        let before = currentHead
        var placer = BranchPlacer(environment: environment, head: before)
        guard var placement = try await placer.place(remote) else { return .known }
        let gap = try await gap(before: placement)
        placement.floor = gap ?? remote.floor
        var batch = RoomBatch(head: before, environment: environment)
        try await withMaterial(of: &batch) { batch in
            // What lacks something has been added in part: it is added to a copy.
            var attempt = batch
            try attempt.add(placement)
            batch = attempt
        }
        do {
            try await environment.journal.append(
                batch.journalBatch { [self, placement] head in
                    if let gap { environment.gaps.open(gap, in: nid) }
                    // As an outlier it was nowhere.
                    if placement.isKnown, remote.path == .past { environment.events.didChange([placement.nid]) }
                    replaceHead(head)
                })
        } catch let error as DatabaseError where error.isUniqueViolation && !isRepeated {
            // Another room has numbered a state key first, or the event has come in as an outlier meanwhile.
            batch.forgetKeys()
            return try await placeOnBranch(remote, isRepeated: true)
        }
        return placement.receipt
    }

    /// Leaves room in the timeline for what was missed before an event: it is fetched when somebody pages back to there.
    ///
    /// - Returns: after which position; nil where nothing was missed, or it is known already to be missing.
    private func gap(before placement: BranchPlacement) async throws -> StreamPosition? {
        guard placement.opensGap else { return nil }
        let (nid, missing) = (nid, placement.missing)
        let known = try await environment.database.read { try MissingEventStore.floors(of: missing, in: nid, on: $0) }
        guard missing.contains(where: { known[$0] == nil }) else { return nil }
        return try await environment.journal.leaveGap(of: TimelineGaps.width)
    }
}
