// Migration 12: accounts that come to an end.

extension Migration {
    /// Whether a deactivated account's events are hidden from those who come later, and who still has rooms to leave.
    package static let accountEnding = Migration(number: 12, name: "account ending") { _ in
        [
            "ALTER TABLE users ADD COLUMN erased BOOLEAN NOT NULL DEFAULT false",
            // One row per deactivated account that has not yet left all its rooms.
            "CREATE TABLE user_partings (user_id TEXT NOT NULL PRIMARY KEY)",
        ]
    }
}
