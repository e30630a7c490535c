// How a timeline event is made: from a stored row, or from an event that is about to be published.

import MatrixCore
import Persistence

extension TimelineEvent {
    /// An outlier stands before everything.
    ///
    /// - Returns: nil for a room whose version this server does not know.
    package convenience init?(_ row: EventRow) {
        guard let version = RoomVersion.named(row.roomVersion) else { return nil }
        self.init(
            nid: row.nid, position: row.position ?? .start, id: row.id, roomID: row.roomID, roomNID: row.roomNID, type: row.type,
            sender: row.sender, stateKey: row.stateKey, timestamp: row.timestamp, depth: row.depth,
            snapshotBefore: row.snapshot,
            clientJSON: ClientEventFormat.render(pdu: row.json, id: row.id, version: version),
            transaction: row.transactionID.map { EventTransaction(device: row.device, id: $0) },
            replaced: row.replaced.map { ReplacedEvent($0) },
            redaction: row.redaction.map { other in
                RedactionOfEvent(
                    id: other.id, clientJSON: ClientEventFormat.render(pdu: other.json, id: other.id, version: version),
                    timestamp: other.timestamp)
            },
            redacts: row.redacts, membership: row.membership,
            relation: row.relation.map { EventRelation(type: $0.type, target: $0.parent) }, thread: row.relation?.thread,
            isRelayed: row.isRelayed)
    }
}

extension ReplacedEvent {
    init(_ row: EventRow.Other) {
        self.init(
            nid: row.nid, id: row.id, sender: row.sender, content: ReplacedEvent.content(of: row.json),
            membership: row.membership)
    }

    init(_ event: Event, nid: EventNID) {
        self.init(
            nid: nid, id: event.id, sender: event.sender, content: event.content().canonicalBytes,
            membership: event.membership)
    }

    /// The content of a stored event. One that cannot be read counts as empty: it was checked when it was stored.
    private static func content(of pdu: [UInt8]) -> [UInt8] {
        guard let document = try? JSONDocument(parsing: pdu, limits: .lenientEvent), let content = document.root["content"] else {
            return [UInt8]("{}".utf8)
        }
        return [UInt8](content.bytes)
    }
}
