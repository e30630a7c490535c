// What users changed of the default push rules: table `push_rules` (migration 2).

import MatrixCore

/// Reads and writes a user's changes to the push rules, one JSON document per user.
package enum PushRuleStore {
    package static func changes(of user: UserID, on connection: any SQLConnection) throws -> (changes: [UInt8], position: Int64)? {
        try connection.first(
            "SELECT changes, position FROM push_rules WHERE user_id = $1", [.text(user.string)]
        ) { ($0.blob(0), $0.int(1)) }
    }

    package static func set(_ changes: [UInt8], of user: UserID, position: Int64, on connection: any SQLConnection) throws {
        try connection.enqueue(
            """
            INSERT INTO push_rules (user_id, position, changes) VALUES ($1, $2, $3)
            ON CONFLICT (user_id) DO UPDATE SET position = excluded.position, changes = excluded.changes
            """, [.text(user.string), .int(position), .blob(changes)])
    }
}
