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
    private let rooms: [RoomAlias]
    private let makesRooms: Bool
    private let includesGuests: Bool

    package init(
        _ configuration: ServerConfiguration, database: any Database, creation: RoomCreation, membership: RoomMembership, logger: Logger
    ) {
        self.database = database
        self.creation = creation
        self.membership = membership
        self.logger = logger
        serverName = configuration.serverName
        rooms = configuration.autoJoinRooms
        makesRooms = configuration.autocreateAutoJoinRooms
        includesGuests = configuration.autoJoinRoomsForGuests
    }

    /// A room that cannot be joined is left out: the account is made in any case.
    package func join(_ user: UserID, isGuest: Bool = false) async {
        guard !rooms.isEmpty, includesGuests || !isGuest else { return }
        do {
            let isFirst = try await database.read { try !AccountStore.existsOther(than: user, on: $0) }
            for alias in rooms { try await join(user, alias, mayMake: makesRooms && isFirst && !isGuest) }
        } catch {
            logger.warning("a new account was not put into its rooms", metadata: ["user": "\(user)", "error": "\(error)"])
        }
    }

    private func join(_ user: UserID, _ alias: RoomAlias, mayMake: Bool) async throws {
        do {
            do {
                try await membership.join(idOrAlias: alias.string, by: MembershipRequester(user: user))
            } catch let error as MatrixError where error.status == 404 && mayMake && alias.belongs(to: serverName) {
                var request = CreateRoomRequest()
                request.preset = .publicChat
                request.aliasName = alias.localpart.string
                _ = try await creation.create(request, by: user, isAdmin: true)
            }
        } catch let error as MatrixError {
            logger.warning(
                "a new account was not put into a room", metadata: ["user": "\(user)", "room": "\(alias)", "error": "\(error)"])
        }
    }
}
