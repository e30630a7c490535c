// An event as push rules look at it. Client-Server API §Push Rules, conditions.

/// An event and what its room says about it, prepared once to be tried on the rules of many users.
///
/// Not `Sendable`: it fills in what conditions ask for as they ask, within one task.
package final class PushEvent {
    private let event: Event
    private let memberCount: Int
    private let powerLevels: PowerLevels

    /// - Parameters:
    ///   - memberCount: how many users are joined to the room.
    ///   - powerLevels: those in force at the event.
    package init(_ event: Event, memberCount: Int, powerLevels: PowerLevels) {
        self.event = event
        self.memberCount = memberCount
        self.powerLevels = powerLevels
    }

    package var sender: UserID { event.sender }

    private lazy var content: JSON = event.content()
    private lazy var senderLevel = powerLevels.level(of: event.sender)
    private lazy var body: LowercasedText? = content["body"]?.string.map { LowercasedText($0) }

    /// The whole event, for conditions on properties that are neither well known nor in the content.
    private lazy var document: JSON? = {
        do {
            return try event.document()
        } catch {
            // An `Event` holds JSON that was parsed before. Should it not parse, it has none of these properties.
            return nil
        }
    }()

    /// Whether `condition` holds.
    ///
    /// - Parameter displayName: the rule's owner's in the room; `nil` or empty matches nothing.
    func satisfies(_ condition: PushCondition, displayName: String?) -> Bool {
        switch condition.test {
        case .eventMatch(let path, let glob):
            if path.names == Self.bodyPath { return body.map { glob.matchesWords(of: $0) } ?? false }
            return text(at: path).map { glob.matches(LowercasedText($0)) } ?? false
        case .eventPropertyIs(let path, let value):
            return property(at: path).map { Self.is($0, value) } ?? false
        case .eventPropertyContains(let path, let value):
            return property(at: path).map { $0.elements.contains { Self.is($0, value) } } ?? false
        case .containsDisplayName:
            guard let displayName, !displayName.isEmpty, let body else { return false }
            return Glob(literal: displayName).matchesWords(of: body)
        case .roomMemberCount(let comparison, let count):
            return comparison.holds(memberCount, count)
        case .senderNotificationPermission(let key):
            return senderLevel >= powerLevels.required(toNotify: key)
        case .never:
            return false
        }
    }

    private static let bodyPath: [ByteString] = ["content", "body"]

    /// The string at `path`. What is parsed already is not parsed again: most conditions ask for the type.
    private func text(at path: PropertyPath) -> String? {
        guard path.names.count == 1 else { return property(at: path)?.string }
        switch path.names[0] {
        case "type": return event.type.string
        case "state_key": return event.stateKey?.string
        case "sender": return event.sender.string
        case "room_id": return event.roomID.string
        case "event_id": return event.id.string
        default: return property(at: path)?.string
        }
    }

    private func property(at path: PropertyPath) -> JSON? {
        if path.names[0] == "content" { return PropertyPath.value(at: path.names.dropFirst(), in: content) }
        return document.flatMap { path.value(in: $0) }
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
