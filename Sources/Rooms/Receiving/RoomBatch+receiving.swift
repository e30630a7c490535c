// Events of other servers in a batch: the common case, in which nothing has forked.

import MatrixCore
import Persistence

extension RoomBatch {
    /// Takes in a received event that follows exactly what the room ends with, and that is authorized by the very state the room has.
    /// Then the three states by which an event is checked are one, and nothing has to be read for it.
    ///
    /// - Returns: false where that is not so: the event is a matter of `BranchPlacement`.
    /// - Throws: `MissingMaterial` when it is to be tried again.
    mutating func receive(_ remote: RemoteEvent) throws -> Bool {
        let event = remote.event
        guard remote.path != .past, !event.isDummy, remote.policyRefusal == nil, remote.stateBefore == nil,
            remote.statesAfterMissing.isEmpty, followsHead(event), isAuthorizedByHead(event)
        else { return false }
        guard built[event.id] == nil else { return false }
        guard let standing = material.standings[event.id], let isAwaited = material.waitingRedactions[event.id] else {
            throw MissingMaterial(standings: [event.id], waitingRedactions: [event.id])
        }
        guard standing == nil, !isAwaited else { return false }
        if let key = event.key { _ = try number(of: key) }

        let replaced = try event.key.flatMap { try currentEvent($0) }
        let redaction = try event.redacts.flatMap { try remoteRedaction(by: event, of: $0) }
        guard try redaction != nil || !isRefusedRedaction(event) else { return false }
        let place = try event.relation.flatMap { try remotePlacement($0) }
        var origin = EventOrigin(user: event.sender)
        origin.isRemote = true
        origin.isRelayed = remote.path == .relayed
        _ = try record(
            event, key: event.key, replacing: replaced, redaction: redaction, relation: place, citing: citations(of: event), from: origin)
        return true
    }

    private func followsHead(_ event: Event) -> Bool {
        event.prevEvents == head.forwardExtremities || Set(event.prevEvents) == Set(head.forwardExtremities)
    }

    /// Its auth events are those that the current state selects, and it is allowed by them.
    private func isAuthorizedByHead(_ event: Event) -> Bool {
        guard event.type != "m.room.create", Set(head.authEntries(for: event).map(\.id)) == Set(event.authEvents) else { return false }
        do {
            try checkFieldSizes(of: event)
            try authorize(event, against: head.snapshot, version: head.snapshot.version)
            return true
        } catch {
            return false
        }
    }

    /// Rooms §Handling redactions: one that is not entitled to its target, or whose target belongs to another room, is kept from clients.
    func isRefusedRedaction(_ event: Event) throws -> Bool {
        guard event.type == "m.room.redaction", let id = event.redacts else { return false }
        let target: (room: RoomNID, event: Event)?
        if let built = built[id] {
            target = (head.snapshot.nid, built.event)
        } else if let fetched = material.redacted[id] {
            target = fetched.map { ($0.roomNID, $0.event) }
        } else {
            throw MissingMaterial(redacted: [id])
        }
        guard let target else { return false }
        return target.room != head.snapshot.nid || !head.snapshot.powerLevels.allowsRemoteRedaction(by: event, of: target.event)
    }

    /// What a redaction of another server does to its target. One that is not entitled to it stays without effect.
    func remoteRedaction(by event: Event, of id: EventID) throws -> EventRecord.Redaction? {
        guard event.type == "m.room.redaction" else { return nil }
        let target: RedactionTarget?
        if let built = built[id] {
            target = RedactionTarget(nid: built.nid, roomNID: head.snapshot.nid, event: built.event, isRedacted: false)
        } else if let fetched = material.redacted[id] {
            target = fetched
        } else {
            throw MissingMaterial(redacted: [id])
        }
        guard let target, target.roomNID == head.snapshot.nid, !target.isRedacted, target.event.type != "m.room.create",
            head.snapshot.powerLevels.allowsRemoteRedaction(by: event, of: target.event)
        else { return nil }
        return EventRecord.Redaction(
            target: target.nid, targetID: id, targetSender: target.event.sender, targetType: target.event.type,
            targetRelation: target.event.relation, json: try target.event.redacted().json)
    }

    /// Where a relation puts an event. Other servers decide for themselves what they let relate to what.
    func remotePlacement(_ relation: EventRelation) throws -> RelationPlacement? {
        switch try parent(relation.target) {
        case .event(let found):
            guard found.roomNID == head.snapshot.nid else { return nil }
            let thread = relation.type == EventRelation.thread ? relation.target : found.thread
            return RelationPlacement(relation: relation, thread: thread, isNested: found.hasRelation)
        case .known, .unknown:
            let thread = relation.type == EventRelation.thread ? relation.target : nil
            return RelationPlacement(relation: relation, thread: thread, isNested: false)
        }
    }
}

extension PowerLevels {
    /// Rooms §Handling redactions: who has the room's redact level may redact anything, and a server the events of its own users.
    func allowsRemoteRedaction(by redaction: Event, of target: Event) -> Bool {
        level(of: redaction.sender) >= redact || redaction.sender.server == target.sender.server
    }
}
