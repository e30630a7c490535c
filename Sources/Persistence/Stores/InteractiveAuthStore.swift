// Sessions of user-interactive authentication: tables `ui_auth_sessions` and `ui_auth_stages` (migration 21).
// Client-Server API §User-Interactive Authentication API.

import MatrixCore

/// One row of `ui_auth_sessions`.
package struct InteractiveAuthRow: Sendable {
    package var created: Timestamp
    package var method: String
    package var path: String
    package var user: UserID?
    /// JSON.
    package var parameters: [UInt8]
    package var passwordHash: String?
    package var guest: UserID?
    package var registered: UserID?

    package init(created: Timestamp, method: String, path: String, user: UserID?, parameters: [UInt8], guest: UserID? = nil) {
        self.created = created
        self.method = method
        self.path = path
        self.user = user
        self.parameters = parameters
        self.guest = guest
    }

    fileprivate init(_ row: SQLRow) {
        created = Timestamp(milliseconds: row.int(0))
        method = row.text(1)
        path = row.text(2)
        user = row.optionalText(3).map { UserID(trusted: $0) }
        parameters = row.blob(4)
        passwordHash = row.optionalText(5)
        guest = row.optionalText(6).map { UserID(trusted: $0) }
        registered = row.optionalText(7).map { UserID(trusted: $0) }
    }
}

/// Reads and writes sessions, by the SHA-256 of their ids.
package enum InteractiveAuthStore {
    package static func insert(_ row: InteractiveAuthRow, hash: [UInt8], on connection: any SQLConnection) throws {
        try connection.enqueue(
            """
            INSERT INTO ui_auth_sessions (session_hash, created_ts, method, path, user_id, parameters, password_hash, guest_id, registered_id)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT DO NOTHING
            """,
            [
                .blob(hash), .int(row.created.milliseconds), .text(row.method), .text(row.path), .optional(row.user?.string),
                .blob(row.parameters), .optional(row.passwordHash), .optional(row.guest?.string), .optional(row.registered?.string),
            ])
    }

    package static func session(_ hash: [UInt8], on connection: any SQLConnection) throws -> InteractiveAuthRow? {
        try connection.first(
            """
            SELECT created_ts, method, path, user_id, parameters, password_hash, guest_id, registered_id
            FROM ui_auth_sessions WHERE session_hash = $1
            """, [.blob(hash)], InteractiveAuthRow.init)
    }

    package static func setParameters(_ parameters: [UInt8], of hash: [UInt8], on connection: any SQLConnection) throws {
        try connection.enqueue("UPDATE ui_auth_sessions SET parameters = $2 WHERE session_hash = $1", [.blob(hash), .blob(parameters)])
    }

    /// Keeps a password's hash, unless the session has one.
    package static func keepPasswordHash(_ passwordHash: String, of hash: [UInt8], on connection: any SQLConnection) throws {
        try connection.enqueue(
            "UPDATE ui_auth_sessions SET password_hash = $2 WHERE session_hash = $1 AND password_hash IS NULL",
            [.blob(hash), .text(passwordHash)])
    }

    /// The account that a session has registered, asked by the transaction that would register one: a second one waits here.
    package static func registeredUser(_ hash: [UInt8], on connection: any SQLConnection) throws -> UserID? {
        let user = try connection.first(
            "SELECT registered_id FROM ui_auth_sessions WHERE session_hash = $1 {FOR UPDATE}", [.blob(hash)]
        ) { $0.optionalText(0) }
        return user.flatMap { $0 }.map { UserID(trusted: $0) }
    }

    package static func setRegisteredUser(_ user: UserID, of hash: [UInt8], on connection: any SQLConnection) throws {
        try connection.enqueue(
            "UPDATE ui_auth_sessions SET registered_id = $2 WHERE session_hash = $1", [.blob(hash), .text(user.string)])
    }

    // MARK: Stages

    /// Notes that a stage is done; false, and nothing changes, if it was before.
    ///
    /// - Parameter token: the registration token that the session holds by this.
    package static func complete(
        _ stage: String, of hash: [UInt8], result: [UInt8], token: String?, at now: Timestamp, on connection: any SQLConnection
    ) throws -> Bool {
        try connection.execute(
            """
            INSERT INTO ui_auth_stages (session_hash, stage, completed_ts, result, token) VALUES ($1, $2, $3, $4, $5)
            ON CONFLICT DO NOTHING
            """, [.blob(hash), .text(stage), .int(now.milliseconds), .blob(result), .optional(token)]) == 1
    }

    /// The stages of a session with their results, in the order in which they were done.
    package static func stages(_ hash: [UInt8], on connection: any SQLConnection) throws -> [(stage: String, result: [UInt8])] {
        try connection.rows(
            "SELECT stage, result FROM ui_auth_stages WHERE session_hash = $1 ORDER BY completed_ts, stage", [.blob(hash)]
        ) { ($0.text(0), $0.blob(1)) }
    }

    /// Counts the registration token that the session holds as used.
    package static func useToken(of hash: [UInt8], on connection: any SQLConnection) throws {
        let token = try connection.first(
            "SELECT token FROM ui_auth_stages WHERE session_hash = $1 AND token IS NOT NULL {FOR UPDATE}", [.blob(hash)]
        ) { $0.text(0) }
        guard let token else { return }
        try connection.enqueue("UPDATE ui_auth_stages SET token = NULL WHERE session_hash = $1 AND token IS NOT NULL", [.blob(hash)])
        try connection.enqueue(
            "UPDATE registration_tokens SET pending = pending - 1, completed = completed + 1 WHERE token = $1", [.text(token)])
    }

    // MARK: The end of sessions

    /// Removes sessions that began before `time`, and gives back the registration tokens that they held.
    package static func deleteSessions(createdBefore time: Timestamp, on connection: any SQLConnection) throws {
        let expired = "session_hash IN (SELECT session_hash FROM ui_auth_sessions WHERE created_ts < $1)"
        try delete(where: expired, [.int(time.milliseconds)], on: connection)
        try connection.enqueue("DELETE FROM ui_auth_sessions WHERE created_ts < $1", [.int(time.milliseconds)])
    }

    /// Keeps the newest `limit` sessions of those in which nothing was done, and the newest `limit` of the others.
    package static func trim(to limit: Int, on connection: any SQLConnection) throws {
        for condition in ["NOT EXISTS", "EXISTS"] {
            let isSuch = "\(condition) (SELECT 1 FROM ui_auth_stages t WHERE t.session_hash = s.session_hash)"
            let edge = try connection.first(
                SQL("SELECT created_ts FROM ui_auth_sessions s WHERE \(isSuch) ORDER BY created_ts DESC LIMIT 1 OFFSET $1"), [.int(limit)]
            ) { $0.int(0) }
            guard let edge else { continue }
            let old = "SELECT s.session_hash FROM ui_auth_sessions s WHERE s.created_ts <= $1 AND \(isSuch)"
            let hashes = try connection.rows(SQL(old), [.int(edge)]) { $0.blob(0) }
            for hash in hashes { try delete(hash, on: connection) }
        }
    }

    package static func delete(_ hash: [UInt8], on connection: any SQLConnection) throws {
        try delete(where: "session_hash = $1", [.blob(hash)], on: connection)
        try connection.enqueue("DELETE FROM ui_auth_sessions WHERE session_hash = $1", [.blob(hash)])
    }

    private static func delete(where condition: String, _ parameters: [SQLValue], on connection: any SQLConnection) throws {
        let held = try connection.rows(
            SQL("SELECT token, count(*) FROM ui_auth_stages WHERE token IS NOT NULL AND \(condition) GROUP BY token"), parameters
        ) { ($0.text(0), $0.int(1)) }
        for (token, count) in held {
            try connection.enqueue(
                "UPDATE registration_tokens SET pending = pending - $2 WHERE token = $1", [.text(token), .int(count)])
        }
        try connection.enqueue(SQL("DELETE FROM ui_auth_stages WHERE \(condition)"), parameters)
    }
}
