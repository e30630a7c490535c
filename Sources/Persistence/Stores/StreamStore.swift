// The ceilings of the number sequences: table `streams` (migration 1).

/// Reads and raises the ceilings up to which numbers may have been given out.
package enum StreamStore {
    /// The ceiling of every sequence that was ever used.
    package static func ceilings(on connection: any SQLConnection) throws -> [String: Int64] {
        var result: [String: Int64] = [:]
        try connection.query("SELECT name, reserved FROM streams", []) { row in result[row.text(0)] = row.int(1) }
        return result
    }

    package static func setCeiling(_ ceiling: Int64, of name: String, on connection: any SQLConnection) throws {
        try connection.enqueue(
            """
            INSERT INTO streams (name, reserved) VALUES ($1, $2)
            ON CONFLICT (name) DO UPDATE SET reserved = excluded.reserved
            """, [.text(name), .int(ceiling)])
    }
}
