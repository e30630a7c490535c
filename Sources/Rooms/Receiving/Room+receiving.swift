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
        placement.floor = gap.floor
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
                    if gap.isNew { environment.gaps.open(gap.floor, in: nid) }
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

    /// Where there is room in the timeline for what is missing before an event: it is fetched when somebody pages back to there.
    private func gap(before placement: BranchPlacement) async throws -> (floor: StreamPosition, isNew: Bool) {
        guard placement.opensGap else { return (placement.remote.floor, false) }
        let (nid, missing, depth) = (nid, placement.missing, placement.remote.event.depth)
        let (known, gaps) = try await environment.database.read { connection in
            (
                try MissingEventStore.floors(of: missing, in: nid, on: connection),
                try MissingEventStore.gaps(in: nid, on: connection)
            )
        }
        // Said at the same time as what stands after an older gap, or before all that is known: something before that is missing.
        if let older = gaps.first(where: { depth <= $0.depth }) { return (older.floor, false) }
        if missing.allSatisfy({ known[$0] != nil }) { return (known.values.max() ?? .zero, false) }
        return (try await environment.journal.leaveGap(of: TimelineGaps.width), true)
    }
}
