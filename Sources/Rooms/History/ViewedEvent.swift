// An event as one user gets it. Client-Server API §Room event format.

import MatrixCore
import Persistence

/// An event that a user may see, with what is told of it to this user only.
package struct ViewedEvent: Sendable {
    package var event: TimelineEvent
    /// The user's membership of the room when the event was sent.
    package let membership: Membership
    /// What relates to the event.
    package var aggregations: BundledAggregations?

    package init(event: TimelineEvent, membership: Membership, aggregations: BundledAggregations? = nil) {
        self.event = event
        self.membership = membership
        self.aggregations = aggregations
    }

    /// The event as one sees it who was not in the room when it was sent, if its sender was erased since.
    func hidingContent(of erased: Set<UserID>, _ rules: RedactionRules) -> ViewedEvent {
        guard !erased.isEmpty, membership != .join, erased.contains(event.sender) else { return self }
        return ViewedEvent(event: event.withoutContent(rules), membership: membership)
    }

    /// Writes the event as one JSON value, with its room's id.
    package func write(to writer: inout JSONWriter, for viewer: EventViewer?, now: Timestamp) {
        guard let aggregations else {
            return event.write(to: &writer, includeRoomID: true, for: viewer, now: now, membership: membership)
        }
        event.write(
            to: &writer, includeRoomID: true, for: viewer, now: now, membership: membership,
            unsigned: { aggregations.write(to: &$0, includeRoomID: true, for: viewer, now: now) })
    }
}

extension ViewedEvent {
    package var inFirstFormat: ViewedEvent {
        ViewedEvent(event: event.inFirstFormat, membership: membership, aggregations: aggregations)
    }
}

extension TimelineEvent {
    /// The event as it would be after a redaction, for a reader who is to see that it is there and not what it says.
    package func withoutContent(_ rules: RedactionRules) -> TimelineEvent {
        var clientJSON = Array("{\"content\":{}".utf8)
        // What cannot be read says nothing.
        if let document = try? JSONDocument(parsing: self.clientJSON + [UInt8(ascii: "}")], limits: .lenientEvent) {
            clientJSON = Redaction.redact(document.root, rules: rules).dropLast()
        }
        return rendered(as: clientJSON, transaction: nil, replaced: nil, relation: nil)
    }

    /// The event as the first version of the API shows it: the sender is also called `user_id`.
    package var inFirstFormat: TimelineEvent {
        var writer = JSONWriter(capacity: clientJSON.count + 64)
        writer.openRaw(clientJSON)
        writer.member("user_id", sender)
        return rendered(as: writer.bytes, transaction: transaction, replaced: replaced, relation: relation)
    }

    private func rendered(
        as clientJSON: [UInt8], transaction: EventTransaction?, replaced: ReplacedEvent?, relation: EventRelation?
    ) -> TimelineEvent {
        TimelineEvent(
            nid: nid, position: position, id: id, roomID: roomID, roomNID: roomNID, type: type, sender: sender, stateKey: stateKey,
            timestamp: timestamp, depth: depth, snapshotBefore: snapshotBefore, clientJSON: clientJSON, transaction: transaction,
            replaced: replaced, redaction: redaction, redacts: redacts, membership: membership, relation: relation, thread: thread)
    }
}
