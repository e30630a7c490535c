// Joining, inviting, leaving, and what moderators do to members. Client-Server API §Room membership.

import MatrixCore
import Persistence

/// Who asks for a change of membership.
package struct MembershipRequester: Sendable {
    package let user: UserID
    package let device: DeviceID?
    package let isGuest: Bool

    package init(user: UserID, device: DeviceID? = nil, isGuest: Bool = false) {
        self.user = user
        self.device = device
        self.isGuest = isGuest
    }
}

/// Changes memberships in the rooms of this server.
package struct RoomMembership: Sendable {
    private let rooms: RoomRegistry
    private let directory: AliasDirectory
    private var environment: RoomEnvironment { rooms.environment }

    package init(rooms: RoomRegistry, directory: AliasDirectory) {
        self.rooms = rooms
        self.directory = directory
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
    /// - Throws: `M_FORBIDDEN` by the authorization rules, `M_BAD_STATE`, `M_NOT_FOUND` for an unknown room.
    @discardableResult
    package func change(
        _ action: MembershipAction, of target: UserID, in roomID: RoomID, by requester: MembershipRequester,
        content: JSONObject = [:], transactionID: String? = nil
    ) async throws -> EventID {
        guard let room = try await rooms.room(roomID) else { throw RoomMembership.unknownRoom(roomID, action) }
        let environment = environment
        guard action != .invite || environment.isLocal(target) else { throw MatrixError.remoteServer(target.server) }

        var change = MembershipChange(action: action, target: target, sender: requester.user, content: content)
        if action == .join || action == .invite, environment.isLocal(target) {
            try await addProfile(of: target, to: &change.content)
        }
        if action == .join {
            try checkGuest(requester, room: room.current)
            if requester.isGuest { change.content["kind"] = "guest" }
            change.isAllowedByOtherRoom = try await isAllowedByOtherRoom(target, to: room.current)
        }
        let request = change
        let origin = EventOrigin(user: requester.user, device: requester.device, transactionID: transactionID)
        let ids = try await room.send(from: origin) { try request.drafts(in: $0, isLocal: environment.isLocal) }
        guard let id = ids.first else { throw MatrixError.internalError }
        return id
    }

    /// Changes a membership as `PUT …/state/m.room.member/{userId}` asks for it: by the content of the event.
    package func change(
        to content: JSONObject, of target: UserID, in roomID: RoomID, by requester: MembershipRequester
    ) async throws -> EventID {
        guard let text = content["membership"]?.string else {
            throw MatrixError.badJSON("Invalid membership (must be a string)")
        }
        // A knock is made by its own endpoint.
        guard let action = MembershipAction(rawValue: text), action.membership.rawValue == text else {
            throw MatrixError.badJSON("Invalid membership key")
        }
        return try await change(action, of: target, in: roomID, by: requester, content: content)
    }

    /// Client-Server API §Leaving rooms, forget.
    ///
    /// - Throws: `M_UNKNOWN` for a user who is still in the room, `M_NOT_FOUND` for one who never was.
    package func forget(_ roomID: RoomID, by user: UserID) async throws {
        let room = try await rooms.existing(roomID)
        guard let membership = room.current.membership(of: user) else {
            throw MatrixError.notFound("User \(user) was never in room \(roomID)")
        }
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
        let environment = environment
        for row in try await rooms(of: user) where row.membership == .join {
            guard let room = try await rooms.room(row.room) else { continue }
            do {
                try await room.send(from: EventOrigin(user: user)) { state in
                    guard state.membership(of: user) == .join else { return [] }
                    var content: JSONObject = [:]
                    content["displayname"] = displayName.map { .string($0) }
                    content["avatar_url"] = avatarURL.map { .string($0) }
                    return try MembershipChange(action: .join, target: user, sender: user, content: content)
                        .drafts(in: state, isLocal: environment.isLocal)
                }
            } catch let error as MatrixError {
                environment.logger.info(
                    "a room refused the new profile of a member",
                    metadata: ["room": "\(row.room)", "user": "\(user)", "error": "\(error)"])
            }
        }
    }

    // MARK: Steps

    /// The name and picture of a user, where the request does not give its own.
    private func addProfile(of user: UserID, to content: inout JSONObject) async throws {
        for (field, value) in try await environment.database.read({ try ProfileStore.profile(of: user, on: $0) })
        where field == "displayname" || field == "avatar_url" {
            guard content[field] == nil else { continue }
            content[field] = JSONValue(try JSONDocument(parsing: value).root)
        }
    }

    /// Client-Server API §Guest access.
    private func checkGuest(_ requester: MembershipRequester, room: RoomSnapshot) throws(MatrixError) {
        guard !requester.isGuest || room.guestAccess == .canJoin else { throw .guestForbidden }
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
        action == .join
            ? .notFound("Can't join remote room because no servers that are in the room have been provided.")
            : .notFound("Not a known room")
    }
}

extension MatrixError {
    /// What would need another server, which this server does not talk to.
    static func remoteServer(_ name: ServerName) -> MatrixError {
        .unknown("Server \(name) cannot be reached", status: 502)
    }
}
