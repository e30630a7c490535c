// Locking and suspending accounts, and how long they are valid. Client-Server API §Account moderation; Synapse's `account_validity`.

import MatrixCore
import Persistence

/// What administrators do to the accounts of others, and can take back.
package struct AccountModeration: Sendable {
    private let database: any Database
    private let sessions: SessionService
    private let serverName: ServerName
    /// nil: accounts do not expire.
    private let validity: Duration?

    package init(database: any Database, sessions: SessionService, serverName: ServerName, validity: Duration?) {
        self.database = database
        self.sessions = sessions
        self.serverName = serverName
        self.validity = validity
    }

    /// What is locked or suspended: an account of this server, of no other administrator.
    ///
    /// - Throws: `M_INVALID_PARAM` for other servers' users, `M_NOT_FOUND` for those that are not or are deactivated, `M_FORBIDDEN` for
    ///   administrators.
    package func subject(_ user: UserID, of administrator: Requester) async throws -> AccountRow {
        guard user.belongs(to: serverName) else { throw MatrixError.invalidParam("User does not belong to the local server.") }
        let account = try await database.read { try AccountStore.account(user, on: $0) }
        guard let account, !account.isDeactivated else { throw MatrixError.notFound("User not found.") }
        guard !account.isAdmin || user == administrator.user else {
            throw MatrixError.forbidden("The user is a server administrator, too.")
        }
        return account
    }

    /// Locks an account or opens it again. Its sessions stay, and are of no use meanwhile.
    package func setLocked(_ isLocked: Bool, _ user: UserID, by administrator: Requester) async throws {
        try await checkSubject(user, of: administrator)
        _ = try await database.write { try AccountStore.setLocked(isLocked, user, on: $0) }
        sessions.forget(user)
    }

    /// Suspends an account or lets it go on.
    package func setSuspended(_ isSuspended: Bool, _ user: UserID, by administrator: Requester) async throws {
        try await checkSubject(user, of: administrator)
        _ = try await database.write { try AccountStore.setSuspended(isSuspended, user, on: $0) }
        sessions.forget(user)
    }

    private func checkSubject(_ user: UserID, of administrator: Requester) async throws {
        _ = try await subject(user, of: administrator)
        guard user != administrator.user else { throw MatrixError.forbidden("You cannot do that to your own account.") }
    }

    // MARK: Validity

    /// Makes an account valid for longer.
    ///
    /// - Parameters:
    ///   - expiration: nil: the configured period from now.
    ///   - isTold: the owner is not to be told when that end nears.
    /// - Returns: when the account ends.
    /// - Throws: `M_NOT_FOUND`; `M_UNKNOWN` (400) where accounts do not expire.
    package func renew(_ user: UserID, until expiration: Timestamp?, isTold: Bool = false) async throws -> Timestamp {
        guard let validity else { throw MatrixError.unknown("Account validity is not enabled", status: 400) }
        let end = expiration ?? Timestamp.now.advanced(byMilliseconds: validity.milliseconds)
        guard try await database.write({ try AccountStore.setExpiration(end, of: user, isTold: isTold, on: $0) }) else {
            throw MatrixError.notFound("Unknown user")
        }
        sessions.forget(user)
        return end
    }

    /// Gives accounts that were made before accounts expired an end.
    package func setMissingExpirations() async throws {
        guard let validity else { return }
        let end = Timestamp.now.advanced(byMilliseconds: validity.milliseconds)
        try await database.write { try AccountStore.setMissingExpirations(end, on: $0) }
    }
}
