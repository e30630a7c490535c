// Membership as clients ask for it: the rules of rooms with this server's limits around them. Client-Server API §Room membership.

import MatrixCore
import Persistence
import Rooms

/// Every change of a membership that a client asks for goes this way, whichever endpoint it comes by.
package struct MembershipService: Sendable {
    private let rooms: RoomRegistry
    private let membership: RoomMembership
    private let identityServers: any IdentityServers
    private let rateLimits: RateLimiter
    private let forgetsOnLeave: Bool
    private let succession: CommitReader?

    /// - Parameters:
    ///   - forgetsOnLeave: who is out of a room has forgotten it (`forget_rooms_on_leave`).
    ///   - succession: carries over what is known of a room to the one that took its place; nil: nothing does.
    package init(
        rooms: RoomRegistry, membership: RoomMembership, identityServers: any IdentityServers, rateLimits: RateLimiter,
        forgetsOnLeave: Bool = false, succession: CommitReader? = nil
    ) {
        self.rooms = rooms
        self.membership = membership
        self.identityServers = identityServers
        self.rateLimits = rateLimits
        self.forgetsOnLeave = forgetsOnLeave
        self.succession = succession
    }

    /// The room that an id or an alias names.
    package func room(_ idOrAlias: String) async throws -> (room: RoomID, servers: [ServerName]) {
        try await membership.room(idOrAlias)
    }

    /// Changes a membership.
    ///
    /// - Parameters:
    ///   - content: what the event says besides the membership.
    ///   - servers: by which one comes into a room that this server is not in.
    /// - Returns: the event by which it is so now.
    /// - Throws: `M_LIMIT_EXCEEDED`, `M_GUEST_ACCESS_FORBIDDEN`, and what `RoomMembership.change` throws.
    @discardableResult
    package func change(
        _ action: MembershipAction, of target: UserID, in room: RoomID, by requester: Requester, content: JSONObject = [:],
        via servers: [ServerName] = []
    ) async throws -> EventID {
        // Guests may come and go.
        guard !requester.isGuest || action == .join || action == .leave else { throw MatrixError.guestForbidden }
        switch action {
        case .join:
            let here = try await rooms.room(room)?.current
            let isRemote = here?.isJoined(by: rooms.environment.serverName) != true
            if isRemote || here?.membership(of: target) != .join {
                try rateLimits.checkJoin(of: room, by: requester.user, isRemote: isRemote)
            }
        case .invite:
            try rateLimits.checkInvite(of: target, to: room, by: requester.user)
        default: break
        }
        try rateLimits.check(.message, of: requester.user.text)
        let id = try await membership.change(
            action, of: target, in: room, by: MembershipRequester(requester), content: content, via: servers)
        if action == .join { try await awaitSuccession(to: room) }
        if forgetsOnLeave, action.membership == .leave || action.membership == .ban { try await membership.forget(room, by: target) }
        return id
    }

    /// Who comes into a room that took another's place finds there what they had set for that one.
    private func awaitSuccession(to room: RoomID) async throws {
        guard let succession, let create = try await rooms.room(room)?.current.createEvent,
            create.sender.server != rooms.environment.serverName, CreateEvent(create).predecessor != nil
        else { return }
        await succession.reach(rooms.environment.journal.position)
    }

    /// Changes a membership as `PUT …/state/m.room.member/{userId}` says it.
    package func set(_ content: JSONObject, of target: UserID, in room: RoomID, by requester: Requester) async throws -> EventID {
        try await change(RoomMembership.action(settingTo: content), of: target, in: room, by: requester, content: content)
    }

    /// Joins a room, by a third-party invite where the client has one.
    ///
    /// - Parameter signed: the `third_party_signed` of the request.
    package func join(
        _ room: RoomID, by requester: Requester, content: JSONObject, signed: JSON?, via servers: [ServerName] = []
    ) async throws {
        if let signed {
            guard let sender = signed["sender"]?.string.flatMap({ UserID(valid: $0) }) else {
                throw MatrixError.badJSON("third_party_signed needs a sender")
            }
            try await accept(signed, by: sender, of: requester.user, in: room)
        }
        try await change(.join, of: requester.user, in: room, by: requester, content: content, via: servers)
    }

    /// - Throws: `M_UNKNOWN` for a user who is still in the room.
    package func forget(_ room: RoomID, by requester: Requester) async throws {
        try await membership.forget(room, by: requester.user)
    }

    // MARK: Third-party invites

    /// Invites whom an address belongs to; where the identity server knows nobody, the invite waits in the room.
    ///
    /// - Throws: `M_FORBIDDEN`, `M_LIMIT_EXCEEDED`; `M_UNKNOWN` when the identity server does not help.
    package func invite(_ invite: ThirdPartyInvite, to room: RoomID, by requester: Requester) async throws {
        guard !requester.isGuest else { throw MatrixError.guestForbidden }
        let inviter = MembershipRequester(requester)
        try membership.checkInvitesAreAllowed(for: inviter)
        try rateLimits.check(.thirdPartyInvite, of: requester.user.text)
        if let user = try await identityServers.user(of: invite) {
            try await change(.invite, of: user, in: room, by: requester)
            return
        }
        let details = try await membership.details(ofInvitesTo: room, by: requester.user)
        let stored = try await identityServers.store(invite, details: details)
        try await membership.store(stored, in: room, by: inviter)
    }

    /// Turns a third-party invite into one of the user to whom its address belongs.
    ///
    /// - Parameter sender: who made the third-party invite.
    package func accept(_ signed: JSON, by sender: UserID, of user: UserID, in room: RoomID) async throws {
        let identityServers = identityServers
        try await membership.exchange(signed, by: sender, of: user, in: room) { try await identityServers.isValid($0) }
    }
}

extension MembershipRequester {
    package init(_ requester: Requester) {
        self.init(user: requester.user, device: requester.device, isGuest: requester.isGuest, isAdmin: requester.isAdmin)
    }
}
