// Who is behind an access token, from memory. Client-Server API §Client authentication.

import MatrixCore
import Persistence
import Rooms
import Synchronization

/// Opens, recognises, refreshes and ends sessions.
///
/// `authenticate` is asked by every request: it answers from a bounded cache. What ends a session here also removes it
/// from the cache; with several processes on one database each must be told of the others' (`forget`).
package final class SessionService: Sendable {
    /// What the cache knows of a token.
    private struct Known {
        let requester: Requester
        let validUntil: Timestamp?
        /// When the account ends.
        let accountExpiration: Timestamp?
        /// From when on an authority is asked again; nil: the token is ours, and we know when it ends.
        var reliableUntil: Timestamp?
    }

    private struct Cache {
        var known: RecentCache<TokenHash, Known>
        /// Raised when sessions end: a lookup that began before must not put them back.
        var epoch: UInt64 = 0
    }

    let database: any Database
    let journal: Journal
    let lifetimes: SessionLifetimes
    let observers: [any DeviceObserver]
    /// When devices were last used.
    package let activity: DeviceActivity
    private let cache: Mutex<Cache>
    /// Who gives out the tokens; nil: this server does.
    private let authority: (any TokenAuthority)?

    /// - Parameters:
    ///   - authority: who gives out the tokens, where this server does not.
    ///   - usage: who is told of those who are here.
    ///   - capacity: how many tokens are kept in memory, about 300 bytes each.
    package init(
        database: any Database, journal: Journal, lifetimes: SessionLifetimes, observers: [any DeviceObserver],
        authority: (any TokenAuthority)? = nil, usage: UsageLimits? = nil, capacity: Int = 20_000
    ) {
        self.authority = authority
        self.database = database
        self.journal = journal
        self.lifetimes = lifetimes
        self.observers = observers
        activity = DeviceActivity(database: database, usage: usage)
        cache = Mutex(Cache(known: RecentCache(capacity: capacity)))
    }

    /// The requester of a token.
    ///
    /// - Throws: `M_UNKNOWN_TOKEN`, with `soft_logout` for a token that has expired and may be refreshed;
    ///   `M_USER_LOCKED`; `M_USER_DEACTIVATED`; `ORG_MATRIX_EXPIRED_ACCOUNT`.
    package func authenticate(token: String) async throws -> Requester {
        let hash = TokenHash(token)
        let (known, epoch) = cache.withLock { ($0.known.value(for: hash), $0.epoch) }
        if let authority {
            if let known, known.reliableUntil.map({ $0 > .now }) == true { return known.requester }
            return try await ask(authority, token, hash, epoch: epoch)
        }
        if let known {
            try Self.checkExpiry(known.validUntil)
            try Self.checkAccount(known.accountExpiration)
            return known.requester
        }
        return try await lookUp(hash, epoch: epoch)
    }

    /// Removes what the cache knows of a user's sessions, or of those of some devices.
    package func forget(_ user: UserID, devices: [DeviceID]? = nil) {
        cache.withLock {
            $0.epoch += 1
            $0.known.removeAll { known in
                guard known.requester.user == user else { return false }
                guard let devices else { return true }
                return known.requester.device.map(devices.contains) ?? false
            }
        }
    }

    /// Removes what the cache knows of one token.
    func forget(_ hash: TokenHash) {
        cache.withLock {
            $0.epoch += 1
            $0.known.remove(hash)
        }
    }

    // MARK: Steps

    private func lookUp(_ hash: TokenHash, epoch: UInt64) async throws -> Requester {
        let bytes = hash.bytes
        guard let row = try await database.read({ try SessionStore.accessToken(bytes, on: $0) }) else {
            throw MatrixError.unknownToken(softLogout: false)
        }
        if row.isDeactivated { throw MatrixError.userDeactivated }
        if row.isLocked { throw MatrixError.userLocked }
        try Self.checkExpiry(row.validUntil)
        let accountExpiration = lifetimes.endsAccounts ? row.accountExpiration : nil
        try Self.checkAccount(accountExpiration)
        if !row.isUsed, row.refreshID != nil {
            try await database.write { try SessionStore.markUsed(accessToken: row.id, refreshID: row.refreshID, on: $0) }
        }
        var requester = Requester(user: row.user, device: row.device, isAdmin: row.isAdmin, isGuest: row.isGuest, tokenID: row.id)
        requester.isSuspended = row.isSuspended
        requester.userType = row.userType
        requester.consentVersion = row.consentVersion
        requester.isUserOfService = row.accountService != nil
        let known = Known(requester: requester, validUntil: row.validUntil, accountExpiration: accountExpiration)
        cache.withLock {
            if $0.epoch == epoch { $0.known.insert(known, for: hash) }
        }
        return requester
    }

    /// Whom an authority means by a token. What it says is relied on for a while; a device that is deleted here is forgotten at once.
    private func ask(_ authority: any TokenAuthority, _ token: String, _ hash: TokenHash, epoch: UInt64) async throws -> Requester {
        let grant = try await authority.grant(of: token)
        let (account, hasDevice) = try await database.read { connection in
            let hasDevice = try grant.device.map { try DeviceStore.exists($0, of: grant.user, on: connection) } ?? true
            return (try AccountStore.account(grant.user, on: connection), hasDevice)
        }
        guard let account else { throw MatrixError.unknown("User not found", status: 500) }
        if account.isLocked { throw MatrixError.userLocked }
        guard hasDevice, !account.isDeactivated else { throw TokenIntrospection.inactive }
        var requester = Requester(user: grant.user, device: grant.device, isAdmin: grant.isAdmin)
        requester.take(account)
        let limit = Timestamp.now.advanced(byMilliseconds: AuthenticationService.reliance)
        let known = Known(
            requester: requester, validUntil: grant.expiry, accountExpiration: nil,
            reliableUntil: grant.expiry.map { min($0, limit) } ?? limit)
        cache.withLock {
            if $0.epoch == epoch { $0.known.insert(known, for: hash) }
        }
        return requester
    }

    private static func checkExpiry(_ validUntil: Timestamp?) throws(MatrixError) {
        if let validUntil, validUntil < .now { throw .unknownToken(softLogout: true) }
    }

    private static func checkAccount(_ expiration: Timestamp?) throws(MatrixError) {
        if let expiration, expiration < .now { throw .accountExpired }
    }
}
