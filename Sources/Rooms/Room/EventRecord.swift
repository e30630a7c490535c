// A new event on its way into the Journal.

import MatrixCore
import Persistence

/// An event of the timeline with everything that is written beside it, in one transaction and at one position.
struct EventRecord: JournalRecord {
    var row: EventInsertion
    let roomID: RoomID
    /// The client's rendering.
    let clientJSON: [UInt8]
    let replaced: ReplacedEvent?
    /// How the room's current state changes: for a state event by itself; where forks meet, by what they are resolved to.
    let stateChanges: [StateDelta.Pair]
    /// What becomes of the memberships of this server's users.
    let localMembers: [LocalMember]
    /// The event is there already, without its place in the room.
    var isKnown = false
    /// The redaction that was here before the event. `row` has the redacted form then.
    var redactedBy: RedactionOfEvent?
    var redactedByNID: EventNID?
    /// For a redaction that takes effect: what becomes of its target.
    let redaction: Redaction?
    /// For a redaction of an event that the server does not have: which.
    let pendingTarget: EventID?
    /// What the event relates to.
    let relation: RelationInsertion?
    /// Keeps the event for those who page back through what has just been said.
    let cache: EventCache
    /// Learns that nothing relates to the event yet. nil for an event of another server: what relates to it may have come before it.
    let aggregations: AggregationCache?

    struct LocalMember: Sendable {
        let user: UserID
        let membership: Membership
        let event: EventNID
    }

    struct Redaction: Sendable {
        let target: EventNID
        let targetID: EventID
        let targetSender: UserID
        let targetType: ByteString
        /// What the target related to before.
        let targetRelation: EventRelation?
        /// The target's redacted form.
        let json: [UInt8]
    }

    func write(on connection: any SQLConnection, at position: StreamPosition) throws {
        if isKnown {
            try EventStore.promote(row, at: position, on: connection)
        } else {
            try EventStore.insert(row, at: position, on: connection)
        }
        for change in stateChanges {
            try StateStore.setCurrent(change.key, event: change.event, in: row.room, at: position, on: connection)
        }
        for member in localMembers {
            try MembershipStore.set(
                member.membership, of: member.user, in: row.room, event: member.event, at: position, on: connection)
        }
        if let redactedByNID {
            try EventStore.redact(row.nid, by: redactedByNID, json: row.event.json, on: connection)
            try EventStore.setRedacts(row.nid, by: redactedByNID, on: connection)
            try PendingRedactionStore.remove(row.event.id, on: connection)
        }
        if let redaction {
            try EventStore.redact(redaction.target, by: row.nid, json: redaction.json, on: connection)
            if let relation = redaction.targetRelation {
                try RelationStore.remove(redaction.target, relation, by: redaction.targetSender, in: row.room, on: connection)
            }
        }
        if let pendingTarget { try PendingRedactionStore.insert(row.nid, of: pendingTarget, on: connection) }
        if let relation { try RelationStore.insert(relation, at: position, on: connection) }
    }

    func isStored(on connection: any SQLConnection, at position: StreamPosition) throws -> Bool? {
        try EventStore.position(of: row.nid, on: connection) == position
    }

    /// Whether the room's state changes by more than this event, or less.
    private var resolvesForks: Bool {
        stateChanges.count > 1 || stateChanges.first.map { $0.event != row.nid } ?? row.event.isState
    }

    func change(at position: StreamPosition) -> Change {
        let event = row.event
        let published = TimelineEvent(
            nid: row.nid, position: position, id: event.id, roomID: roomID, roomNID: row.room, type: event.type,
            sender: event.sender, stateKey: event.stateKey, timestamp: event.originServerTimestamp,
            depth: event.depth, snapshotBefore: row.snapshot, clientJSON: clientJSON,
            transaction: row.transactionID.map { EventTransaction(device: row.device, id: $0) },
            replaced: replaced, redaction: redactedBy, redacts: redaction?.targetID, membership: event.membership,
            relation: relation?.relation,
            thread: relation?.thread, isRelayed: row.isRelayed, resolvesForks: resolvesForks)
        cache.insertPublished(published)
        if !published.isState { aggregations?.insertNew(event.id) }
        return Change(position: position, kind: .event(published))
    }
}
