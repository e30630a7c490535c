// The conditions of push rules. Client-Server API §Push Rules, conditions.

/// A condition, compiled for evaluation beside the JSON it came from.
package struct PushCondition: Sendable, Hashable {
    /// What clients get to see: the condition as it was stored, unknown properties included.
    package let json: JSONValue
    let test: Test

    enum Test: Sendable, Hashable {
        case eventMatch(PropertyPath, Glob)
        case eventPropertyIs(PropertyPath, JSONValue)
        case eventPropertyContains(PropertyPath, JSONValue)
        case containsDisplayName
        case roomMemberCount(Comparison, Int)
        case senderNotificationPermission(ByteString)
        /// An unrecognised or malformed condition, which matches no event.
        case never
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
        let path = json["key"]?.string.map { PropertyPath($0) }
        switch json["kind"]?.string {
        case "event_match":
            guard let path, let pattern = json["pattern"]?.string else { return .never }
            return .eventMatch(path, Glob(pattern))
        case "event_property_is":
            guard let path, let value = json["value"], isSimple(value) else { return .never }
            return .eventPropertyIs(path, value)
        case "event_property_contains":
            guard let path, let value = json["value"], isSimple(value) else { return .never }
            return .eventPropertyContains(path, value)
        case "contains_display_name":
            return .containsDisplayName
        case "room_member_count":
            guard let (comparison, count) = json["is"]?.string.flatMap(memberCount) else { return .never }
            return .roomMemberCount(comparison, count)
        case "sender_notification_permission":
            guard let key = json["key"]?.string else { return .never }
            return .senderNotificationPermission(ByteString(key))
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
