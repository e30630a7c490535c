// Profiles of the local accounts: table `profile_fields` (migration 2).

import MatrixCore

/// Reads and writes profiles, a field at a time. A field's value is JSON.
package enum ProfileStore {
    /// The fields that are set, in the order of their names.
    package static func profile(of user: UserID, on connection: any SQLConnection) throws -> [(field: ByteString, value: [UInt8])] {
        try connection.rows(
            "SELECT field, value FROM profile_fields WHERE user_id = $1 ORDER BY field", [.text(user.string)]
        ) { (ByteString($0.text(0)), $0.blob(1)) }
    }

    package static func field(_ field: ByteString, of user: UserID, on connection: any SQLConnection) throws -> [UInt8]? {
        try connection.first(
            "SELECT value FROM profile_fields WHERE user_id = $1 AND field = $2", [.text(user.string), .text(field.string)]
        ) { $0.blob(0) }
    }

    package static func set(_ field: ByteString, to value: [UInt8], of user: UserID, on connection: any SQLConnection) throws {
        try connection.enqueue(
            """
            INSERT INTO profile_fields (user_id, field, value) VALUES ($1, $2, $3)
            ON CONFLICT (user_id, field) DO UPDATE SET value = excluded.value
            """, [.text(user.string), .text(field.string), .blob(value)])
    }

    package static func delete(_ field: ByteString, of user: UserID, on connection: any SQLConnection) throws {
        try connection.enqueue(
            "DELETE FROM profile_fields WHERE user_id = $1 AND field = $2", [.text(user.string), .text(field.string)])
    }
}
