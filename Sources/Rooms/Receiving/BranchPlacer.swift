// Decides over an event that does not simply follow what the room ends with. Server-Server API §Checks performed on receipt of a PDU,
// steps 4 to 7.

import MatrixCore
import Persistence

/// Finds out where a received event stands, against the room as `head` has it. It reads and decides; nothing in the room changes by it.
struct BranchPlacer: Sendable {
    let environment: RoomEnvironment
    let head: RoomHead
    /// Of members that the event brings into a partial state, those that no state has had so far.
    private var newKeys: [StateKeyNID: StateKey] = [:]
    private var states: BranchStates { BranchStates(environment: environment, head: head, newKeys: newKeys) }
    private var version: RoomVersion { head.snapshot.version }

    init(environment: RoomEnvironment, head: RoomHead) {
        self.environment = environment
        self.head = head
    }

    /// What is stored of the event and of what it stands on.
    private struct Foundation {
        let standings: [EventID: EventStanding]
        let authEvents: [EventRow]

        subscript(id: EventID) -> EventStanding? { standings[id] }
    }

    /// - Returns: nil where the event is here already.
    /// - Throws: `MissingFoundation` when its auth events are not here, or its previous events are not and nobody has said what the state
    ///   before it is.
    mutating func place(_ remote: RemoteEvent) async throws -> BranchPlacement? {
        let event = remote.event
        let foundation = try await foundation(of: event)
        let known = foundation[event.id]
        if let known, known.isInGraph { return nil }
        // One of another room is there, and is refused in the checks.
        let missingAuth = event.authEvents.filter { foundation[$0] == nil }
        guard missingAuth.isEmpty else { throw MissingFoundation(event: event.id, missing: missingAuth) }
        let missing = event.prevEvents.filter { !isInGraph($0, foundation) }

        let nid = known?.nid ?? EventNID(environment.sequences.next(.events))
        let keyNumber = try await event.key.mapAsync { try await number(of: $0) }
        var rows: [StateLayerRow] = []
        var before = try await stateBefore(remote, foundation, missing: missing, &rows)
        if head.snapshot.isPartial { try await learnMembers(from: event, foundation.authEvents, in: &before, &rows) }
        let receipt = try await check(remote, foundation, before: before)
        let replaced = try await event.key.mapAsync { try await states.holders([$0], in: before).first } ?? nil

        var after = before
        if let keyNumber, !receipt.isRejected {
            rows.append(try after.push(StateDelta([.init(key: keyNumber, event: nid)]), as: nextSnapshot()))
        }
        var outcome: BranchPlacement.Outcome?
        if receipt.refusal == nil, remote.path != .past {
            let own = ResolvedEntry.Holder(nid: nid, position: head.snapshot.position, event: event)
            let unseen = event.prevEvents.filter { foundation[$0]?.isUnseen == true }
            outcome = try await self.outcome(of: event, own, keyNumber, after: after, following: unseen, &rows)
        }
        return BranchPlacement(
            remote: remote, nid: nid, isKnown: known != nil, receipt: receipt, before: before.top,
            after: after.top == before.top ? nil : after.top, keyNumber: keyNumber, newKeys: Set(newKeys.values), replaced: replaced,
            citations: foundation.authEvents.filter { $0.roomNID == head.snapshot.nid }.map(\.nid), missing: missing, stateRows: rows,
            outcome: outcome)
    }

    private func foundation(of event: Event) async throws -> Foundation {
        try await environment.database.read { connection in
            Foundation(
                standings: try EventStore.standings(Set([event.id] + event.prevEvents + event.authEvents), on: connection),
                authEvents: try EventStore.rows(event.authEvents, on: connection))
        }
    }

    private func isInGraph(_ id: EventID, _ foundation: Foundation) -> Bool {
        guard let standing = foundation[id] else { return false }
        return standing.isInGraph && standing.room == head.snapshot.nid
    }

    private func number(of key: StateKey) async throws -> StateKeyNID {
        if let entry = head.snapshot.entry(key) { return entry.key }
        return try await environment.stateKeys.find([key])[key] ?? environment.stateKeys.number(ofNew: key)
    }

    private func nextSnapshot() -> SnapshotID { SnapshotID(environment.sequences.next(.snapshots)) }

    // MARK: The state before

    private mutating func stateBefore(
        _ remote: RemoteEvent, _ foundation: Foundation, missing: [EventID], _ rows: inout [StateLayerRow]
    ) async throws -> SnapshotLayering {
        let event = remote.event
        if let given = remote.stateBefore, !missing.isEmpty || event.prevEvents.isEmpty {
            return try await layering(of: given, for: event, &rows)
        }
        let unknown = missing.filter { remote.statesAfterMissing[$0] == nil }
        let partial = head.snapshot.partial
        if partial != nil, event.prevEvents.isEmpty { return SnapshotLayering() }
        guard unknown.isEmpty || partial != nil, !event.prevEvents.isEmpty else {
            throw MissingFoundation(event: event.id, missing: unknown)
        }
        if Set(event.prevEvents) == Set(head.forwardExtremities) { return head.layering }
        var tops: [SnapshotID] = []
        for id in event.prevEvents where !missing.contains(id) {
            if let top = foundation[id]?.snapshotAfter, !tops.contains(top) { tops.append(top) }
        }
        if let partial, !unknown.isEmpty, !tops.contains(partial.foundation) { tops.append(partial.foundation) }
        var branches: [SnapshotLayering] = []
        for top in tops { branches.append(try await states.layering(of: top)) }
        for id in missing {
            if let given = remote.statesAfterMissing[id] { branches.append(try await layering(of: given, for: event, &rows)) }
        }
        guard branches.count > 1 else { return branches[0] }
        return try layering(of: try await states.resolve(branches).map(\.pair), &rows)
    }

    /// A state that another server says, as it will be stored.
    private mutating func layering(
        of given: [EventID], for event: Event, _ rows: inout [StateLayerRow]
    ) async throws -> SnapshotLayering {
        let room = head.snapshot.nid
        let found = try await environment.database.read { connection in
            try EventStore.stateKeys(of: given, in: room, on: connection)
        }
        guard found.count == given.count else {
            let here = Set(found.map(\.id))
            throw MissingFoundation(event: event.id, missing: given.filter { !here.contains($0) })
        }
        let numbers = try await environment.stateKeys.find(Set(found.map(\.key)))
        var state: [StateKeyNID: EventNID] = [:]
        for row in found {
            let number = numbers[row.key] ?? environment.stateKeys.number(ofNew: row.key)
            if head.snapshot.entry(row.key) == nil { newKeys[number] = row.key }
            state[number] = row.nid
        }
        let present = Dictionary(uniqueKeysWithValues: head.snapshot.state.map { ($0.value.key, $0.value.nid) })
        var pairs = state.filter { present[$0.key] != $0.value }.map { StateDelta.Pair(key: $0.key, event: $0.value) }
        pairs += present.keys.filter { state[$0] == nil }.map { StateDelta.Pair(key: $0, event: nil) }
        return try layering(of: pairs, &rows)
    }

    /// The room's present state with some entries changed.
    private func layering(of pairs: [StateDelta.Pair], _ rows: inout [StateLayerRow]) throws -> SnapshotLayering {
        guard !pairs.isEmpty else { return head.layering }
        var layering = head.layering
        rows.append(try layering.push(StateDelta(pairs), as: nextSnapshot()))
        return layering
    }

    // MARK: The checks

    private func check(_ remote: RemoteEvent, _ foundation: Foundation, before: SnapshotLayering) async throws -> Receipt {
        let event = remote.event
        if let foreign = foundation.authEvents.first(where: { $0.roomNID != head.snapshot.nid }) {
            return .rejected(reason: "the auth event \(foreign.id) belongs to another room")
        }
        let rejected = Set(foundation.authEvents.filter { $0.flags.contains(.rejected) }.map(\.id))
        let rejection = try await states.rejection(
            of: event, citing: foundation.authEvents, before: before, isRejected: rejected.contains)
        if let rejection { return .rejected(reason: rejection.reason) }
        // 6. … based on the current state of the room, otherwise it is soft failed. What happened long ago is not held to it, and a state
        // without its members says nothing of them.
        if remote.path != .past, !head.snapshot.isPartial, before.top != head.layering.top {
            do {
                try authorize(event, against: head.snapshot, version: version)
            } catch {
                return .softFailed(reason: error.reason)
            }
        }
        // 7. Is recommended by the room's policy server, otherwise it is soft failed.
        if let reason = remote.policyRefusal { return .softFailed(reason: reason) }
        return try await isRefusedRedaction(event) ? .softFailed(reason: "the sender may not redact that event") : .accepted
    }

    /// Rooms §Handling redactions.
    private func isRefusedRedaction(_ event: Event) async throws -> Bool {
        guard event.type == "m.room.redaction", let id = event.redacts else { return false }
        var batch = RoomBatch(head: head, environment: environment)
        try await batch.material.fetch(MissingMaterial(redacted: [id]), version: version, from: environment)
        return try batch.isRefusedRedaction(event)
    }

    // MARK: What becomes of the room

    private func outcome(
        of event: Event, _ own: ResolvedEntry.Holder, _ keyNumber: StateKeyNID?, after: SnapshotLayering, following unseen: [EventID],
        _ rows: inout [StateLayerRow]
    ) async throws -> BranchPlacement.Outcome {
        let followed = try await followed(by: unseen)
        let extremities = RoomHead.extremities(head.forwardExtremities.filter { !followed.contains($0) }, after: event)
        guard extremities.count > 1 else {
            let changes = try await states.changes(to: after, with: own)
            return BranchPlacement.Outcome(forwardExtremities: extremities, changes: changes, layering: after)
        }
        // Of the event itself there may be a row already, as of an outlier: its state means nothing.
        let others = try await environment.database.read { try EventStore.standings(Set(extremities).subtracting([event.id]), on: $0) }
        var branches = [after]
        for top in Set(others.values.map(\.snapshotAfter)) where top != after.top {
            branches.append(try await states.layering(of: top))
        }
        let changes = try await states.resolve(branches, with: own)
        return BranchPlacement.Outcome(
            forwardExtremities: extremities, changes: changes, layering: try layering(of: changes.map(\.pair), &rows))
    }
}

extension BranchPlacer {
    /// A partial state does not say of most members that they are none. What it lacks, it has from the auth events of those who speak: from
    /// then on they are part of it.
    private mutating func learnMembers(
        from event: Event, _ authEvents: [EventRow], in before: inout SnapshotLayering, _ rows: inout [StateLayerRow]
    ) async throws {
        let wanted = Set(authEventKeys(for: event).filter { $0.type == StateKey.memberType })
        let cited = authEvents.filter { !$0.flags.contains(.rejected) && $0.roomNID == head.snapshot.nid }
        var pairs: [StateDelta.Pair] = []
        for row in cited {
            guard let key = row.stateKey.map({ StateKey(type: row.type, stateKey: $0) }), wanted.contains(key) else { continue }
            let number = try await number(of: key)
            guard try before.events([number])[number] == nil else { continue }
            pairs.append(StateDelta.Pair(key: number, event: row.nid))
            newKeys[number] = key
        }
        if !pairs.isEmpty { rows.append(try before.push(StateDelta(pairs), as: nextSnapshot())) }
    }

    /// How far back the way leads at most over events that clients do not see.
    private static let unseenLimit = 200

    /// What is followed by way of events that were refused: as they are no forward extremities, they took the place of none.
    private func followed(by unseen: [EventID]) async throws -> Set<EventID> {
        guard !unseen.isEmpty else { return [] }
        let version = version
        return try await environment.database.read { connection in
            var followed: Set<EventID> = []
            var front = Set(unseen)
            while !front.isEmpty, followed.count < Self.unseenLimit {
                let refused = try EventStore.standings(front, on: connection).values.filter(\.isUnseen).map(\.nid)
                front = []
                for row in try EventStore.rows(refused, on: connection) {
                    for id in try Event(trusted: row.json, id: row.id, version: version).prevEvents where followed.insert(id).inserted {
                        front.insert(id)
                    }
                }
            }
            return followed
        }
    }
}

extension EventStanding {
    /// In the graph, but refused.
    fileprivate var isUnseen: Bool { isInGraph && (flags.contains(.softFailed) || flags.contains(.rejected)) }
}

extension Receipt {
    fileprivate var isRejected: Bool {
        if case .rejected = self { true } else { false }
    }
}

extension Optional {
    /// `map` with a question that takes time.
    fileprivate func mapAsync<T>(_ transform: (Wrapped) async throws -> T) async rethrows -> T? {
        guard let self else { return nil }
        return try await transform(self)
    }
}
