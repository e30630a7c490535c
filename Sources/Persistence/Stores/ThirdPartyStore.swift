// Third-party identifiers of the local accounts: tables `user_threepids` and `bound_threepids` (migration 21).
// Client-Server API §Adding Account Administrative Contact Information.

import MatrixCore

/// One row of `user_threepids`.
package struct ThirdPartyRow: Sendable, Equatable {
    package let medium: String
    /// In canonical form.
    package let address: String
    package let validated: Timestamp
    package let added: Timestamp

    package init(medium: String, address: String, validated: Timestamp, added: Timestamp) {
        self.medium = medium
        self.address = address
        self.validated = validated
        self.added = added
    }
}

/// Reads and writes third-party identifiers.
package enum ThirdPartyStore {
    /// Gives an address to a user; false, and nothing changes, if it is somebody else's.
    package static func insert(_ row: ThirdPartyRow, of user: UserID, on connection: any SQLConnection) throws -> Bool {
        try connection.execute(
            """
            INSERT INTO user_threepids (medium, address, user_id, validated_ts, added_ts) VALUES ($1, $2, $3, $4, $5)
            ON CONFLICT (medium, address) DO UPDATE SET validated_ts = excluded.validated_ts
            WHERE user_threepids.user_id = excluded.user_id
            """,
            [
                .text(row.medium), .text(row.address), .text(user.string), .int(row.validated.milliseconds), .int(row.added.milliseconds),
            ]) == 1
    }

    package static func identifiers(of user: UserID, on connection: any SQLConnection) throws -> [ThirdPartyRow] {
        try connection.rows(
            "SELECT medium, address, validated_ts, added_ts FROM user_threepids WHERE user_id = $1 ORDER BY added_ts, medium, address",
            [.text(user.string)]
        ) {
            ThirdPartyRow(
                medium: $0.text(0), address: $0.text(1), validated: Timestamp(milliseconds: $0.int(2)),
                added: Timestamp(milliseconds: $0.int(3)))
        }
    }

    /// Whose address it is.
    package static func user(_ medium: String, _ address: String, on connection: any SQLConnection) throws -> UserID? {
        try connection.first(
            "SELECT user_id FROM user_threepids WHERE medium = $1 AND address = $2", [.text(medium), .text(address)]
        ) { UserID(trusted: $0.text(0)) }
    }

    package static func delete(_ medium: String, _ address: String, of user: UserID, on connection: any SQLConnection) throws {
        try connection.enqueue(
            "DELETE FROM user_threepids WHERE medium = $1 AND address = $2 AND user_id = $3",
            [.text(medium), .text(address), .text(user.string)])
    }

    package static func deleteAll(of user: UserID, on connection: any SQLConnection) throws {
        try connection.enqueue("DELETE FROM user_threepids WHERE user_id = $1", [.text(user.string)])
    }

    // MARK: Identity servers

    /// What is known of an address that was bound.
    package struct Binding: Sendable, Hashable {
        package let medium: String
        package let address: String
        package let server: String

        package init(medium: String, address: String, server: String) {
            self.medium = medium
            self.address = address
            self.server = server
        }
    }

    package static func bind(_ binding: Binding, to user: UserID, on connection: any SQLConnection) throws {
        try connection.enqueue(
            "INSERT INTO bound_threepids (user_id, medium, address, id_server) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
            [.text(user.string), .text(binding.medium), .text(binding.address), .text(binding.server)])
    }

    package static func bindings(of user: UserID, on connection: any SQLConnection) throws -> [Binding] {
        try connection.rows(
            "SELECT medium, address, id_server FROM bound_threepids WHERE user_id = $1 ORDER BY medium, address, id_server",
            [.text(user.string)]
        ) { Binding(medium: $0.text(0), address: $0.text(1), server: $0.text(2)) }
    }

    package static func unbind(_ binding: Binding, from user: UserID, on connection: any SQLConnection) throws {
        try connection.enqueue(
            "DELETE FROM bound_threepids WHERE user_id = $1 AND medium = $2 AND address = $3 AND id_server = $4",
            [.text(user.string), .text(binding.medium), .text(binding.address), .text(binding.server)])
    }
}
