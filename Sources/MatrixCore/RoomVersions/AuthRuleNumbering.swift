// The numbers of the authorization rules in the texts of the room versions. Rooms §Authorisation rules.

/// Translates the rule numbers that the code carries, which are room version 12's, into those of an older version's text.
///
/// The rules themselves hardly change from version to version, but each rule that is added moves the numbers of all that
/// follow. An entry says what a number (and all numbers below it) is called in this version.
enum AuthRuleNumbering: Sendable {
    /// Room versions 10 and 11: no rule that ties the room's id to its create event (2), none on creators in the power levels (10.4).
    case v10
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

    /// From a number of room version 12 to this version's. The longest entry that leads a number decides.
    private var renamed: [(v12: String, here: String)] {
        switch self {
        case .v12:
            []
        case .v10:
            [
                ("3", "2"), ("4", "3"), ("5", "4"), ("6", "5"), ("7", "6"), ("8", "7"), ("9", "8"), ("10", "9"),
                ("10.5", "9.4"), ("10.6", "9.5"), ("10.7", "9.6"), ("10.8", "9.7"), ("10.9", "9.8"), ("10.10", "9.9"),
            ]
        }
    }
}
