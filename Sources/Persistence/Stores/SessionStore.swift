// Access and refresh tokens: tables `access_tokens` and `refresh_tokens` (migration 2).
// Client-Server API §Refreshing access tokens.

import MatrixCore

/// What an access token stands for, with the flags of its account.
package struct AccessTokenRow: Sendable {
    package let id: Int64
    package let user: UserID
    package let device: DeviceID?
    package let refreshID: Int64?
    package let validUntil: Timestamp?
    /// Whether a request has come with this token.
    package let isUsed: Bool
    package let isAdmin: Bool
    package let isGuest: Bool
    package let isDeactivated: Bool
    package let isLocked: Bool
    package let isSuspended: Bool
    package let userType: String?
    package let consentVersion: String?
    package let accountExpiration: Timestamp?
    /// The application service that registered the account.
    package let accountService: String?

    fileprivate init(_ row: SQLRow) {
        id = row.int(0)
        user = UserID(trusted: row.text(1))
        device = row.optionalText(2).map { DeviceID(trusted: $0) }
        refreshID = row.optionalInt(3)
        validUntil = row.optionalInt(4).map { Timestamp(milliseconds: $0) }
        isUsed = row.bool(5)
        isAdmin = row.bool(6)
        isGuest = row.bool(7)
        isDeactivated = row.bool(8)
        isLocked = row.bool(9)
        isSuspended = row.bool(10)
        userType = row.optionalText(11)
        consentVersion = row.optionalText(12)
        accountExpiration = row.optionalInt(13).map { Timestamp(milliseconds: $0) }
        accountService = row.optionalText(14)
    }
}

/// One row of `refresh_tokens`, and whether its successor is in use.
package struct RefreshTokenRow: Sendable {
    package let id: Int64
    package let user: UserID
    package let device: DeviceID
    package let nextID: Int64?
    package let expiry: Timestamp?
    package let sessionExpiry: Timestamp?

    fileprivate init(_ row: SQLRow) {
        id = row.int(0)
        user = UserID(trusted: row.text(1))
        device = DeviceID(trusted: row.text(2))
        nextID = row.optionalInt(3)
        expiry = row.optionalInt(4).map { Timestamp(milliseconds: $0) }
        sessionExpiry = row.optionalInt(5).map { Timestamp(milliseconds: $0) }
    }
}

/// Reads and writes tokens, by their SHA-256.
package enum SessionStore {
    // MARK: Access tokens

    /// - Parameter validated: when the user has shown who they are.
    package static func insertAccessToken(
        _ hash: [UInt8], id: Int64, user: UserID, device: DeviceID?, refreshID: Int64?, validUntil: Timestamp?, validated: Timestamp,
        on connection: any SQLConnection
    ) throws {
        try connection.enqueue(
            """
            INSERT INTO access_tokens (token_id, token_hash, user_id, device_id, refresh_id, valid_until_ts, used, validated_ts)
            VALUES ($1, $2, $3, $4, $5, $6, false, $7)
            """,
            [
                .int(id), .blob(hash), .text(user.string), .optional(device?.string), .optional(refreshID),
                .optional(validUntil?.milliseconds), .int(validated.milliseconds),
            ])
    }

    package static func accessToken(_ hash: [UInt8], on connection: any SQLConnection) throws -> AccessTokenRow? {
        try connection.first(
            """
            SELECT t.token_id, t.user_id, t.device_id, t.refresh_id, t.valid_until_ts, t.used,
                   u.is_admin, u.is_guest, u.deactivated, u.locked, u.suspended, u.user_type, u.consent_version, u.expiration_ts,
                   u.appservice_id
            FROM access_tokens t JOIN users u ON u.user_id = t.user_id
            WHERE t.token_hash = $1
            """, [.blob(hash)], AccessTokenRow.init)
    }

    /// Notes the first use of an access token. A refresh token that this one's companion replaced ends here.
    package static func markUsed(accessToken id: Int64, refreshID: Int64?, on connection: any SQLConnection) throws {
        try connection.enqueue("UPDATE access_tokens SET used = true WHERE token_id = $1", [.int(id)])
        if let refreshID { try deletePredecessors(ofRefreshToken: refreshID, on: connection) }
    }

    /// When the holder of a token has last shown who they are.
    package static func lastValidated(accessToken id: Int64, on connection: any SQLConnection) throws -> Timestamp? {
        try connection.first("SELECT validated_ts FROM access_tokens WHERE token_id = $1", [.int(id)]) {
            Timestamp(milliseconds: $0.int(0))
        }
    }

    package static func setValidated(accessToken id: Int64, at time: Timestamp, on connection: any SQLConnection) throws {
        try connection.enqueue("UPDATE access_tokens SET validated_ts = $2 WHERE token_id = $1", [.int(id), .int(time.milliseconds)])
    }

    /// When the holder of a device's newest token has last shown who they are.
    package static func lastValidated(_ device: DeviceID, of user: UserID, on connection: any SQLConnection) throws -> Timestamp? {
        try connection.first(
            "SELECT max(validated_ts) FROM access_tokens WHERE user_id = $1 AND device_id = $2", [.text(user.string), .text(device.string)]
        ) { Timestamp(milliseconds: $0.int(0)) }
    }

    package static func deleteAccessToken(id: Int64, on connection: any SQLConnection) throws {
        try connection.enqueue("DELETE FROM access_tokens WHERE token_id = $1", [.int(id)])
    }

    /// Removes the device's access tokens that expired before `time`.
    package static func deleteAccessTokens(
        expiredBefore time: Timestamp, of device: DeviceID, of user: UserID, on connection: any SQLConnection
    ) throws {
        try connection.enqueue(
            "DELETE FROM access_tokens WHERE user_id = $1 AND device_id = $2 AND valid_until_ts < $3",
            [.text(user.string), .text(device.string), .int(time.milliseconds)])
    }

    // MARK: Refresh tokens

    package static func insertRefreshToken(
        _ hash: [UInt8], id: Int64, user: UserID, device: DeviceID, expiry: Timestamp?, sessionExpiry: Timestamp?,
        on connection: any SQLConnection
    ) throws {
        try connection.enqueue(
            """
            INSERT INTO refresh_tokens (token_id, token_hash, user_id, device_id, expiry_ts, session_expiry_ts)
            VALUES ($1, $2, $3, $4, $5, $6)
            """,
            [
                .int(id), .blob(hash), .text(user.string), .text(device.string), .optional(expiry?.milliseconds),
                .optional(sessionExpiry?.milliseconds),
            ])
    }

    package static func refreshToken(_ hash: [UInt8], on connection: any SQLConnection) throws -> RefreshTokenRow? {
        try connection.first(
            """
            SELECT token_id, user_id, device_id, next_id, expiry_ts, session_expiry_ts
            FROM refresh_tokens WHERE token_hash = $1
            """, [.blob(hash)], RefreshTokenRow.init)
    }

    /// Makes `next` the successor of `id`. A successor from before was never used (else `id` would be gone):
    /// it goes, with the access token given out with it. False if `id` is no longer there.
    package static func replaceRefreshToken(_ id: Int64, by next: Int64, on connection: any SQLConnection) throws -> Bool {
        if let abandoned = try connection.first(
            "SELECT next_id FROM refresh_tokens WHERE token_id = $1 AND next_id IS NOT NULL", [.int(id)], { $0.int(0) })
        {
            try connection.enqueue("DELETE FROM access_tokens WHERE refresh_id = $1", [.int(abandoned)])
            try connection.enqueue("DELETE FROM refresh_tokens WHERE token_id = $1", [.int(abandoned)])
        }
        return try connection.execute(
            "UPDATE refresh_tokens SET next_id = $2 WHERE token_id = $1", [.int(id), .int(next)]) == 1
    }

    /// Ends the refresh tokens that `id` replaced: `id` or its access token is in use.
    package static func deletePredecessors(ofRefreshToken id: Int64, on connection: any SQLConnection) throws {
        try connection.enqueue("DELETE FROM refresh_tokens WHERE next_id = $1", [.int(id)])
    }

    // MARK: Both

    /// Ends every session of a device.
    package static func deleteTokens(of device: DeviceID, of user: UserID, on connection: any SQLConnection) throws {
        let parameters: [SQLValue] = [.text(user.string), .text(device.string)]
        try connection.enqueue("DELETE FROM access_tokens WHERE user_id = $1 AND device_id = $2", parameters)
        try connection.enqueue("DELETE FROM refresh_tokens WHERE user_id = $1 AND device_id = $2", parameters)
    }

    /// Ends every session of a user, but for those of one device.
    package static func deleteTokens(of user: UserID, except kept: DeviceID? = nil, on connection: any SQLConnection) throws {
        let parameters: [SQLValue] = [.text(user.string), .text(kept?.string ?? "")]
        try connection.enqueue(
            "DELETE FROM access_tokens WHERE user_id = $1 AND (device_id IS NULL OR device_id <> $2)", parameters)
        try connection.enqueue("DELETE FROM refresh_tokens WHERE user_id = $1 AND device_id <> $2", parameters)
    }
}
