// Joining, inviting, leaving, and what moderators do to members. Client-Server API §Room membership.

import MatrixCore
import Persistence

/// Who asks for a change of membership.
package struct MembershipRequester: Sendable {
    package let user: UserID
    package let device: DeviceID?
    package let isGuest: Bool
    package let isAdmin: Bool
    /// The server acts in the user's place.
    package let isServer: Bool

    package init(user: UserID, device: DeviceID? = nil, isGuest: Bool = false, isAdmin: Bool = false, isServer: Bool = false) {
        self.user = user
        self.device = device
        self.isGuest = isGuest
        self.isAdmin = isAdmin
        self.isServer = isServer
    }
}

/// Changes memberships in the rooms of this server.
package struct RoomMembership: Sendable {
    let rooms: RoomRegistry
    private let directory: AliasDirectory
    private let remote: (any RemoteRooms)?
    private let blocksNonAdminInvites: Bool
    var environment: RoomEnvironment { rooms.environment }

    /// - Parameters:
    ///   - remote: the way to other servers; nil: there is none.
    ///   - blocksNonAdminInvites: only administrators invite (`block_non_admin_invites`).
    package init(
        rooms: RoomRegistry, directory: AliasDirectory, remote: (any RemoteRooms)? = nil, blocksNonAdminInvites: Bool = false
    ) {
        self.rooms = rooms
        self.directory = directory
        self.remote = remote
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
        let (id, servers) = try await room(idOrAlias)
        try await change(
            .join, of: requester.user, in: id, by: requester, content: content, transactionID: transactionID, via: servers)
        return id
    }

    /// The room that an id or an alias names, and servers by which one comes there.
    package func room(_ idOrAlias: String) async throws -> (room: RoomID, servers: [ServerName]) {
        do {
            guard idOrAlias.utf8.first == UInt8(ascii: "#") else { return (try RoomID(parsing: idOrAlias), []) }
            return try await directory.resolve(RoomAlias(parsing: idOrAlias))
        } catch let error as IdentifierError {
            throw MatrixError(error)
        }
    }

    // MARK: Changing

    /// Changes a membership by a new event, unless an event that says the same is in force.
    ///
    /// - Parameter servers: by which one comes into a room that this server is not in.
    /// - Returns: the id of the event.
    /// - Throws: `M_FORBIDDEN` by the authorization rules, `M_BAD_STATE`, `M_INVITE_BLOCKED`, `M_NOT_FOUND` for an unknown room.
    @discardableResult
    package func change(
        _ action: MembershipAction, of target: UserID, in roomID: RoomID, by requester: MembershipRequester,
        content: JSONObject = [:], transactionID: String? = nil, via servers: [ServerName] = []
    ) async throws -> EventID {
        try MembershipChange.check(content)
        let room = try await rooms.room(roomID)
        guard let room, isOwn(room) else {
            return try await changeElsewhere(action, of: target, in: roomID, room, by: requester, content: content, via: servers)
        }
        let environment = environment
        if action == .invite { try await checkMayInvite(target, requester) }
        if action == .leave { try checkMayLeave(room.current, target, requester) }
        if room.current.isPartial, room.current.membership(of: target) != .join { try await awaitMembers(of: room, for: action) }

        var change = MembershipChange(
            action: action, target: target, sender: requester.user, content: content, isGuest: requester.isGuest)
        if action.carriesProfile, let profile = try await environment.profiles(of: [target])[target] {
            for (field, value) in profile where content[field] == nil { change.content[field] = value }
        }
        if action == .join { change.isAllowedByOtherRoom = try await isAllowedByOtherRoom(target, to: room.current) }
        let request = change
        if action == .invite, !environment.isLocal(target) { return try await inviteElsewhere(request, to: room) }
        if action == .join, try needsOtherServer(request, room.current) {
            return try await joinElsewhere(room.id, request, room, via: servers)
        }
        let origin = EventOrigin(user: requester.user, device: requester.device, transactionID: transactionID)
        let ids = try await room.send(from: origin) { try request.drafts(in: $0, isLocal: environment.isLocal) }
        guard let id = ids.first else { throw MatrixError.internalError }
        return id
    }

    /// Whether a user of another server is in the room, or banned from it, is not known before all members are. Who comes in may do so by
    /// another server, if that takes long.
    private func awaitMembers(of room: Room, for action: MembershipAction) async throws {
        switch action {
        case .kick, .unban: try await room.waitUntilWhole()
        case .join: try await room.isSettled(within: .seconds(3))
        case .invite, .leave, .ban, .knock: return
        }
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
        guard let (nid, membership) = try await membership(of: user, in: roomID) else { return }
        guard membership == .leave || membership == .ban else {
            throw MatrixError.unknown("User \(user) in room \(roomID)", status: 400)
        }
        _ = try await environment.database.write { try MembershipStore.forget(user, nid, on: $0) }
    }

    private func membership(of user: UserID, in room: RoomID) async throws -> (room: RoomNID, membership: Membership)? {
        if let room = try await rooms.room(room), isOwn(room) { return room.current.membership(of: user).map { (room.nid, $0) } }
        guard let standing = try await standing(of: user, in: room),
            let row = try await environment.database.read({ try RoomStore.room(room, on: $0) })
        else { return nil }
        return (row.nid, standing.membership)
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

    // MARK: By way of other servers

    /// Whether this server takes part in the room: it has a member there, or nobody has any more and it is where the room was.
    func isOwn(_ room: Room) -> Bool {
        let current = room.current
        return current.isJoined(by: environment.serverName) || current.servers.isEmpty
    }

    /// In a room that this server is not in, its users can do little: come in, knock, and end what there is.
    private func changeElsewhere(
        _ action: MembershipAction, of target: UserID, in roomID: RoomID, _ room: Room?, by requester: MembershipRequester,
        content: JSONObject, via servers: [ServerName]
    ) async throws -> EventID {
        guard let remote, target == requester.user, action == .join || action == .knock || action == .leave else {
            throw RoomMembership.unknownRoom(roomID, action)
        }
        var content = content
        if action.carriesProfile, let profile = try await environment.profiles(of: [target])[target] {
            for (field, value) in profile where content[field] == nil { content[field] = value }
        }
        let standing = try await standing(of: target, in: roomID)
        // Who has invited is in the room, most likely.
        let known = room.map { $0.current.servers(limit: RoomMembership.serverLimit) } ?? []
        let candidates = servers + (standing.map { [$0.event.sender.server] } ?? []) + known
        switch action {
        case .join:
            if requester.isGuest, try await !remote.letsGuestsIn(roomID, via: candidates) { throw MatrixError.guestForbidden }
            try await remote.join(roomID, by: target, content: content, via: candidates)
        case .knock:
            try await remote.knock(roomID, by: target, content: content, via: candidates)
        default:
            guard let standing, standing.membership == .invite || standing.membership == .knock else {
                throw RoomMembership.unknownRoom(roomID, action)
            }
            try await remote.leave(roomID, by: target, content: content, ending: standing.event, via: candidates)
        }
        return try await event(of: target, in: roomID)
    }

    private static let serverLimit = 20

    private func inviteElsewhere(_ change: MembershipChange, to room: Room) async throws -> EventID {
        let drafts = try change.drafts(in: room.current, isLocal: environment.isLocal)
        guard let draft = drafts.first else { throw MatrixError.internalError }
        return try await inviteElsewhere(draft, of: change.target, to: room)
    }

    @discardableResult
    func inviteElsewhere(_ draft: EventDraft, of target: UserID, to room: Room) async throws -> EventID {
        guard let remote else { throw MatrixError.remoteServer(target.server) }
        return try await remote.invite(draft, of: target, to: room)
    }

    /// Has a server of the room make the invite to which a third-party invite entitles a user of this server.
    func exchangeElsewhere(_ signed: JSON, by sender: UserID, of target: UserID, in room: RoomID) async throws {
        guard let remote, environment.isLocal(target), !environment.isLocal(sender) else {
            throw MatrixError.notFound("Not a known room")
        }
        let invite: JSONObject = [
            "type": "m.room.member", "room_id": .string(room.string), "sender": .string(sender.string), "state_key": .string(target.string),
            "content": ["membership": "invite", "third_party_invite": ["signed": JSONValue(signed)]],
        ]
        try await remote.exchange(invite, in: room, at: sender.server)
    }

    /// A restricted room whose rule only users of other servers can vouch for, or a room of which this server does not know who is banned.
    private func needsOtherServer(_ change: MembershipChange, _ room: RoomSnapshot) throws(MatrixError) -> Bool {
        if room.isPartial, room.membership(of: change.target) != .join { return remote != nil }
        guard room.joinRule.isRestricted, remote != nil, room.servers.count > 1 else { return false }
        let membership = room.membership(of: change.target)
        guard membership != .join, membership != .invite, membership != .ban else { return false }
        return !change.isAllowedByOtherRoom || room.authoriser(among: environment.isLocal) == nil
    }

    private func joinElsewhere(
        _ id: RoomID, _ change: MembershipChange, _ room: Room, via servers: [ServerName]
    ) async throws -> EventID {
        guard let remote else { throw RoomMembership.unknownRoom(id, .join) }
        guard !change.isGuest || room.current.guestAccess == .canJoin else { throw MatrixError.guestForbidden }
        let candidates = servers + room.current.servers(limit: RoomMembership.serverLimit)
        try await remote.join(id, by: change.target, content: change.content, via: candidates)
        return try await event(of: change.target, in: id)
    }

    /// A local user's newest member event in a room, whether this server is in it or not.
    private func standing(of user: UserID, in room: RoomID) async throws -> (membership: Membership, event: Event)? {
        try await environment.database.read { connection in
            guard let row = try RoomStore.room(room, on: connection), let version = RoomVersion.named(row.version),
                let nid = try MembershipStore.event(of: user, in: row.nid, on: connection),
                let event = try EventStore.rows([nid], on: connection).first, let membership = event.membership
            else { return nil }
            return (membership, try Event(trusted: event.json, id: event.id, version: version))
        }
    }

    private func event(of user: UserID, in room: RoomID) async throws -> EventID {
        guard let standing = try await standing(of: user, in: room) else { throw MatrixError.internalError }
        return standing.event.id
    }

    // MARK: Steps

    /// Client-Server API §Server Notices: an invite to the server's notices cannot be rejected. Who is in the room may leave it.
    private func checkMayLeave(_ room: RoomSnapshot, _ target: UserID, _ requester: MembershipRequester) throws(MatrixError) {
        guard environment.isNoticeRoom(room), !requester.isServer, target == requester.user, room.membership(of: target) == .invite else {
            return
        }
        throw .cannotLeaveServerNoticeRoom
    }

    private func checkMayInvite(_ target: UserID, _ requester: MembershipRequester) async throws {
        try environment.checkIsNoNoticeSender([target])
        try checkInvitesAreAllowed(for: requester)
        if !requester.isAdmin { try await environment.checkMayBeInvited([target]) }
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
