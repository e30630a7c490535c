// Rooms with partial state: how they become whole, and how one waits for that.

import MatrixCore
import Persistence

extension Room {
    /// Makes the room whole: at once for all who look at it, with every judgement of the time in between made again.
    ///
    /// - Throws: `FurtherStatesWanted` where events have come whose predecessors `whole` does not have; `WholeStateRefused`.
    package func complete(_ whole: WholeState) async throws {
        // What takes long and shows nowhere comes first: the room and the Journal are for others meanwhile.
        try await RoomCompletion(environment: environment, partial: currentHead, whole: whole).storeKeys()
        try await alone { try await self.becomeWhole(whole) }
    }

    private func becomeWhole(_ whole: WholeState) async throws {
        let before = currentHead
        guard before.snapshot.isPartial else { return }
        let outcome = try await RoomCompletion(environment: environment, partial: before, whole: whole).outcome()
        var batch = RoomBatch(head: outcome.head, environment: environment)
        try await withMaterial(of: &batch) { batch in
            // What lacks something has been added in part: it is added to a copy.
            var attempt = batch
            try attempt.add(outcome)
            batch = attempt
        }
        let (partialRooms, events, nid) = (environment.partialRooms, environment.events, nid)
        let placed = outcome.placements.map(\.row.nid)
        let own = batch.journalBatch { [self] head in
            events.didChange(placed)
            replaceHead(head)
        }
        let completion = JournalBatch(
            records: [CompletionRecord(room: id, nid: nid, entries: outcome.entries)],
            committed: { positions in partialRooms.set(.whole(at: positions.upperBound), of: nid) })
        try await environment.journal.append(own.together(with: completion))
    }
}

extension RoomBatch {
    /// Takes in what becomes of a room that is whole now.
    fileprivate mutating func add(_ outcome: RoomCompletion.Outcome) throws {
        newKeys.formUnion(outcome.newKeys)
        stateRows += outcome.stateRows
        let (room, join, added) = (head.snapshot.nid, outcome.join, outcome.entries.added)
        // What is allowed after all takes its place in the timeline now.
        let welcome = outcome.placements.filter { $0.wasRejected && !$0.isRejected && $0.flags.isEmpty }
        let welcomed = Set(welcome.map(\.row.nid))
        let moved = outcome.placements.filter { !welcomed.contains($0.row.nid) }
        rows.append { connection in
            for placement in moved {
                // What the join took the place of was known when this server came into the room.
                let replaced = placement.row.id == join ? placement.row.replaced?.nid : placement.replaced?.nid
                try EventStore.place(
                    placement.row.nid, before: placement.before, after: placement.after, replaces: replaced, flags: placement.flags,
                    on: connection)
            }
            for pair in added {
                if let event = pair.event { try StateStore.insertCurrent(pair.key, event: event, in: room, on: connection) }
            }
        }
        for placement in welcome {
            let row = placement.row
            let event = try Event(trusted: row.json, id: row.id, version: head.snapshot.version)
            try add(
                BranchPlacement(
                    remote: RemoteEvent(event, path: row.depth < outcome.joinDepth ? .past : .live), nid: row.nid, isKnown: true,
                    receipt: .accepted, before: placement.before, after: placement.after, keyNumber: nil, newKeys: [],
                    replaced: placement.replaced, citations: [], missing: [], stateRows: [], outcome: nil))
        }
    }
}

// MARK: - Waiting

extension Room {
    /// How long one waits for a room to become whole, at most.
    package static let completionPatience: Duration = .seconds(300)

    /// Whether it is of no use to wait for the members of the room: they are known, or this server is in the room no more.
    private nonisolated var isSettled: Bool {
        let current = current
        return !current.isPartial || !current.isJoined(by: environment.serverName)
    }

    /// Returns when all members of the room are known, or nobody fetches them.
    ///
    /// - Throws: `M_UNKNOWN` (504) where that takes too long; `CancellationError`.
    package nonisolated func waitUntilWhole(atMost patience: Duration = completionPatience) async throws {
        guard try await isSettled(within: patience) else {
            throw MatrixError.unknown("The members of the room are not known yet", status: 504)
        }
    }

    /// The same for who can do without.
    ///
    /// - Returns: false where it takes too long.
    @discardableResult
    package nonisolated func isSettled(within patience: Duration) async throws -> Bool {
        guard !isSettled else { return true }
        let commits = environment.journal.commits
        // Who begins to listen before looking misses nothing.
        let stream = commits.from(commits.position)
        let isSettledNow = await withTaskGroup(of: Bool.self) { group in
            group.addTask {
                if self.isSettled { return true }
                for await commit in stream where commit.concerns(self.id) { if self.isSettled { return true } }
                return false
            }
            group.addTask {
                try? await Task.sleep(for: patience)
                return false
            }
            let first = await group.next() ?? false
            group.cancelAll()
            return first
        }
        try Task.checkCancellation()
        return isSettledNow
    }
}

extension Commit {
    /// Whether something happened by which the room may have become whole, or this server may have left it.
    fileprivate func concerns(_ room: RoomID) -> Bool {
        changes.contains { change in
            switch change.kind {
            case .completion(let completed, _): completed == room
            case .event(let event): event.roomID == room && event.membership != nil
            default: false
            }
        }
    }
}
