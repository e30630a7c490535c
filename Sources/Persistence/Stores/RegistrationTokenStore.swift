// Tokens that let people register: table `registration_tokens` (migrations 21, 28).
// Client-Server API §Token-authenticated registration.

import MatrixCore

/// One row of `registration_tokens`.
package struct RegistrationTokenRow: Sendable, Equatable {
    package var token: String
    /// nil: as many as there are.
    package var usesAllowed: Int64?
    /// Registrations that have shown the token and are not done.
    package var pending: Int64 = 0
    package var completed: Int64 = 0
    package var expiry: Timestamp?

    package init(token: String, usesAllowed: Int64?, expiry: Timestamp?) {
        self.token = token
        self.usesAllowed = usesAllowed
        self.expiry = expiry
    }

    fileprivate init(_ row: SQLRow) {
        token = row.text(0)
        usesAllowed = row.optionalInt(1)
        pending = row.int(2)
        completed = row.int(3)
        expiry = row.optionalInt(4).map { Timestamp(milliseconds: $0) }
    }

    /// Whether somebody could begin to register with it.
    package func isValid(at now: Timestamp) -> Bool {
        if let expiry, expiry < now { return false }
        if let usesAllowed, pending + completed >= usesAllowed { return false }
        return true
    }
}

/// Reads and writes registration tokens, which are found by their SHA-256: the time that a database takes to compare a guess with the tokens
/// themselves would tell of them.
package enum RegistrationTokenStore {
    /// False if there is one of this text already.
    package static func insert(_ row: RegistrationTokenRow, on connection: any SQLConnection) throws -> Bool {
        try connection.execute(
            """
            INSERT INTO registration_tokens (token, token_hash, uses_allowed, pending, completed, expiry_ts) VALUES ($1, $2, $3, $4, $5, $6)
            ON CONFLICT DO NOTHING
            """,
            [
                .text(row.token), hash(of: row.token), .optional(row.usesAllowed), .int(row.pending), .int(row.completed),
                .optional(row.expiry?.milliseconds),
            ]) == 1
    }

    package static func token(_ token: String, on connection: any SQLConnection) throws -> RegistrationTokenRow? {
        try connection.first(
            "SELECT token, uses_allowed, pending, completed, expiry_ts FROM registration_tokens WHERE token_hash = $1", [hash(of: token)],
            RegistrationTokenRow.init)
    }

    package static func tokens(on connection: any SQLConnection) throws -> [RegistrationTokenRow] {
        try connection.rows(
            "SELECT token, uses_allowed, pending, completed, expiry_ts FROM registration_tokens ORDER BY token", [],
            RegistrationTokenRow.init)
    }

    /// Holds a valid token for a registration that has begun; false if it is not valid.
    package static func reserve(_ token: String, at now: Timestamp, on connection: any SQLConnection) throws -> Bool {
        try connection.execute(
            """
            UPDATE registration_tokens SET pending = pending + 1
            WHERE token_hash = $1 AND (expiry_ts IS NULL OR expiry_ts >= $2) AND (uses_allowed IS NULL OR pending + completed < uses_allowed)
            """, [hash(of: token), .int(now.milliseconds)]) == 1
    }

    /// False if there is no such token.
    package static func setUsesAllowed(_ uses: Int64?, of token: String, on connection: any SQLConnection) throws -> Bool {
        try connection.execute(
            "UPDATE registration_tokens SET uses_allowed = $2 WHERE token_hash = $1", [hash(of: token), .optional(uses)]) == 1
    }

    /// False if there is no such token.
    package static func setExpiry(_ expiry: Timestamp?, of token: String, on connection: any SQLConnection) throws -> Bool {
        try connection.execute(
            "UPDATE registration_tokens SET expiry_ts = $2 WHERE token_hash = $1", [hash(of: token), .optional(expiry?.milliseconds)]) == 1
    }

    /// False if there is no such token.
    package static func delete(_ token: String, on connection: any SQLConnection) throws -> Bool {
        try connection.execute("DELETE FROM registration_tokens WHERE token_hash = $1", [hash(of: token)]) == 1
    }

    private static func hash(of token: String) -> SQLValue { .blob(SHA256Hash.hash(Array(token.utf8))) }
}
