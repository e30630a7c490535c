// Attempts to show that an address is somebody's: tables `threepid_sessions` and `threepid_tokens` (migration 21).

import MatrixCore

/// One row of `threepid_sessions`.
package struct ThirdPartySessionRow: Sendable {
    package var id: String
    package var purpose: String
    package var medium: String
    /// In canonical form.
    package var address: String
    /// SHA-256.
    package var clientSecretHash: [UInt8]
    package var sendAttempt: Int64
    package var created: Timestamp
    package var validated: Timestamp?

    package init(
        id: String, purpose: String, medium: String, address: String, clientSecretHash: [UInt8], sendAttempt: Int64, created: Timestamp
    ) {
        self.id = id
        self.purpose = purpose
        self.medium = medium
        self.address = address
        self.clientSecretHash = clientSecretHash
        self.sendAttempt = sendAttempt
        self.created = created
    }

    fileprivate init(_ row: SQLRow) {
        id = row.text(0)
        purpose = row.text(1)
        medium = row.text(2)
        address = row.text(3)
        clientSecretHash = row.blob(4)
        sendAttempt = row.int(5)
        created = Timestamp(milliseconds: row.int(6))
        validated = row.optionalInt(7).map { Timestamp(milliseconds: $0) }
    }
}

/// Reads and writes validation sessions and their tokens, of which only hashes are stored.
package enum ThirdPartySessionStore {
    private static let columns = "session_id, purpose, medium, address, client_secret_hash, send_attempt, created_ts, validated_ts"

    package static func session(_ id: String, on connection: any SQLConnection) throws -> ThirdPartySessionRow? {
        try connection.first(
            SQL("SELECT \(columns) FROM threepid_sessions WHERE session_id = $1"), [.text(id)], ThirdPartySessionRow.init)
    }

    /// The session that was begun for an address with a client secret and that is not validated yet.
    package static func open(
        _ medium: String, _ address: String, purpose: String, secretHash: [UInt8], on connection: any SQLConnection
    ) throws -> ThirdPartySessionRow? {
        try connection.first(
            SQL(
                """
                SELECT \(columns) FROM threepid_sessions
                WHERE client_secret_hash = $1 AND medium = $2 AND address = $3 AND purpose = $4 AND validated_ts IS NULL
                ORDER BY created_ts DESC LIMIT 1
                """), [.blob(secretHash), .text(medium), .text(address), .text(purpose)], ThirdPartySessionRow.init)
    }

    /// Stores a session, or the number of a further attempt of it.
    package static func put(_ row: ThirdPartySessionRow, on connection: any SQLConnection) throws {
        try connection.enqueue(
            """
            INSERT INTO threepid_sessions (session_id, purpose, medium, address, client_secret_hash, send_attempt, created_ts)
            VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (session_id) DO UPDATE SET send_attempt = excluded.send_attempt
            """,
            [
                .text(row.id), .text(row.purpose), .text(row.medium), .text(row.address), .blob(row.clientSecretHash),
                .int(row.sendAttempt),
                .int(row.created.milliseconds),
            ])
    }

    package static func setValidated(_ id: String, at time: Timestamp, on connection: any SQLConnection) throws {
        try connection.enqueue(
            "UPDATE threepid_sessions SET validated_ts = $2 WHERE session_id = $1 AND validated_ts IS NULL",
            [.text(id), .int(time.milliseconds)])
    }

    /// Removes a session with its tokens; false if it was not there, because somebody else has used it.
    package static func consume(_ id: String, on connection: any SQLConnection) throws -> Bool {
        try connection.enqueue("DELETE FROM threepid_tokens WHERE session_id = $1", [.text(id)])
        return try connection.execute("DELETE FROM threepid_sessions WHERE session_id = $1", [.text(id)]) == 1
    }

    /// Removes what began before `time`.
    package static func deleteSessions(of medium: String, createdBefore time: Timestamp, on connection: any SQLConnection) throws {
        let parameters: [SQLValue] = [.text(medium), .int(time.milliseconds)]
        try connection.enqueue(
            """
            DELETE FROM threepid_tokens
            WHERE session_id IN (SELECT session_id FROM threepid_sessions WHERE medium = $1 AND created_ts < $2)
            """, parameters)
        try connection.enqueue("DELETE FROM threepid_sessions WHERE medium = $1 AND created_ts < $2", parameters)
    }

    // MARK: Tokens

    package static func insertToken(
        _ hash: [UInt8], of session: String, nextLink: String?, expires: Timestamp, on connection: any SQLConnection
    ) throws {
        try connection.enqueue(
            "INSERT INTO threepid_tokens (token_hash, session_id, next_link, expires_ts) VALUES ($1, $2, $3, $4)",
            [.blob(hash), .text(session), .optional(nextLink), .int(expires.milliseconds)])
    }

    /// Where a token of a session leads to, and until when it is good; nil where the session has no such token.
    package static func token(
        _ hash: [UInt8], of session: String, on connection: any SQLConnection
    ) throws -> (nextLink: String?, expires: Timestamp)? {
        try connection.first(
            "SELECT next_link, expires_ts FROM threepid_tokens WHERE token_hash = $1 AND session_id = $2", [.blob(hash), .text(session)]
        ) { ($0.optionalText(0), Timestamp(milliseconds: $0.int(1))) }
    }
}
