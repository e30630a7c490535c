// Logging in and refreshing. Client-Server API §Login, §Refreshing access tokens, §Relationship between access
// tokens and devices.

import MatrixCore
import Persistence
import Rooms

/// What a client is given when a session opens.
package struct OpenedSession: Sendable {
    package let user: UserID
    package let device: DeviceID
    package let accessToken: String
    package let refreshToken: String?
    /// When the access token expires, in milliseconds from now; nil: never.
    package let expiresInMilliseconds: Int64?
}

/// What a refresh gives.
package struct RefreshedSession: Sendable {
    package let accessToken: String
    package let refreshToken: String
    package let expiresInMilliseconds: Int64?
}

extension SessionService {
    /// Checks what a client asks its device to be called.
    ///
    /// - Throws: `M_INVALID_PARAM` for the id, `M_TOO_LARGE` for the name.
    package static func checkDevice(_ id: String?, displayName: String?) throws(MatrixError) {
        if let id, id.isEmpty || id.unicodeScalars.count > deviceIDLimit || id.utf8.contains(0) {
            throw .invalidParam("device_id cannot be empty or longer than \(deviceIDLimit) characters.")
        }
        guard let displayName else { return }
        guard displayName.unicodeScalars.count <= deviceNameLimit else {
            throw MatrixError(
                status: 400, errcode: "M_TOO_LARGE", message: "Device display name is too long (max \(deviceNameLimit))")
        }
        guard !displayName.utf8.contains(0) else { throw .invalidParam("Invalid device display name") }
    }

    /// The longest device id accepted, in characters.
    private static let deviceIDLimit = 512
    /// The longest name of a device, in characters.
    package static let deviceNameLimit = 100
    /// Access tokens that expired longer ago than this are removed when their session is refreshed, in milliseconds.
    private static let expiredTokenRetention: Int64 = 24 * 3600 * 1000

    private static let deviceIDInUse = MatrixError(status: 400, errcode: "M_FORBIDDEN", message: "The device ID is in use")

    /// Opens a session of `user` on a device, which is made if it is new. A session of a device that there was already
    /// replaces the earlier ones of it.
    ///
    /// - Parameter device: nil makes up an id.
    /// - Parameter provider: the session at a provider of single sign-on with which this one ends.
    /// - Throws: `M_FORBIDDEN` for a device that would be called as a cross-signing key of the user is.
    package func open(
        _ user: UserID, device requested: String?, displayName: String?, withRefreshToken: Bool, provider: ProviderSession? = nil
    ) async throws -> OpenedSession {
        try Self.checkDevice(requested, displayName: displayName)
        let device = DeviceID(trusted: requested ?? SessionToken.randomLetters(10).uppercased())
        let now = Timestamp.now
        let expiry = withRefreshToken ? lifetimes.withRefresh(at: now) : lifetimes.withoutRefresh(at: now)
        let grant = TokenGrant(user: user, device: device, expiry: expiry, withRefreshToken: withRefreshToken)
        let isKnown: Bool
        if requested == nil {
            isKnown = false
        } else {
            isKnown = try await database.read { connection in
                guard try !CrossSigningStore.isPublicKey(device, of: user, on: connection) else { throw Self.deviceIDInUse }
                return try DeviceStore.exists(device, of: user, on: connection)
            }
        }
        let rows: @Sendable (any SQLConnection) throws -> Void = { connection in
            if try !DeviceStore.insert(device, of: user, displayName: displayName, created: now, on: connection) {
                try SessionStore.deleteTokens(of: device, of: user, on: connection)
            }
            try grant.insert(validated: now, on: connection)
            try ExternalIDStore.deleteSession(of: device, of: user, on: connection)
            if let provider { try ExternalIDStore.setSession(provider, of: device, of: user, on: connection) }
        }
        if isKnown {
            try await database.write(rows)
            forget(user, devices: [device])
        } else {
            let records = observers.flatMap { $0.records(forChangeOf: [device], of: user) }
            try await journal.append(JournalBatch(records: records, alongside: rows))
        }
        return OpenedSession(
            user: user, device: device, accessToken: grant.accessToken, refreshToken: grant.refreshToken?.token,
            expiresInMilliseconds: expiry.accessToken.map { $0.milliseconds - now.milliseconds })
    }

    /// Makes a device without a session, for whom somebody else gives out tokens; false if the user has it already.
    ///
    /// - Throws: `M_FORBIDDEN` for a device that would be called as a cross-signing key of the user is.
    package func addDevice(_ device: DeviceID, of user: UserID, displayName: String?) async throws -> Bool {
        let isKnown = try await database.read { connection in
            guard try !CrossSigningStore.isPublicKey(device, of: user, on: connection) else { throw Self.deviceIDInUse }
            return try DeviceStore.exists(device, of: user, on: connection)
        }
        guard !isKnown else { return false }
        let now = Timestamp.now
        let records = observers.flatMap { $0.records(forChangeOf: [device], of: user) }
        try await journal.append(
            JournalBatch(
                records: records,
                alongside: { connection in
                    _ = try DeviceStore.insert(device, of: user, displayName: displayName, created: now, on: connection)
                }))
        return true
    }

    /// Exchanges a refresh token for new tokens. The old one stays usable until one of the new ones is used, so that a
    /// lost answer does not lose the session.
    ///
    /// - Throws: `M_UNKNOWN_TOKEN` for a token that is unknown or was replaced; `M_FORBIDDEN` for one that has expired; `M_USER_LOCKED`.
    package func refresh(_ token: String) async throws -> RefreshedSession {
        let hash = TokenHash(token).bytes
        let found = try await database.read { connection in
            try SessionStore.refreshToken(hash, on: connection).map { ($0, try AccountStore.account($0.user, on: connection)) }
        }
        guard let (existing, account) = found else {
            throw MatrixError(status: 401, errcode: "M_UNKNOWN_TOKEN", message: "refresh token does not exist")
        }
        if account?.isLocked == true { throw MatrixError.userLocked }
        let now = Timestamp.now
        if let expiry = existing.expiry, expiry < now { throw MatrixError.forbidden("The supplied refresh token has expired") }
        if let end = existing.sessionExpiry, end < now {
            throw MatrixError.forbidden("The session has expired and can no longer be refreshed")
        }
        let expiry = lifetimes.refreshed(at: now, session: existing.sessionExpiry)
        let grant = TokenGrant(user: existing.user, device: existing.device, expiry: expiry, withRefreshToken: true)
        guard let next = grant.refreshToken else { throw MatrixError.unknown("No refresh token was made", status: 500) }
        let isReplaced = try await database.write { connection in
            // A refresh proves nothing new about who the user is.
            let validated = try SessionStore.lastValidated(existing.device, of: existing.user, on: connection)
            guard try SessionStore.replaceRefreshToken(existing.id, by: next.id, on: connection) else { return false }
            try SessionStore.deletePredecessors(ofRefreshToken: existing.id, on: connection)
            try SessionStore.deleteAccessTokens(
                expiredBefore: Timestamp(milliseconds: now.milliseconds - Self.expiredTokenRetention), of: existing.device,
                of: existing.user, on: connection)
            try grant.insert(validated: validated ?? Timestamp(milliseconds: 0), on: connection)
            return true
        }
        guard isReplaced else {
            throw MatrixError(status: 401, errcode: "M_UNKNOWN_TOKEN", message: "refresh token isn't valid anymore")
        }
        // The access token of an abandoned refresh may be in the cache: it went with its row.
        forget(existing.user, devices: [existing.device])
        return RefreshedSession(
            accessToken: grant.accessToken, refreshToken: next.token,
            expiresInMilliseconds: expiry.accessToken.map { $0.milliseconds - now.milliseconds })
    }
}

/// New tokens of a device, made before the transaction that stores their hashes.
private struct TokenGrant: Sendable {
    let user: UserID
    let device: DeviceID
    let expiry: SessionLifetimes.Expiry
    let accessToken: String
    let accessTokenID = SessionToken.randomID()
    let refreshToken: (token: String, id: Int64)?

    init(user: UserID, device: DeviceID, expiry: SessionLifetimes.Expiry, withRefreshToken: Bool) {
        self.user = user
        self.device = device
        self.expiry = expiry
        accessToken = SessionToken.generate(.access, for: user)
        refreshToken = withRefreshToken ? (SessionToken.generate(.refresh, for: user), SessionToken.randomID()) : nil
    }

    /// - Parameter validated: when the user has shown who they are.
    func insert(validated: Timestamp, on connection: any SQLConnection) throws {
        if let refreshToken {
            try SessionStore.insertRefreshToken(
                TokenHash(refreshToken.token).bytes, id: refreshToken.id, user: user, device: device, expiry: expiry.refreshToken,
                sessionExpiry: expiry.session, on: connection)
        }
        try SessionStore.insertAccessToken(
            TokenHash(accessToken).bytes, id: accessTokenID, user: user, device: device, refreshID: refreshToken?.id,
            validUntil: expiry.accessToken, validated: validated, on: connection)
    }
}
