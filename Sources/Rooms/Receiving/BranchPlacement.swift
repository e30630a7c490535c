// An event of another server that does not simply follow what the room ends with: where it stands, and what it does to the room.

import MatrixCore
import Persistence

/// All that follows from one received event.
struct BranchPlacement: Sendable {
    let remote: RemoteEvent
    let nid: EventNID
    /// The event was here already, as an outlier.
    let isKnown: Bool
    let receipt: Receipt
    /// The room's state before the event, and after it where that is another one.
    let before: SnapshotID
    let after: SnapshotID?
    /// The number of the state entry that the event sets.
    let keyNumber: StateKeyNID?
    /// Keys of the state, beside the event's own, whose numbers may not be stored yet.
    let newKeys: Set<StateKey>
    /// The event that it replaced there.
    let replaced: ResolvedEntry.Holder?
    let citations: [EventNID]
    /// Previous events that are not here.
    let missing: [EventID]
    /// After which position there is room for them.
    var floor = StreamPosition.zero
    /// States that are to be stored.
    let stateRows: [StateLayerRow]
    /// What becomes of the room; nil where the event does not touch it.
    let outcome: Outcome?

    /// The room with the event among its newest.
    struct Outcome: Sendable {
        let forwardExtremities: [EventID]
        let changes: [ResolvedEntry]
        /// How the room's current state is stored.
        let layering: SnapshotLayering
    }

    /// Whether something was missed before it, of which the timeline up to now knows nothing.
    var opensGap: Bool { remote.path != .past && !missing.isEmpty && !flags.contains(.rejected) }

    /// Clients are shown nothing of it. (Where a dummy event changes the state they hear of that by it, as by any other.)
    var isGraphOnly: Bool { receipt.refusal == nil && remote.event.isDummy && outcome?.changes.isEmpty ?? true }

    var flags: EventFlags {
        switch receipt {
        case .accepted, .known: isGraphOnly ? .graphOnly : []
        case .softFailed: .softFailed
        case .rejected: .rejected
        }
    }
}

extension RoomBatch {
    /// Takes in an event with all that follows from it. It is the only one of its batch.
    mutating func add(_ placement: BranchPlacement) throws {
        let event = placement.remote.event
        newKeys.formUnion(placement.newKeys)
        if let key = event.key, head.snapshot.entry(key) == nil { newKeys.insert(key) }
        stateRows += placement.stateRows
        let room = head.snapshot.nid
        rows.append { connection in
            try MissingEventStore.delete(event.id, in: room, on: connection)
            // The one who names a missing event says where the past ends, unless the event itself is to be forgotten.
            for id in placement.missing where !placement.flags.contains(.rejected) {
                try MissingEventStore.insert(id, in: room, depth: event.depth, floor: placement.floor, on: connection)
            }
        }
        if placement.receipt.refusal == nil, placement.remote.path != .past, !placement.isGraphOnly {
            try addToTimeline(placement)
        } else {
            addBesideTimeline(placement)
        }
        if let outcome = placement.outcome { apply(outcome, event: event) }
    }

    private mutating func addToTimeline(_ placement: BranchPlacement) throws {
        let event = placement.remote.event
        let redaction = try event.redacts.flatMap { try remoteRedaction(by: event, of: $0) }
        let relation = try event.relation.flatMap { try remotePlacement($0) }
        let waiting = try waitingRedaction(of: event)
        let stored = try waiting == nil ? event : event.redacted()
        let outcome = placement.outcome
        records.append(
            EventRecord(
                row: insertion(placement, event: stored, redacts: redaction?.target), roomID: head.snapshot.roomID,
                clientJSON: ClientEventFormat.render(pdu: stored.json, id: event.id, version: event.version),
                replaced: placement.replaced.map { ReplacedEvent($0.event, nid: $0.nid) },
                stateChanges: outcome?.changes.map(\.pair) ?? [], localMembers: outcome.map(localMembers) ?? [], isKnown: placement.isKnown,
                redactedBy: waiting?.redaction, redactedByNID: waiting?.nid, redaction: redaction,
                pendingTarget: isRedactionOfUnknown(event) ? event.redacts : nil,
                relation: waiting == nil
                    ? relation.map {
                        RelationInsertion(
                            event: event, nid: placement.nid, room: head.snapshot.nid, relation: $0.relation, thread: $0.thread,
                            isNested: $0.isNested)
                    } : nil,
                cache: environment.events, aggregations: nil))
    }

    /// An event that clients do not see, or that happened before all they have seen.
    private mutating func addBesideTimeline(_ placement: BranchPlacement) {
        let isPast = placement.receipt.refusal == nil && !placement.isGraphOnly
        let position = isPast ? placement.remote.position ?? environment.nextPastPosition() : nil
        let row = insertion(placement, event: placement.remote.event, redacts: nil)
        rows.append { connection in
            if placement.isKnown {
                try EventStore.promote(row, at: position, on: connection)
            } else {
                try EventStore.insert(row, at: position, on: connection)
            }
        }
    }

    private func insertion(_ placement: BranchPlacement, event: Event, redacts: EventNID?) -> EventInsertion {
        EventInsertion(
            event: event, nid: placement.nid, room: head.snapshot.nid, snapshot: placement.before, replaces: placement.replaced?.nid,
            redacts: redacts, flags: placement.flags, snapshotAfter: placement.after, citations: placement.citations,
            isRelayed: placement.remote.path == .relayed)
    }

    private func localMembers(_ outcome: BranchPlacement.Outcome) -> [EventRecord.LocalMember] {
        outcome.changes.compactMap { change in
            guard change.key.type == StateKey.memberType, environment.isLocal(UserID(trusted: change.key.stateKey.string)),
                let holder = change.holder, let membership = holder.event.membership
            else { return nil }
            return EventRecord.LocalMember(
                user: UserID(trusted: change.key.stateKey.string), membership: membership, event: holder.nid)
        }
    }

    private mutating func apply(_ outcome: BranchPlacement.Outcome, event: Event) {
        for change in outcome.changes {
            head.snapshot.apply(change)
            if change.holder?.event.id == event.id { placed.append((records.count - 1, change.key)) }
        }
        head.layering = outcome.layering
        head.snapshot.snapshotID = outcome.layering.top
        head.forwardExtremities = outcome.forwardExtremities
        head.depth = outcome.forwardExtremities == [event.id] ? event.depth : max(head.depth, event.depth)
    }

    // MARK: Redactions that were here first

    private func waitingRedaction(of event: Event) throws -> (nid: EventNID, redaction: RedactionOfEvent)? {
        guard let waiting = material.redactionsBefore[event.id] else { throw MissingMaterial(redactionsBefore: [event.id]) }
        guard event.type != "m.room.create" else { return nil }
        let levels = head.snapshot.powerLevels
        guard let first = waiting.first(where: { $0.roomNID == head.snapshot.nid && levels.allowsRemoteRedaction(by: $0.event, of: event) })
        else { return nil }
        let redaction = RedactionOfEvent(
            id: first.event.id, clientJSON: ClientEventFormat.render(pdu: first.event.json, id: first.event.id, version: event.version),
            timestamp: first.event.originServerTimestamp)
        return (first.nid, redaction)
    }
}
