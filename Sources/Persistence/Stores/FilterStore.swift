// The filters that clients have uploaded: table `filters` (migration 2). Client-Server API §Filtering.

import MatrixCore

/// Reads and writes filters.
package enum FilterStore {
    /// The number of the user's filter with exactly this definition, which is added if there is none.
    package static func identify(_ definition: [UInt8], of user: UserID, on connection: any SQLConnection) throws -> Int64 {
        if let known = try connection.first(
            "SELECT filter_id FROM filters WHERE user_id = $1 AND definition = $2 LIMIT 1",
            [.text(user.string), .blob(definition)], { $0.int(0) })
        {
            return known
        }
        let id =
            try connection.first(
                "SELECT coalesce(max(filter_id) + 1, 0) FROM filters WHERE user_id = $1", [.text(user.string)]
            ) { $0.int(0) } ?? 0
        let added = try connection.execute(
            "INSERT INTO filters (user_id, filter_id, definition) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
            [.text(user.string), .int(id), .blob(definition)])
        // Another transaction took the number at the same moment: the caller's transaction is run again.
        guard added == 1 else { throw DatabaseError(.serialization, "another filter was added at the same moment") }
        return id
    }

    package static func definition(_ id: Int64, of user: UserID, on connection: any SQLConnection) throws -> [UInt8]? {
        try connection.first(
            "SELECT definition FROM filters WHERE user_id = $1 AND filter_id = $2", [.text(user.string), .int(id)]
        ) { $0.blob(0) }
    }
}
