// The rooms that every new account is put into: Synapse's `auto_join_rooms`.

import Logging
import MatrixCore
import Persistence
import Rooms
import ServerConfiguration

/// Joins new accounts to the operator's rooms, and makes these rooms for the first account of the server.
package struct AutoJoin: Sendable {
    private let database: any Database
    private let creation: RoomCreation
    private let membership: RoomMembership
    private let logger: Logger
    private let serverName: ServerName
    private let options: AutoJoinOptions
    /// `auto_join_mxid_localpart`.
    private let inviter: UserID?

    package init(
        _ configuration: ServerConfiguration, database: any Database, creation: RoomCreation, membership: RoomMembership, logger: Logger
    ) {
        self.database = database
        self.creation = creation
        self.membership = membership
        self.logger = logger
        serverName = configuration.serverName
        options = configuration.autoJoin
        inviter = options.inviter.map { UserID(localpart: ByteString($0), server: configuration.serverName) }
    }

    /// A room that cannot be joined is left out: the account is made in any case.
    package func join(_ user: UserID, isGuest: Bool = false) async {
        guard !options.rooms.isEmpty, options.includesGuests || !isGuest else { return }
        do {
            let isFirst = try await database.read { try !AccountStore.existsOther(than: user, on: $0) }
            for alias in options.rooms { try await join(user, alias, mayMake: options.makesRooms && isFirst && !isGuest) }
        } catch {
            logger.warning("a new account was not put into its rooms", metadata: ["user": "\(user)", "error": "\(error)"])
        }
    }

    private func join(_ user: UserID, _ alias: RoomAlias, mayMake: Bool) async throws {
        do {
            do {
                try await membership.join(idOrAlias: alias.string, by: MembershipRequester(user: user))
            } catch let error as MatrixError where error.status == 404 && mayMake && alias.belongs(to: serverName) {
                try await make(alias, for: user)
            } catch let error as MatrixError where error.status == 403 && inviter != nil && inviter != user {
                try await invite(user, to: alias)
                try await membership.join(idOrAlias: alias.string, by: MembershipRequester(user: user))
            }
        } catch let error as MatrixError {
            logger.warning(
                "a new account was not put into a room", metadata: ["user": "\(user)", "room": "\(alias)", "error": "\(error)"])
        }
    }

    private func make(_ alias: RoomAlias, for user: UserID) async throws {
        var request = CreateRoomRequest()
        request.preset =
            switch options.preset {
            case .publicChat: .publicChat
            case .privateChat: .privateChat
            case .trustedPrivateChat: .trustedPrivateChat
            }
        request.aliasName = alias.localpart.string
        if !options.makesFederatedRooms { request.creationContent["m.federate"] = false }
        let creator = inviter ?? user
        _ = try await creation.create(request, by: creator, isAdmin: true)
        guard creator != user else { return }
        if options.preset != .publicChat { try await invite(user, to: alias) }
        try await membership.join(idOrAlias: alias.string, by: MembershipRequester(user: user))
    }

    private func invite(_ user: UserID, to alias: RoomAlias) async throws {
        guard let inviter else { return }
        let room = try await membership.room(alias.string).room
        try await membership.change(.invite, of: user, in: room, by: MembershipRequester(user: inviter, isAdmin: true))
    }
}
