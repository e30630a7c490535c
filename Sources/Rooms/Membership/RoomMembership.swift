// Joining, inviting, leaving, and what moderators do to members. Client-Server API §Room membership.

import MatrixCore
import Persistence

/// Who asks for a change of membership.
package struct MembershipRequester: Sendable {
    package let user: UserID
    package let device: DeviceID?
    package let isGuest: Bool
    package let isAdmin: Bool

    package init(user: UserID, device: DeviceID? = nil, isGuest: Bool = false, isAdmin: Bool = false) {
        self.user = user
        self.device = device
        self.isGuest = isGuest
        self.isAdmin = isAdmin
    }
}

/// Changes memberships in the rooms of this server.
package struct RoomMembership: Sendable {
    let rooms: RoomRegistry
    private let directory: AliasDirectory
    private let blocksNonAdminInvites: Bool
    var environment: RoomEnvironment { rooms.environment }

    /// - Parameter blocksNonAdminInvites: only administrators invite (`block_non_admin_invites`).
    package init(rooms: RoomRegistry, directory: AliasDirectory, blocksNonAdminInvites: Bool = false) {
        self.rooms = rooms
        self.directory = directory
        self.blocksNonAdminInvites = blocksNonAdminInvites
    }

    // MARK: Joining

    /// Joins a room by its id or one of its aliases.
    ///
    /// - Parameter content: what the member event says besides, such as `reason`.
    /// - Returns: the room's id.
    @discardableResult
    package func join(
        idOrAlias: String, by requester: MembershipRequester, content: JSONObject = [:], transactionID: String? = nil
    ) async throws -> RoomID {
        let id = try await room(idOrAlias)
        try await change(.join, of: requester.user, in: id, by: requester, content: content, transactionID: transactionID)
        return id
    }

    /// The room that an id or an alias names.
    package func room(_ idOrAlias: String) async throws -> RoomID {
        do {
            guard idOrAlias.utf8.first == UInt8(ascii: "#") else { return try RoomID(parsing: idOrAlias) }
            return try await directory.resolve(RoomAlias(parsing: idOrAlias)).room
        } catch let error as IdentifierError {
            throw MatrixError(error)
        }
    }

    // MARK: Changing

    /// Changes a membership by a new event, unless an event that says the same is in force.
    ///
    /// - Returns: the id of the event.
    /// - Throws: `M_FORBIDDEN` by the authorization rules, `M_BAD_STATE`, `M_INVITE_BLOCKED`, `M_NOT_FOUND` for an unknown room.
    @discardableResult
    package func change(
        _ action: MembershipAction, of target: UserID, in roomID: RoomID, by requester: MembershipRequester,
        content: JSONObject = [:], transactionID: String? = nil
    ) async throws -> EventID {
        guard let room = try await rooms.room(roomID) else { throw RoomMembership.unknownRoom(roomID, action) }
        let environment = environment
        try MembershipChange.check(content)
        if action == .invite { try await checkMayInvite(target, requester) }

        var change = MembershipChange(
            action: action, target: target, sender: requester.user, content: content, isGuest: requester.isGuest)
        if action.carriesProfile, let profile = try await environment.profiles(of: [target])[target] {
            for (field, value) in profile where content[field] == nil { change.content[field] = value }
        }
        if action == .join { change.isAllowedByOtherRoom = try await isAllowedByOtherRoom(target, to: room.current) }
        let request = change
        let origin = EventOrigin(user: requester.user, device: requester.device, transactionID: transactionID)
        let ids = try await room.send(from: origin) { try request.drafts(in: $0, isLocal: environment.isLocal) }
        guard let id = ids.first else { throw MatrixError.internalError }
        return id
    }

    /// Changes a membership as `PUT …/state/m.room.member/{userId}` asks for it: by the content of the event.
    @discardableResult
    package func change(
        to content: JSONObject, of target: UserID, in roomID: RoomID, by requester: MembershipRequester
    ) async throws -> EventID {
        try await change(RoomMembership.action(settingTo: content), of: target, in: roomID, by: requester, content: content)
    }

    /// What `PUT …/state/m.room.member/{userId}` asks for, by the content of the event.
    ///
    /// - Throws: `M_BAD_JSON`.
    package static func action(settingTo content: JSONObject) throws(MatrixError) -> MembershipAction {
        guard let text = content["membership"]?.string else { throw .badJSON("Invalid membership (must be a string)") }
        // The others are names of endpoints.
        guard let action = MembershipAction(rawValue: text), action.membership.rawValue == text else {
            throw .badJSON("Invalid membership key")
        }
        return action
    }

    /// Client-Server API §Leaving rooms, forget. Who never was in the room has nothing to forget.
    ///
    /// - Throws: `M_UNKNOWN` for a user who is still in the room.
    package func forget(_ roomID: RoomID, by user: UserID) async throws {
        guard let room = try await rooms.room(roomID), let membership = room.current.membership(of: user) else { return }
        guard membership == .leave || membership == .ban else {
            throw MatrixError.unknown("User \(user) in room \(roomID)", status: 400)
        }
        let nid = room.nid
        _ = try await environment.database.write { try MembershipStore.forget(user, nid, on: $0) }
    }

    // MARK: The rooms of a user

    /// Every room that a local user has to do with or ever had, in no order.
    package func rooms(of user: UserID) async throws -> [MembershipRow] {
        try await environment.database.read { try MembershipStore.rooms(of: user, on: $0) }
    }

    /// Puts a new name or picture into the member events of a user. A room that refuses it keeps the old one.
    package func updateProfile(of user: UserID, displayName: String?, avatarURL: String?) async throws {
        var profile: JSONObject = [:]
        profile["displayname"] = displayName.map { .string($0) }
        profile["avatar_url"] = avatarURL.map { .string($0) }
        let content = profile
        let joined = try await rooms(of: user).filter { $0.membership == .join }
        // Several rooms at a time share the Journal's commits.
        try await withThrowingTaskGroup(of: Void.self) { group in
            for (index, row) in joined.enumerated() {
                if index >= RoomMembership.concurrentUpdateLimit { try await group.next() }
                group.addTask { try await update(content, of: user, in: row.room) }
            }
            try await group.waitForAll()
        }
    }

    private static let concurrentUpdateLimit = 16

    private func update(_ profile: JSONObject, of user: UserID, in roomID: RoomID) async throws {
        let environment = environment
        guard let room = try await rooms.room(roomID) else { return }
        do {
            try await room.send(from: EventOrigin(user: user)) { state in
                guard state.membership(of: user) == .join else { return [] }
                return try MembershipChange(action: .join, target: user, sender: user, content: profile)
                    .drafts(in: state, isLocal: environment.isLocal)
            }
        } catch let error as MatrixError {
            environment.logger.info(
                "a room refused the new profile of a member",
                metadata: ["room": "\(roomID)", "user": "\(user)", "error": "\(error)"])
        }
    }

    // MARK: Steps

    private func checkMayInvite(_ target: UserID, _ requester: MembershipRequester) async throws {
        try checkInvitesAreAllowed(for: requester)
        if !requester.isAdmin { try await environment.checkMayBeInvited([target]) }
        guard environment.isLocal(target) else { throw MatrixError.remoteServer(target.server) }
    }

    /// - Throws: `M_FORBIDDEN` where only administrators invite.
    package func checkInvitesAreAllowed(for requester: MembershipRequester) throws(MatrixError) {
        guard requester.isAdmin || !blocksNonAdminInvites else { throw .forbidden("Invites have been disabled on this server") }
    }

    /// Rooms §Restricted rooms: whether the user is in one of the rooms that the join rule names. Those that this server does not know
    /// do not count.
    private func isAllowedByOtherRoom(_ user: UserID, to room: RoomSnapshot) async throws -> Bool {
        guard room.joinRule.isRestricted else { return false }
        for case .roomMembership(let other) in room.joinRule.allow {
            if try await rooms.room(other)?.current.membership(of: user) == .join { return true }
        }
        return false
    }

    private static func unknownRoom(_ room: RoomID, _ action: MembershipAction) -> MatrixError {
        action == .join || action == .knock
            ? .notFound("Can't join remote room because no servers that are in the room have been provided.")
            : .notFound("Not a known room")
    }
}

extension MatrixError {
    /// What would need another server, which this server does not talk to.
    package static func remoteServer(_ name: ServerName) -> MatrixError {
        .unknown("Server \(name) cannot be reached", status: 502)
    }
}
