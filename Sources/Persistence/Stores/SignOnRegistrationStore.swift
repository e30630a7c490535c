// Registrations by single sign-on that are under way: table `sign_on_registrations` (migration 24).

import MatrixCore

package struct SignOnRegistrationRow: Sendable {
    package let expiry: Timestamp
    package let provider: ProviderSession
    /// JSON.
    package let content: [UInt8]

    package init(expiry: Timestamp, provider: ProviderSession, content: [UInt8]) {
        self.expiry = expiry
        self.provider = provider
        self.content = content
    }

    fileprivate init(_ row: SQLRow) {
        expiry = Timestamp(milliseconds: row.int(0))
        provider = ProviderSession(provider: row.text(1), session: row.optionalText(2))
        content = row.blob(3)
    }
}

/// Reads and writes registrations, by the SHA-256 of what the browser has.
package enum SignOnRegistrationStore {
    /// Stores a registration, and forgets those that have expired.
    package static func insert(
        _ hash: [UInt8], _ row: SignOnRegistrationRow, at now: Timestamp, on connection: any SQLConnection
    ) throws {
        try connection.enqueue("DELETE FROM sign_on_registrations WHERE expiry_ts <= $1", [.int(now.milliseconds)])
        try connection.enqueue(
            """
            INSERT INTO sign_on_registrations (session_hash, expiry_ts, auth_provider, auth_provider_session, content)
            VALUES ($1, $2, $3, $4, $5)
            """,
            [
                .blob(hash), .int(row.expiry.milliseconds), .text(row.provider.provider), .optional(row.provider.session),
                .blob(row.content),
            ])
    }

    package static func registration(_ hash: [UInt8], on connection: any SQLConnection) throws -> SignOnRegistrationRow? {
        try connection.first(
            """
            SELECT expiry_ts, auth_provider, auth_provider_session, content FROM sign_on_registrations WHERE session_hash = $1
            """, [.blob(hash)], SignOnRegistrationRow.init)
    }

    package static func setContent(_ content: [UInt8], of hash: [UInt8], on connection: any SQLConnection) throws {
        try connection.enqueue("UPDATE sign_on_registrations SET content = $2 WHERE session_hash = $1", [.blob(hash), .blob(content)])
    }

    package static func delete(_ hash: [UInt8], on connection: any SQLConnection) throws {
        try connection.enqueue("DELETE FROM sign_on_registrations WHERE session_hash = $1", [.blob(hash)])
    }

    /// Ends the registrations that came of a provider's session.
    package static func delete(of session: ProviderSession, on connection: any SQLConnection) throws {
        try connection.enqueue(
            "DELETE FROM sign_on_registrations WHERE auth_provider = $1 AND auth_provider_session = $2",
            [.text(session.provider), .optional(session.session)])
    }
}
