// The end of an account. Client-Server API §Deactivating accounts.

import Logging
import MatrixCore
import Persistence
import Rooms
import ServiceLifecycle

/// Deactivates accounts. The account ends at once, with all its sessions; leaving its rooms may take a while and goes on in the
/// background, also after a restart.
package struct AccountDeactivation: Service {
    private let database: any Database
    private let sessions: SessionService
    private let membership: RoomMembership
    private let thirdPartyIdentifiers: ThirdPartyIdentifiers
    private let logger: Logger
    private let wakeUps: AsyncStream<Void>
    private let wakeUp: AsyncStream<Void>.Continuation

    package init(
        database: any Database, sessions: SessionService, membership: RoomMembership, thirdPartyIdentifiers: ThirdPartyIdentifiers,
        logger: Logger
    ) {
        self.thirdPartyIdentifiers = thirdPartyIdentifiers
        self.database = database
        self.sessions = sessions
        self.membership = membership
        self.logger = logger
        (wakeUps, wakeUp) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    /// Ends the account of `user`.
    ///
    /// - Parameters:
    ///   - erases: hide its events from those who were not in the room with it, and remove its profile.
    ///   - identityServer: which has to forget the account's addresses; nil: those that this server has told of them.
    /// - Returns: whether the identity servers have forgotten them.
    /// - Throws: `M_NOT_FOUND`; `M_UNKNOWN` when an identity server fails: the account is as before then.
    @discardableResult
    package func deactivate(_ user: UserID, erases: Bool, identityServer: String? = nil) async throws -> Bool {
        let isForgotten = try await thirdPartyIdentifiers.unbindAll(from: user, at: identityServer)
        let isDone = try await database.write { try AccountEndingStore.deactivate(user, erases: erases, on: $0) }
        guard isDone else { throw MatrixError.notFound("No account \(user)") }
        if erases { membership.erasedUsers.insert(user) }
        sessions.forget(user)
        try await sessions.endAll(of: user)
        wakeUp.yield()
        return isForgotten
    }

    /// Makes a deactivated account usable again. It is in no rooms and has no password.
    ///
    /// - Throws: `M_NOT_FOUND`.
    package func reactivate(_ user: UserID) async throws {
        let isDone = try await database.write { connection in
            guard try AccountEndingStore.reactivate(user, on: connection) else { return false }
            try UserDirectoryEntry.refresh(user, on: connection)
            return true
        }
        guard isDone else { throw MatrixError.notFound("No account \(user)") }
        membership.erasedUsers.remove(user)
        sessions.forget(user)
    }

    /// Lets deactivated users leave their rooms until the server stops.
    package func run() async throws {
        wakeUp.yield()
        for await _ in wakeUps.cancelOnGracefulShutdown() {
            do {
                for user in try await database.read({ try AccountEndingStore.partings(on: $0) }) { try await part(user) }
            } catch {
                logger.error(
                    "deactivated accounts could not leave their rooms; trying again with the next one or at the next start",
                    metadata: ["error": "\(error)"])
            }
        }
    }

    // MARK: Steps

    private func part(_ user: UserID) async throws {
        // The server may have stopped between the mark and the end of the sessions.
        try await sessions.endAll(of: user)
        let requester = MembershipRequester(user: user, isServer: true)
        for row in try await membership.rooms(of: user) where row.membership != .ban {
            do {
                if row.membership != .leave { _ = try await membership.change(.leave, of: user, in: row.room, by: requester) }
                if !row.forgotten { try await membership.forget(row.room, by: user) }
            } catch let refusal as MatrixError {
                logger.warning("the deactivated user \(user) could not leave \(row.room): \(refusal.message)")
            }
        }
        try await database.write { try AccountEndingStore.finishParting(of: user, on: $0) }
    }
}
