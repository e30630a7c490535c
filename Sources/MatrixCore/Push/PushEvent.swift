// An event as push rules look at it. Client-Server API §Push Rules, conditions.

/// An event and what its room says about it, prepared once to be tried on the rules of many users.
///
/// Not `Sendable`: it fills in what conditions ask for as they ask, within one task.
package final class PushEvent {
    package let sender: UserID
    private let id: EventID
    private let roomID: RoomID
    private let eventType: ByteString
    private let eventStateKey: ByteString?
    private let source: Source
    private let memberCount: Int
    private let powerLevels: PowerLevels

    /// Where the properties are that are not at hand.
    private enum Source {
        case pdu(Event)
        case client(JSON)
    }

    /// - Parameters:
    ///   - memberCount: how many users are joined to the room.
    ///   - powerLevels: those in force at the event.
    package init(_ event: Event, memberCount: Int, powerLevels: PowerLevels) {
        sender = event.sender
        id = event.id
        roomID = event.roomID
        eventType = event.type
        eventStateKey = event.stateKey
        source = .pdu(event)
        self.memberCount = memberCount
        self.powerLevels = powerLevels
    }

    /// An event in the form in which clients get it, without `room_id`.
    ///
    /// - Parameter json: the event's object.
    package init(
        json: JSON, id: EventID, roomID: RoomID, type: ByteString, stateKey: ByteString?, sender: UserID, memberCount: Int,
        powerLevels: PowerLevels
    ) {
        self.sender = sender
        self.id = id
        self.roomID = roomID
        eventType = type
        eventStateKey = stateKey
        source = .client(json)
        self.memberCount = memberCount
        self.powerLevels = powerLevels
    }

    private lazy var content: JSON? =
        switch source {
        case .pdu(let event): event.content()
        case .client(let json): json["content"]
        }
    private lazy var senderLevel = powerLevels.level(of: sender)

    // What most conditions match, in the form in which globs want it.
    private lazy var type = LowercasedText(eventType.string)
    private lazy var stateKey = eventStateKey.map { LowercasedText($0.string) }
    private lazy var body = content?["body"]?.string.map { LowercasedText($0) }

    /// The whole event, for conditions on properties that are neither well known nor in the content.
    private lazy var document: JSON? = {
        switch source {
        case .client(let json): return json
        case .pdu(let event):
            do {
                return try event.document()
            } catch {
                // An `Event` holds JSON that was parsed before. Should it not parse, it has none of these properties.
                return nil
            }
        }
    }()

    /// Whether `condition` holds.
    ///
    /// - Parameters:
    ///   - displayName: the rule's owner's in the room; `nil` or empty matches nothing.
    ///   - followsThread: whether the rule's owner follows the event's thread; `nil` where it is in none.
    func satisfies(_ condition: PushCondition, displayName: String?, followsThread: Bool?) -> Bool {
        switch condition.test {
        case .eventMatch(.body, let glob):
            return body.map { glob.matchesWords(of: $0) } ?? false
        case .eventMatch(let property, let glob):
            return text(of: property).map { glob.matches($0) } ?? false
        case .eventPropertyIs(.roomID, .string(let text)):
            // The form for clients has no `room_id`.
            return roomID.text == ByteString(text)
        case .eventPropertyIs(let property, let value):
            return json(of: property).map { Self.is($0, value) } ?? false
        case .eventPropertyContains(let property, let value):
            return json(of: property).map { $0.elements.contains { Self.is($0, value) } } ?? false
        case .containsDisplayName:
            guard let displayName, !displayName.isEmpty, let body else { return false }
            return Glob(literal: displayName).matchesWords(of: body)
        case .roomMemberCount(let comparison, let count):
            return comparison.holds(memberCount, count)
        case .senderNotificationPermission(let key):
            return senderLevel >= powerLevels.required(toNotify: key)
        case .threadSubscription(let isSubscribed):
            return followsThread == isSubscribed
        case .never:
            return false
        }
    }

    /// The string that `property` is; `nil` when it is something else or absent.
    private func text(of property: PushCondition.Property) -> LowercasedText? {
        switch property {
        case .type: type
        case .stateKey: stateKey
        case .sender: LowercasedText(sender.string)
        case .roomID: LowercasedText(roomID.string)
        case .eventID: LowercasedText(id.string)
        case .body: body
        case .content, .other: json(of: property)?.string.map { LowercasedText($0) }
        }
    }

    private func json(of property: PushCondition.Property) -> JSON? {
        switch property {
        case .type: document?["type"]
        case .stateKey: document?["state_key"]
        case .sender: document?["sender"]
        case .roomID: document?["room_id"]
        case .eventID: document?["event_id"]
        case .body: content?["body"]
        case .content(let names): content.flatMap { PropertyPath.value(at: names, in: $0) }
        case .other(let path): document.flatMap { path.value(in: $0) }
        }
    }

    /// Whether the value is exactly `wanted`, which is a string, an integer, a boolean or null.
    private static func `is`(_ value: JSON, _ wanted: JSONValue) -> Bool {
        switch wanted {
        case .string(let text): value.isString(text)
        case .int(let number): value.int == number
        case .bool(let flag): value.bool == flag
        case .null: value.isNull
        case .double, .array, .object: false
        }
    }
}
