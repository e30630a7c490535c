// How a level is written in an event. Rooms v1 §m.room.power_levels events accept values as strings, … as floats;
// Rooms v10 §Values in m.room.power_levels events must be integers.

extension PowerLevels {
    /// The property of a power levels event which is not what `m.room.power_levels` says today: integers in the range of canonical
    /// JSON, and objects of them.
    ///
    /// Rooms before version 10 accept more (``RoomVersion/level(_:)``); a server is to keep its users from sending it. Rooms v1
    /// §Deprecated event content schemas.
    package static func malformedProperty(of content: JSON) -> String? {
        func isLevel(_ value: JSON) -> Bool { value.int.map { $0.magnitude <= JSONNumber.maxInteger.magnitude } ?? false }
        if let property = Property.allCases.first(where: { content[$0.name].map { !isLevel($0) } ?? false }) { return property.name }
        return ["events", "notifications", "users"].first { name in
            content[name].map { !$0.isObject || !$0.members.allSatisfy { isLevel($0.value) } } ?? false
        }
    }
}

extension RoomVersion {
    /// The level that `value` spells in this room version, or `nil` when it spells none.
    ///
    /// Before room version 10 that may be a string (`" +050 "`), and before 6 a number with a fraction (50.57 is 50) or one beyond
    /// 64 bits. Levels are only ever compared, so one that is too great for 64 bits is the greatest of them.
    package func level(_ value: JSON) -> Int64? {
        if let integer = value.int { return integer }
        guard !integerPowerLevels else { return nil }
        return switch value.kind {
        case .integer: Self.saturating(digits: value.bytes)
        case .number: value.double.flatMap(Self.truncated)
        case .string: value.string.flatMap(Self.spelledInteger)
        default: nil
        }
    }

    /// "First, exponential notation is applied. Second, the value is truncated at the decimal point." Infinity and what is no
    /// number make an event be rejected.
    private static func truncated(_ value: Double) -> Int64? {
        guard value.isFinite else { return nil }
        return Int64(exactly: value.rounded(.towardZero)) ?? (value < 0 ? .min : .max)
    }

    /// A base 10 integer, with white space around it, one sign and zeros in front of it.
    private static func spelledInteger(_ text: String) -> Int64? {
        var scalars = text.unicodeScalars[...]
        while scalars.first?.properties.isWhitespace == true { scalars.removeFirst() }
        while scalars.last?.properties.isWhitespace == true { scalars.removeLast() }
        return saturating(digits: Substring(scalars).utf8)
    }

    /// The integer of these characters; the nearest that fits 64 bits.
    private static func saturating(digits text: some Collection<UInt8>) -> Int64? {
        let isNegative = text.first == UInt8(ascii: "-")
        let digits = isNegative || text.first == UInt8(ascii: "+") ? text.dropFirst() : text[...]
        guard !digits.isEmpty else { return nil }
        var value: Int64 = 0
        var fits = true
        for character in digits {
            guard character.isASCIIDigit else { return nil }
            let digit = Int64(character - UInt8(ascii: "0"))
            let (tenfold, overflow) = value.multipliedReportingOverflow(by: 10)
            let (sum, tooFar) = isNegative ? tenfold.subtractingReportingOverflow(digit) : tenfold.addingReportingOverflow(digit)
            if overflow || tooFar { fits = false }
            if fits { value = sum }
        }
        return fits ? value : isNegative ? .min : .max
    }
}
