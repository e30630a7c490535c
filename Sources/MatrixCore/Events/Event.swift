// One event of a room, as servers exchange it. Server-Server API §PDUs; Rooms §Event format.

/// A persistent data unit: its bytes, and the fields that the server needs parsed beside them.
///
/// Immutable and shared: a room, its readers and the caches hold the same one.
package final class Event: Sendable {
    /// The PDU as canonical JSON, without `unsigned`. The event ID is not in it (but for room versions 1 and 2).
    package let json: [UInt8]
    package let version: RoomVersion
    package let id: EventID
    package let roomID: RoomID
    package let type: ByteString
    package let stateKey: ByteString?
    package let sender: UserID
    package let originServerTimestamp: Timestamp
    package let depth: Int64
    package let prevEvents: [EventID]
    package let authEvents: [EventID]
    /// The event that an `m.room.redaction` redacts: `redacts` of the event, or of its content since room version 11.
    package let redacts: EventID?
    /// The `membership` of an `m.room.member` event, where it is one that we know.
    package let membership: Membership?
    /// Where the content stands in ``json``.
    package let contentRange: Range<Int>

    init(json: [UInt8], version: RoomVersion, id: EventID, fields: PDUFields) {
        self.json = json
        self.version = version
        self.id = id
        roomID = fields.roomID ?? RoomID(createEvent: id)
        type = fields.type
        stateKey = fields.stateKey
        sender = fields.sender
        originServerTimestamp = fields.originServerTimestamp
        depth = fields.depth
        prevEvents = fields.prevEvents
        authEvents = fields.authEvents
        redacts = fields.redacts
        membership = fields.membership
        contentRange = fields.contentRange
    }

    package var isState: Bool { stateKey != nil }

    /// The entry of the room state that this event sets.
    package var key: StateKey? { stateKey.map { StateKey(type: type, stateKey: $0) } }

    package var contentBytes: ArraySlice<UInt8> { json[contentRange] }

    /// The content, parsed when asked for: keep the result for more than one question.
    package func content() -> JSON {
        do {
            return try JSONDocument(parsing: Array(contentBytes), limits: .lenientEvent).root
        } catch {
            // The bytes were parsed when the event was made, so this is not reached; an empty content is what rules read as "nothing".
            return JSON.emptyObject
        }
    }

    /// The whole PDU, parsed when asked for.
    package func document() throws(EventError) -> JSON {
        do {
            return try JSONDocument(parsing: json, limits: .lenientEvent).root
        } catch {
            throw .json(error)
        }
    }

    /// The event without what a redaction takes away. It keeps its ID. Rooms §Redactions.
    package func redacted() throws(EventError) -> Event {
        try Event(trusted: Redaction.redact(document(), rules: version.redactionRules), id: id, version: version)
    }
}

extension Event: CustomStringConvertible {
    package var description: String { "\(id) (\(type) by \(sender) in \(roomID))" }
}

extension JSON {
    /// `{}`
    package static let emptyObject: JSON = {
        // A constant text; the parser accepts it.
        guard let document = try? JSONDocument(parsing: Array("{}".utf8)) else { preconditionFailure("{} is JSON") }
        return document.root
    }()
}
