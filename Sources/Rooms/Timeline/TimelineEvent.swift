// An event as readers see it: the client's rendering made once, and beside it the fields that the server decides by.
// Client-Server API §Room event format.

import MatrixCore
import Persistence

/// An event in a room's timeline.
///
/// `clientJSON` is what a client gets of it, rendered once and copied into responses; only `room_id` and `unsigned` are added
/// per reader, by `write`. The value describes the event as it was when it was read or published: a later redaction makes a new one.
package final class TimelineEvent: Sendable {
    // What is copied into responses stands first: it shares a line of the processor's cache with the count of references.

    package let nid: EventNID
    /// The start of the client's rendering (`ClientEventFormat`), without `room_id`, `unsigned` and the closing brace.
    package let clientJSON: [UInt8]
    package let timestamp: Timestamp
    package let position: StreamPosition
    package let id: EventID
    package let roomID: RoomID
    package let roomNID: RoomNID
    package let type: ByteString
    package let sender: UserID
    package let stateKey: ByteString?
    package let depth: Int64
    /// The room's state just before this event.
    package let snapshotBefore: SnapshotID
    /// The device that sent the event and its transaction id, for local senders.
    package let transaction: EventTransaction?
    /// For a state event: the event that it replaced.
    package let replaced: ReplacedEvent?
    /// The redaction that took this event's content away.
    package let redaction: RedactionOfEvent?
    /// For a redaction that took effect: the event it redacted.
    package let redacts: EventID?
    /// For `m.room.member`.
    package let membership: Membership?
    /// What the event relates to; nil for one that was redacted.
    package let relation: EventRelation?
    /// The root of the thread that the event belongs to, by itself or through what it relates to; nil for one in no thread, also
    /// for the root itself.
    package let thread: EventID?
    /// Whether this server tells other servers of the event although its sender is not from here: it came by this server into the room.
    package let isRelayed: Bool
    /// Whether the room's state changed by more than this event, as forks met in it. Known of recent events only.
    package let resolvesForks: Bool
    /// For `m.room.member`: the membership before; nil when there was none.
    package var previousMembership: Membership? { replaced?.membership }
    package var replaces: EventNID? { replaced?.nid }
    package var redactedBy: EventID? { redaction?.id }
    package var isState: Bool { stateKey != nil }

    package init(
        nid: EventNID, position: StreamPosition, id: EventID, roomID: RoomID, roomNID: RoomNID, type: ByteString, sender: UserID,
        stateKey: ByteString?, timestamp: Timestamp, depth: Int64, snapshotBefore: SnapshotID, clientJSON: [UInt8],
        transaction: EventTransaction? = nil, replaced: ReplacedEvent? = nil, redaction: RedactionOfEvent? = nil,
        redacts: EventID? = nil, membership: Membership? = nil, relation: EventRelation? = nil, thread: EventID? = nil,
        isRelayed: Bool = false, resolvesForks: Bool = false
    ) {
        self.nid = nid
        self.position = position
        self.id = id
        self.roomID = roomID
        self.roomNID = roomNID
        self.type = type
        self.sender = sender
        self.stateKey = stateKey
        self.timestamp = timestamp
        self.depth = depth
        self.snapshotBefore = snapshotBefore
        self.clientJSON = clientJSON
        self.transaction = transaction
        self.replaced = replaced
        self.redaction = redaction
        self.redacts = redacts
        self.membership = membership
        self.relation = relation
        self.thread = thread
        self.isRelayed = isRelayed
        self.resolvesForks = resolvesForks
    }

    /// The event's content, parsed on demand from the client's rendering.
    package func content() throws(JSONError) -> JSON? {
        try JSONDocument(parsing: clientJSON + [UInt8(ascii: "}")], limits: .lenientEvent).root["content"]
    }

    /// About how many bytes this value holds in memory, for budgets.
    package var cost: Int {
        400 + clientJSON.count + (replaced?.content.count ?? 0) + (redaction?.clientJSON.count ?? 0)
    }
}

/// Who sent an event through the client-server API, for idempotency and for `unsigned.transaction_id`.
package struct EventTransaction: Sendable, Hashable {
    /// nil for a sender without a device, such as an application service.
    package let device: DeviceID?
    package let id: String

    package init(device: DeviceID?, id: String) {
        self.device = device
        self.id = id
    }
}

/// What is told of the state event that another one replaced.
package struct ReplacedEvent: Sendable {
    package let nid: EventNID
    package let id: EventID
    package let sender: UserID
    /// A JSON object.
    package let content: [UInt8]
    package let membership: Membership?

    package init(nid: EventNID, id: EventID, sender: UserID, content: [UInt8], membership: Membership?) {
        self.nid = nid
        self.id = id
        self.sender = sender
        self.content = content
        self.membership = membership
    }
}

/// What is told of the redaction of an event.
package struct RedactionOfEvent: Sendable {
    package let id: EventID
    /// The redaction event as `ClientEventFormat` renders it (an open object).
    package let clientJSON: [UInt8]
    package let timestamp: Timestamp

    package init(id: EventID, clientJSON: [UInt8], timestamp: Timestamp) {
        self.id = id
        self.clientJSON = clientJSON
        self.timestamp = timestamp
    }
}

/// For whom an event is written: decides `unsigned.transaction_id`.
package struct EventViewer: Sendable {
    package let user: UserID
    package let device: DeviceID?

    package init(user: UserID, device: DeviceID?) {
        self.user = user
        self.device = device
    }
}

extension TimelineEvent {
    /// Writes the event as one JSON value. Client-Server API §Room event format, `UnsignedData`.
    ///
    /// - Parameters:
    ///   - includeRoomID: `/sync` leaves `room_id` out, every other endpoint has it.
    ///   - viewer: who reads; nil hides what only the sender's device may see.
    ///   - now: from which `unsigned.age` is counted.
    ///   - membership: the viewer's membership when the event was sent, if the caller knows it.
    ///   - unsigned: further members of `unsigned`, e.g. aggregations.
    package func write(
        to writer: inout JSONWriter, includeRoomID: Bool, for viewer: EventViewer?, now: Timestamp,
        membership: Membership? = nil, unsigned extras: ((inout JSONWriter) -> Void)? = nil
    ) {
        write(
            to: &writer, includeRoomID: includeRoomID, for: viewer, membership: membership, unsigned: extras,
            age: { $0.member("age", now.milliseconds(since: $1)) })
    }

    /// - Parameter age: writes the member `age` of what happened at that time.
    func write(
        to writer: inout JSONWriter, includeRoomID: Bool, for viewer: EventViewer?, membership: Membership? = nil,
        unsigned extras: ((inout JSONWriter) -> Void)? = nil, age: (inout JSONWriter, Timestamp) -> Void
    ) {
        writer.openRaw(clientJSON)
        if includeRoomID { writer.member("room_id", roomID.string) }
        writer.member(
            "unsigned",
            object: { unsigned in
                age(&unsigned, timestamp)
                if let membership { unsigned.member("membership", membership.rawValue) }
                if let transaction, let viewer, viewer.device == transaction.device, viewer.user == sender {
                    unsigned.member("transaction_id", transaction.id)
                }
                if let replaced {
                    unsigned.member("prev_content", raw: replaced.content)
                    unsigned.member("prev_sender", replaced.sender.string)
                    unsigned.member("replaces_state", replaced.id.string)
                }
                if let redaction { writeRedaction(redaction, to: &unsigned, age: age) }
                extras?(&unsigned)
            })
        writer.close()
    }

    private func writeRedaction(
        _ redaction: RedactionOfEvent, to unsigned: inout JSONWriter, age: (inout JSONWriter, Timestamp) -> Void
    ) {
        unsigned.member("redacted_by", redaction.id.string)
        unsigned.key("redacted_because")
        unsigned.openRaw(redaction.clientJSON)
        unsigned.member("room_id", roomID.string)
        unsigned.member("unsigned", object: { age(&$0, redaction.timestamp) })
        unsigned.close()
    }
}
