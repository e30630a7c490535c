// The numbers of the authorization rules in the texts of the room versions. Rooms §Authorisation rules.

/// Translates the rule numbers that the code carries, which are room version 12's, into those of an older version's text.
///
/// The rules themselves hardly change from version to version, but each rule that is added or dropped moves the numbers of all
/// that follow. An entry says what a number (and all numbers below it) is called in this version. Two rules of old versions
/// have no number in version 12: those on `m.room.aliases` and `m.room.redaction` are called `aliases` and `redaction` here.
enum AuthRuleNumbering: Sendable {
    /// Room versions 1 and 2.
    case v1
    /// Room versions 3 to 5: none on redactions (11).
    case v3
    /// Room version 6: none on `m.room.aliases` (4).
    case v6
    /// Room version 7: knocks (4.6).
    case v7
    /// Room versions 8 and 9: restricted joins (4.2, 4.3.5).
    case v8
    /// Room versions 10 and 11: integers only in the power levels (9.1, 9.2).
    case v10
    /// Room version 12: the room's id is tied to its create event (2), creators are not in the power levels (10.4).
    case v12

    /// What the rule `v12`, named as room version 12 numbers it, is called in this version's text.
    func number(_ v12: String) -> String {
        let entry =
            renamed
            .filter { v12 == $0.v12 || v12.hasPrefix($0.v12 + ".") }
            .max { $0.v12.utf8.count < $1.v12.utf8.count }
        guard let entry else { return v12 }
        return entry.here + v12.dropFirst(entry.v12.count)
    }

    private typealias Renaming = (v12: String, here: String)

    /// From a number of room version 12 to this version's. The longest entry that leads a number decides.
    private var renamed: [Renaming] {
        switch self {
        case .v12: []
        case .v10: Self.withoutRoomIDRule + Self.powerLevels(rule: "9", from: 4)
        case .v8: Self.withoutRoomIDRule + Self.spelledPowerLevels(rule: "9")
        case .v7: Self.withoutRoomIDRule + Self.unrestrictedMemberships(rule: "4", unknown: 7) + Self.spelledPowerLevels(rule: "9")
        case .v6: Self.withoutRoomIDRule + Self.unrestrictedMemberships(rule: "4", unknown: 6) + Self.spelledPowerLevels(rule: "9")
        case .v3: Self.withAliasesRule
        case .v1: Self.withAliasesRule + [("redaction", "11"), ("11", "12")]
        }
    }

    /// Room versions 6 to 11: none of the rules after the first is where version 12 has it.
    private static let withoutRoomIDRule: [Renaming] = [
        ("3", "2"), ("4", "3"), ("5", "4"), ("6", "5"), ("7", "6"), ("8", "7"), ("9", "8"), ("10", "9"), ("11", "10"),
    ]

    /// Room versions 1 to 5: the rule on aliases takes the place of the one that version 12 added.
    private static let withAliasesRule: [Renaming] =
        [("3", "2"), ("4", "3"), ("aliases", "4")] + unrestrictedMemberships(rule: "5", unknown: 6) + spelledPowerLevels(rule: "10")

    /// Before room version 8 nothing is said of joins that a server authorises, before 7 nothing of knocks.
    ///
    /// - Parameter unknown: the last subrule, on memberships that the version does not know.
    private static func unrestrictedMemberships(rule: String, unknown: Int) -> [Renaming] {
        [
            ("5.3", "\(rule).2"), ("5.3.6", "\(rule).2.5"), ("5.3.7", "\(rule).2.6"), ("5.4", "\(rule).3"),
            ("5.5", "\(rule).4"), ("5.6", "\(rule).5"), ("5.7", "\(rule).6"), ("5.8", "\(rule).\(unknown)"),
        ]
    }

    /// Before room version 10 power levels have several spellings, and the rules begin with the one on users (10.3).
    private static func spelledPowerLevels(rule: String) -> [Renaming] {
        [("10.3", "\(rule).1")] + powerLevels(rule: rule, from: 2)
    }

    /// The rules from 10.5 on, of which the first is here the rule's subrule `first`.
    private static func powerLevels(rule: String, from first: Int) -> [Renaming] {
        (5...11).map { ("10.\($0)", "\(rule).\(first + $0 - 5)") }
    }
}
