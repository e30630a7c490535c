import MatrixCore
import Testing

/// The numbers of the rules in the texts of the room versions, a column per text, a row per rule or group of rules. What is below
/// a row's number keeps its own ending.
enum AuthRuleNumbers {
    /// Room version 12's number (of rules it lacks, what the code calls them), then those of 10 and 11, 8 and 9, 7, 6, 3 to 5, 1 and 2.
    static let rows: [[String?]] = [
        ["1", "1", "1", "1", "1", "1", "1"],
        ["2", nil, nil, nil, nil, nil, nil],
        ["3.1", "2.1", "2.1", "2.1", "2.1", "2.1", "2.1"],
        ["3.2", "2.2", "2.2", "2.2", "2.2", "2.2", "2.2"],
        ["3.3", "2.3", "2.3", "2.3", "2.3", "2.3", "2.3"],
        ["3.4", "2.4", "2.4", "2.4", "2.4", "2.4", "2.4"],
        ["3.5", "2.5", "2.5", "2.5", "2.5", "2.5", "2.5"],
        ["4", "3", "3", "3", "3", "3", "3"],
        ["aliases", nil, nil, nil, nil, "4", "4"],
        ["5.1", "4.1", "4.1", "4.1", "4.1", "5.1", "5.1"],
        ["5.2", "4.2", "4.2", nil, nil, nil, nil],
        ["5.3", "4.3", "4.3", "4.2", "4.2", "5.2", "5.2"],
        ["5.3.5", "4.3.5", "4.3.5", nil, nil, nil, nil],
        ["5.3.6", "4.3.6", "4.3.6", "4.2.5", "4.2.5", "5.2.5", "5.2.5"],
        ["5.3.7", "4.3.7", "4.3.7", "4.2.6", "4.2.6", "5.2.6", "5.2.6"],
        ["5.4", "4.4", "4.4", "4.3", "4.3", "5.3", "5.3"],
        ["5.5", "4.5", "4.5", "4.4", "4.4", "5.4", "5.4"],
        ["5.6", "4.6", "4.6", "4.5", "4.5", "5.5", "5.5"],
        ["5.7", "4.7", "4.7", "4.6", nil, nil, nil],
        ["5.8", "4.8", "4.8", "4.7", "4.6", "5.6", "5.6"],
        ["6", "5", "5", "5", "5", "6", "6"],
        ["7", "6", "6", "6", "6", "7", "7"],
        ["8", "7", "7", "7", "7", "8", "8"],
        ["9", "8", "8", "8", "8", "9", "9"],
        ["10.1", "9.1", nil, nil, nil, nil, nil],
        ["10.2", "9.2", nil, nil, nil, nil, nil],
        ["10.3", "9.3", "9.1", "9.1", "9.1", "10.1", "10.1"],
        ["10.4", nil, nil, nil, nil, nil, nil],
        ["10.5", "9.4", "9.2", "9.2", "9.2", "10.2", "10.2"],
        ["10.6", "9.5", "9.3", "9.3", "9.3", "10.3", "10.3"],
        ["10.7", "9.6", "9.4", "9.4", "9.4", "10.4", "10.4"],
        ["10.8", "9.7", "9.5", "9.5", "9.5", "10.5", "10.5"],
        ["10.9", "9.8", "9.6", "9.6", "9.6", "10.6", "10.6"],
        ["10.10", "9.9", "9.7", "9.7", "9.7", "10.7", "10.7"],
        ["redaction", nil, nil, nil, nil, nil, "11"],
    ]

    private static let columns: [String: Int] = [
        "1": 6, "2": 6, "3": 5, "4": 5, "5": 5, "6": 4, "7": 3, "8": 2, "9": 2, "10": 1, "11": 1, "12": 0,
    ]

    /// What the rule is called in the text of `version`; `nil` when that text has no such rule.
    static func number(_ rule: String, in version: RoomVersion) -> String? {
        let row = rows.filter { $0[0] == rule || rule.hasPrefix("\($0[0] ?? "").") }.max { ($0[0]?.count ?? 0) < ($1[0]?.count ?? 0) }
        guard let row, let v12 = row[0], let here = row[columns[version.id] ?? 0] else { return nil }
        return here + rule.dropFirst(v12.count)
    }
}
