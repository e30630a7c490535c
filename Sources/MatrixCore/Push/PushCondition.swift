// The conditions of push rules. Client-Server API §Push Rules, conditions.

/// A condition, compiled for evaluation beside the JSON it came from.
package struct PushCondition: Sendable, Hashable {
    /// What clients get to see: the condition as it was stored, unknown properties included.
    package let json: JSONValue
    let test: Test

    enum Test: Sendable, Hashable {
        case eventMatch(Property, Glob)
        case eventPropertyIs(Property, JSONValue)
        case eventPropertyContains(Property, JSONValue)
        case containsDisplayName
        case roomMemberCount(Comparison, Int)
        case senderNotificationPermission(ByteString)
        /// MSC4306: the event is in a thread, which the user follows or does not.
        case threadSubscription(Bool)
        /// An unrecognised or malformed condition, which matches no event.
        case never
    }

    /// What a `key` names. The properties that an ``Event`` has at hand are told apart here, once, rather than at each event.
    enum Property: Sendable, Hashable {
        case type, stateKey, sender, roomID, eventID
        /// `content.body`, which is matched by words.
        case body
        /// A property of the content, by the names below `content`.
        case content(ArraySlice<ByteString>)
        case other(PropertyPath)

        init(key: String) {
            switch key {
            case "type": self = .type
            case "state_key": self = .stateKey
            case "sender": self = .sender
            case "room_id": self = .roomID
            case "event_id": self = .eventID
            case "content.body": self = .body
            default:
                let path = PropertyPath(key)
                self = path.names[0] == "content" ? .content(path.names.dropFirst()) : .other(path)
            }
        }
    }

    enum Comparison: String, Sendable {
        case equal = "=="
        case less = "<"
        case lessOrEqual = "<="
        case greater = ">"
        case greaterOrEqual = ">="
    }

    package init(json: JSONValue) {
        self.json = json
        test = Self.compile(json)
    }

    static func eventMatch(_ key: String, _ pattern: String) -> PushCondition {
        PushCondition(json: ["kind": "event_match", "key": .string(key), "pattern": .string(pattern)])
    }

    private static func compile(_ json: JSONValue) -> Test {
        let property = json["key"]?.string.map { Property(key: $0) }
        switch json["kind"]?.string {
        case "event_match":
            guard let property, let pattern = json["pattern"]?.string else { return .never }
            return .eventMatch(property, Glob(pattern))
        case "event_property_is":
            guard let property, let value = json["value"], isSimple(value) else { return .never }
            return .eventPropertyIs(property, value)
        case "event_property_contains":
            guard let property, let value = json["value"], isSimple(value) else { return .never }
            return .eventPropertyContains(property, value)
        case "contains_display_name":
            return .containsDisplayName
        case "room_member_count":
            guard let (comparison, count) = json["is"]?.string.flatMap(memberCount) else { return .never }
            return .roomMemberCount(comparison, count)
        case "sender_notification_permission":
            guard let key = json["key"]?.string else { return .never }
            return .senderNotificationPermission(ByteString(key))
        case "io.element.msc4306.thread_subscription":
            guard let isSubscribed = json["subscribed"]?.bool else { return .never }
            return .threadSubscription(isSubscribed)
        default:
            return .never
        }
    }

    /// Whether `value` is one of the kinds that properties are compared with: no object, no array, no fraction.
    private static func isSimple(_ value: JSONValue) -> Bool {
        switch value {
        case .string, .int, .bool, .null: true
        case .double, .array, .object: false
        }
    }

    /// Reads a decimal integer behind an optional comparison, for example `<=10`.
    private static func memberCount(_ text: String) -> (Comparison, Int)? {
        let sign = String(text.prefix { "<>=".contains($0) })
        let digits = text.dropFirst(sign.count)
        guard let comparison = sign.isEmpty ? .equal : Comparison(rawValue: sign),
            !digits.isEmpty, digits.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }),
            let count = Int(digits)
        else { return nil }
        return (comparison, count)
    }
}

extension PushCondition.Comparison {
    func holds(_ count: Int, _ number: Int) -> Bool {
        switch self {
        case .equal: count == number
        case .less: count < number
        case .lessOrEqual: count <= number
        case .greater: count > number
        case .greaterOrEqual: count >= number
        }
    }
}
