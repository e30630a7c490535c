// Whom this server lets into its rooms, out of them, or knock: the first half of each handshake.
// Server-Server API §Joining Rooms, §Restricted rooms, §Leaving Rooms, §Knocking upon a room.

import MatrixCore
import Persistence
import Rooms

/// An event for another server to complete and sign.
package struct EventTemplate: Sendable {
    /// A JSON object.
    package let event: [UInt8]
    package let roomVersion: RoomVersion
}

extension ServedRooms {
    /// `/make_join`.
    ///
    /// - Parameter versions: the room versions that the other server knows.
    /// - Throws: `M_FORBIDDEN`, `M_NOT_FOUND`, `M_INCOMPATIBLE_ROOM_VERSION`; for a restricted room `M_UNABLE_TO_AUTHORISE_JOIN` where this
    ///   server does not know whether the user may join, `M_UNABLE_TO_GRANT_JOIN` where none of its users can let others in.
    package func joinTemplate(
        for user: UserID, in id: RoomID, versions: [String], origin: ServerName
    ) async throws -> EventTemplate {
        let served = try await open(id, to: origin, for: user)
        try Self.check(served.snapshot.version, isAmong: versions)
        let snapshot = try resident(served)
        var authoriser: UserID?
        if needsAuthoriser(user, snapshot) {
            try await checkRestriction(for: user, snapshot)
            authoriser = snapshot.authoriser(among: rooms.environment.isLocal)
            guard authoriser != nil else { throw MatrixError.unableToGrantJoin("Unable to find a user which could issue an invite") }
        }
        return EventTemplate(
            event: try await served.room.template(of: .join, for: user, authorisedBy: authoriser), roomVersion: snapshot.version)
    }

    /// `/make_leave`: also for who was invited and does not want to come.
    package func leaveTemplate(for user: UserID, in id: RoomID, origin: ServerName) async throws -> EventTemplate {
        let served = try await open(id, to: origin, for: user)
        return EventTemplate(
            event: try await served.room.template(of: .leave, for: user), roomVersion: served.snapshot.version)
    }

    /// `/make_knock`.
    package func knockTemplate(
        for user: UserID, in id: RoomID, versions: [String], origin: ServerName
    ) async throws -> EventTemplate {
        let served = try await open(id, to: origin, for: user)
        let version = served.snapshot.version
        try Self.check(version, isAmong: versions)
        guard version.knocking else { throw MatrixError.forbidden("This room version does not support knocking") }
        _ = try resident(served)
        return EventTemplate(event: try await served.room.template(of: .knock, for: user), roomVersion: version)
    }

    // MARK: Steps

    private func open(_ id: RoomID, to origin: ServerName, for user: UserID) async throws -> ServedRoom {
        guard user.belongs(to: origin) else { throw MatrixError.forbidden("User not from origin") }
        return try await open(id, to: origin)
    }

    private static func check(_ version: RoomVersion, isAmong versions: [String]) throws(MatrixError) {
        guard versions.contains(where: { $0.utf8.elementsEqual(version.id.utf8) }) else {
            throw .incompatibleRoomVersion(version.id)
        }
    }

    /// What this server has of a room that all its users have left is of the past.
    private func resident(_ served: ServedRoom) throws(MatrixError) -> RoomSnapshot {
        guard served.snapshot.isJoined(by: rooms.environment.serverName) else {
            throw .notFound("Not an active room on this server")
        }
        return served.snapshot
    }

    private func needsAuthoriser(_ user: UserID, _ room: RoomSnapshot) -> Bool {
        guard room.version.restrictedJoins, room.joinRule.isRestricted else { return false }
        // Who is banned is refused by the rules.
        switch room.membership(of: user) {
        case .join, .invite, .ban: return false
        case .leave, .knock, nil: return true
        }
    }

    /// Whether the user is in one of the rooms that the join rule names. Of rooms that this server is not in, it cannot say.
    private func checkRestriction(for user: UserID, _ room: RoomSnapshot) async throws {
        var isComplete = room.joinRule.allow.count <= Self.allowLimit
        for case .roomMembership(let other) in room.joinRule.allow.prefix(Self.allowLimit) {
            guard let snapshot = try await rooms.room(other)?.current, snapshot.isJoined(by: rooms.environment.serverName) else {
                isComplete = false
                continue
            }
            if snapshot.membership(of: user) == .join { return }
        }
        guard isComplete else { throw MatrixError.unableToAuthoriseJoin("Unable to check if \(user) is in allowed rooms.") }
        throw MatrixError.forbidden("You do not belong to any of the required rooms/spaces to join this room.")
    }

    /// How many rooms of a join rule are looked at.
    private static let allowLimit = 50
}
