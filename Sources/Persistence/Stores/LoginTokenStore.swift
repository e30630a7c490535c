// Tokens that are good for one login: table `login_tokens` (migration 23). Client-Server API §Token-based login.

import MatrixCore

/// What a login token stands for.
package struct LoginTokenRow: Sendable {
    package let user: UserID
    package let expiry: Timestamp
    /// How the user has proved who they are; nil where a session of theirs has asked for the token.
    package let provider: ProviderSession?
    /// What the provider's mapping adds to the answer of the login: a JSON object.
    package let attributes: [UInt8]?

    package init(user: UserID, expiry: Timestamp, provider: ProviderSession? = nil, attributes: [UInt8]? = nil) {
        self.user = user
        self.expiry = expiry
        self.provider = provider
        self.attributes = attributes
    }

    fileprivate init(_ row: SQLRow) {
        user = UserID(trusted: row.text(0))
        expiry = Timestamp(milliseconds: row.int(1))
        provider = row.optionalText(2).map { ProviderSession(provider: $0, session: row.optionalText(3)) }
        attributes = row.optionalBlob(4)
    }
}

/// A session at a provider of single sign-on.
package struct ProviderSession: Sendable, Hashable {
    /// The provider, by the id that this server gives it.
    package let provider: String
    /// The session, as the provider names it; nil where it names none.
    package let session: String?

    package init(provider: String, session: String?) {
        self.provider = provider
        self.session = session
    }
}

/// Reads and writes login tokens, by their SHA-256.
package enum LoginTokenStore {
    /// Stores a token, and forgets those that have expired.
    package static func insert(
        _ hash: [UInt8], _ row: LoginTokenRow, at now: Timestamp, on connection: any SQLConnection
    ) throws {
        try connection.enqueue("DELETE FROM login_tokens WHERE expiry_ts <= $1", [.int(now.milliseconds)])
        try connection.enqueue(
            """
            INSERT INTO login_tokens (token_hash, user_id, expiry_ts, auth_provider, auth_provider_session, attributes)
            VALUES ($1, $2, $3, $4, $5, $6)
            """,
            [
                .blob(hash), .text(row.user.string), .int(row.expiry.milliseconds), .optional(row.provider?.provider),
                .optional(row.provider?.session), .optional(row.attributes),
            ])
    }

    /// Takes a token away and tells what it stood for: of two who come with it at the same time, one gets nothing.
    package static func take(_ hash: [UInt8], on connection: any SQLConnection) throws -> LoginTokenRow? {
        try connection.first(
            """
            DELETE FROM login_tokens WHERE token_hash = $1
            RETURNING user_id, expiry_ts, auth_provider, auth_provider_session, attributes
            """, [.blob(hash)], LoginTokenRow.init)
    }

    /// Ends the tokens of a user.
    package static func delete(of user: UserID, on connection: any SQLConnection) throws {
        try connection.enqueue("DELETE FROM login_tokens WHERE user_id = $1", [.text(user.string)])
    }

    /// Ends the tokens that came of a provider's session.
    package static func delete(of session: ProviderSession, on connection: any SQLConnection) throws {
        try connection.enqueue(
            "DELETE FROM login_tokens WHERE auth_provider = $1 AND auth_provider_session = $2",
            [.text(session.provider), .optional(session.session)])
    }
}
