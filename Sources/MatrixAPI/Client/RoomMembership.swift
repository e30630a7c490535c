// Joining, leaving, inviting, and moderation of members. Client-Server API §Room membership.

import Homeserver
import MatrixCore
import Rooms

enum RoomMembershipRoutes {
    static let table: [Route] = [
        .client(.post, "/join/{roomIdOrAlias}", legacy: true, deed: .join, joinByIDOrAlias),
        .client(.post, "/rooms/{roomId}/join", legacy: true, deed: .join, join),
        .client(.post, "/knock/{roomIdOrAlias}", deed: .knock, knock),
        .client(.post, "/rooms/{roomId}/invite", legacy: true, deed: .invite, invite),
        .client(.post, "/rooms/{roomId}/leave", legacy: true, deed: .leave, leave),
        .client(.post, "/rooms/{roomId}/forget", legacy: true, forget),
        .client(.post, "/rooms/{roomId}/kick", legacy: true, deed: .moderate) { try await moderate(.kick, $0) },
        .client(.post, "/rooms/{roomId}/ban", legacy: true, deed: .moderate) { try await moderate(.ban, $0) },
        .client(.post, "/rooms/{roomId}/unban", legacy: true, deed: .moderate) { try await moderate(.unban, $0) },
    ]

    // MARK: Joining and knocking

    /// As in Synapse, what else the body says goes into the member event.
    private static func joinByIDOrAlias(_ context: APIContext) async throws -> APIResponse {
        let body = try context.optionalBody()
        var content = JSONObject(body)
        content["third_party_signed"] = nil
        let (room, servers) = try await room(context)
        return try await join(room, body, content, context, via: servers)
    }

    private static func join(_ context: APIContext) async throws -> APIResponse {
        let body = try context.optionalBody()
        return try await join(try context.roomID("roomId"), body, try reason(body), context)
    }

    private static func join(
        _ room: RoomID, _ body: JSON, _ content: JSONObject, _ context: APIContext, via servers: [ServerName] = []
    ) async throws -> APIResponse {
        try await context.homeserver.memberships.join(
            room, by: try context.requester, content: content, signed: try body.optionalObject("third_party_signed"),
            via: servers)
        return .object { $0.member("room_id", room) }
    }

    private static func knock(_ context: APIContext) async throws -> APIResponse {
        let requester = try context.requester
        let (room, servers) = try await room(context)
        try await context.homeserver.memberships.change(
            .knock, of: requester.user, in: room, by: requester, content: try reason(try context.optionalBody()), via: servers)
        return .object { $0.member("room_id", room) }
    }

    // MARK: Inviting

    private static func invite(_ context: APIContext) async throws -> APIResponse {
        let requester = try context.requester
        let room = try context.roomID("roomId")
        let body = try context.body()
        let memberships = context.homeserver.memberships
        if body["medium"] != nil || body["address"] != nil {
            try await memberships.invite(try ThirdPartyInvite(body), to: room, by: requester)
        } else {
            try await memberships.change(
                .invite, of: try body.requiredIdentifier("user_id"), in: room, by: requester, content: try reason(body))
        }
        return .empty
    }

    // MARK: Leaving

    private static func leave(_ context: APIContext) async throws -> APIResponse {
        let requester = try context.requester
        try await context.homeserver.memberships.change(
            .leave, of: requester.user, in: try context.roomID("roomId"), by: requester, content: try reason(try context.optionalBody()))
        return .empty
    }

    private static func forget(_ context: APIContext) async throws -> APIResponse {
        try await context.homeserver.memberships.forget(try context.roomID("roomId"), by: try context.requester)
        return .empty
    }

    // MARK: Moderating

    private static func moderate(_ action: MembershipAction, _ context: APIContext) async throws -> APIResponse {
        let body = try context.body()
        try await context.homeserver.memberships.change(
            action, of: try body.requiredIdentifier("user_id"), in: try context.roomID("roomId"), by: try context.requester,
            content: try reason(body))
        return .empty
    }

    // MARK: Steps

    /// The room, and the servers by which one comes there: those that the client names first.
    private static func room(_ context: APIContext) async throws -> (RoomID, [ServerName]) {
        let (room, servers) = try await context.homeserver.memberships.room(try context.parameter("roomIdOrAlias"))
        // `server_name` is what `via` was called before version 1.12 of the specification.
        let named = (context.queryAll("via") + context.queryAll("server_name")).prefix(serverLimit).compactMap { ServerName(valid: $0) }
        return (room, named + servers)
    }

    /// How many servers a client may name.
    private static let serverLimit = 50

    private static func reason(_ body: JSON) throws(MatrixError) -> JSONObject {
        guard let reason = try body.optionalString("reason") else { return [:] }
        return ["reason": .string(reason)]
    }
}
