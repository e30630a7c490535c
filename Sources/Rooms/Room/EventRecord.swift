// A new event on its way into the Journal.

import MatrixCore
import Persistence

/// An event of the timeline with everything that is written beside it, in one transaction and at one position.
struct EventRecord: JournalRecord {
    let row: EventInsertion
    let roomID: RoomID
    /// The client's rendering.
    let clientJSON: [UInt8]
    let replaced: ReplacedEvent?
    /// For a state event: the number of its key.
    let key: StateKeyNID?
    /// For a member event of a user of this server: whose.
    let localMember: UserID?
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
        try EventStore.insert(row, at: position, on: connection)
        if let key {
            try StateStore.setCurrent(key, event: row.nid, in: row.room, at: position, on: connection)
        }
        if let localMember, let membership = row.event.membership {
            try MembershipStore.set(membership, of: localMember, in: row.room, event: row.nid, at: position, on: connection)
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
        try EventStore.exists(row.nid, on: connection)
    }

    func change(at position: StreamPosition) -> Change {
        let event = row.event
        let published = TimelineEvent(
            nid: row.nid, position: position, id: event.id, roomID: roomID, roomNID: row.room, type: event.type,
            sender: event.sender, stateKey: event.stateKey, timestamp: event.originServerTimestamp,
            depth: event.depth, snapshotBefore: row.snapshot, clientJSON: clientJSON,
            transaction: row.transactionID.map { EventTransaction(device: row.device, id: $0) },
            replaced: replaced, redacts: redaction?.targetID, membership: event.membership, relation: relation?.relation,
            thread: relation?.thread)
        cache.insertPublished(published)
        if !published.isState { aggregations?.insertNew(event.id) }
        return Change(position: position, kind: .event(published))
    }
}
