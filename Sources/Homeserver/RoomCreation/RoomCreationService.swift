// Rooms as clients ask for them: the making of a room with this server's limits around it. Client-Server API §Creation.

import MatrixCore
import Rooms

package struct RoomCreationService: Sendable {
    private let creation: RoomCreation
    private let membership: MembershipService
    private let rateLimits: RateLimiter
    private let serverName: ServerName

    package init(creation: RoomCreation, membership: MembershipService, rateLimits: RateLimiter, serverName: ServerName) {
        self.serverName = serverName
        self.creation = creation
        self.membership = membership
        self.rateLimits = rateLimits
    }

    /// Makes a room. Invites of users of other servers and by address follow when it is there: one that fails is told, and the room stays.
    ///
    /// - Throws: `M_LIMIT_EXCEEDED`, and what `RoomCreation.create` and `MembershipService.invite` throw.
    package func create(_ request: CreateRoomRequest, by requester: Requester) async throws -> RoomID {
        guard !requester.isGuest else { throw MatrixError.guestForbidden }
        try rateLimits.checkRoomCreation(by: requester.user)
        let invites = request.invites.count + request.thirdPartyInvites.count
        if invites > 0 { try rateLimits.checkInvitesOfNewRoom(invites, by: requester.user) }
        let room = try await creation.create(request, by: requester.user, device: requester.device, isAdmin: requester.isAdmin)
        for user in request.invites where user.server != serverName {
            let content: JSONObject = request.isDirect ? ["is_direct": true] : [:]
            try await membership.change(.invite, of: user, in: room, by: requester, content: content)
        }
        for invite in request.thirdPartyInvites { try await membership.invite(invite, to: room, by: requester) }
        return room
    }
}
