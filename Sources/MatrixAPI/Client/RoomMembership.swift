// Joining, leaving, inviting, and moderation of members. Client-Server API §Room membership.

import Homeserver
import MatrixCore
import Rooms

enum RoomMembershipRoutes {
    static let table: [Route] = [
        .client(.post, "/join/{roomIdOrAlias}", legacy: true, joinByIDOrAlias),
        .client(.post, "/rooms/{roomId}/join", legacy: true, join),
        .client(.post, "/rooms/{roomId}/invite", legacy: true, invite),
        .client(.post, "/rooms/{roomId}/leave", legacy: true, leave),
        .client(.post, "/rooms/{roomId}/forget", legacy: true, forget),
        .client(.post, "/rooms/{roomId}/kick", legacy: true) { try await moderate(.kick, $0) },
        .client(.post, "/rooms/{roomId}/ban", legacy: true) { try await moderate(.ban, $0) },
        .client(.post, "/rooms/{roomId}/unban", legacy: true) { try await moderate(.unban, $0) },
    ]

    // MARK: Joining

    private static func joinByIDOrAlias(_ context: APIContext) async throws -> APIResponse {
        try await join(try context.parameter("roomIdOrAlias"), context)
    }

    private static func join(_ context: APIContext) async throws -> APIResponse {
        try await join(try context.roomID("roomId").string, context)
    }

    private static func join(_ idOrAlias: String, _ context: APIContext) async throws -> APIResponse {
        let requester = try context.requester
        let content = try reason(try context.optionalBody())
        let membership = context.homeserver.membership
        let room = try await membership.room(idOrAlias)
        let limits = context.homeserver.rateLimits
        try limits.check(.joinsLocal, of: requester.user.text)
        try limits.check(.joinsPerRoom, of: room.text)
        try await membership.change(.join, of: requester.user, in: room, by: MembershipRequester(requester), content: content)
        return .object { $0.member("room_id", room) }
    }

    // MARK: Inviting

    private static func invite(_ context: APIContext) async throws -> APIResponse {
        let requester = try member(context)
        let room = try context.roomID("roomId")
        let body = try context.body()
        if body["medium"] != nil, body["address"] != nil {
            throw MatrixError.forbidden("Inviting by third-party identifiers is not available on this server")
        }
        let target: UserID = try body.requiredIdentifier("user_id")
        let limits = context.homeserver.rateLimits
        try limits.check(.invitesPerRoom, of: room.text)
        try limits.check(.invitesPerUser, of: target.text)
        try limits.check(.invitesPerIssuer, of: requester.user.text)
        try await context.homeserver.membership.change(
            .invite, of: target, in: room, by: MembershipRequester(requester), content: try reason(body))
        return .empty
    }

    // MARK: Leaving

    private static func leave(_ context: APIContext) async throws -> APIResponse {
        let requester = try context.requester
        let room = try context.roomID("roomId")
        let content = try reason(try context.optionalBody())
        try await context.homeserver.membership.change(
            .leave, of: requester.user, in: room, by: MembershipRequester(requester), content: content)
        if context.homeserver.configuration.forgetRoomsOnLeave {
            try await context.homeserver.membership.forget(room, by: requester.user)
        }
        return .empty
    }

    private static func forget(_ context: APIContext) async throws -> APIResponse {
        let user = try context.requester.user
        try await context.homeserver.membership.forget(try context.roomID("roomId"), by: user)
        return .empty
    }

    // MARK: Moderating

    private static func moderate(_ action: MembershipAction, _ context: APIContext) async throws -> APIResponse {
        let requester = try member(context)
        let body = try context.body()
        let target: UserID = try body.requiredIdentifier("user_id")
        try await context.homeserver.membership.change(
            action, of: target, in: try context.roomID("roomId"), by: MembershipRequester(requester), content: try reason(body))
        return .empty
    }

    // MARK: Steps

    /// Guests may join and leave, and nothing else here. §Guest access.
    private static func member(_ context: APIContext) throws(MatrixError) -> Requester {
        let requester = try context.requester
        guard !requester.isGuest else { throw .guestForbidden }
        return requester
    }

    private static func reason(_ body: JSON) throws(MatrixError) -> JSONObject {
        guard let reason = try body.optionalString("reason") else { return [:] }
        return ["reason": .string(reason)]
    }
}
