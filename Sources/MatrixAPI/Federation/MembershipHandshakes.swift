// How users of other servers join, leave and knock, and how they are invited by them: the second half of each handshake.
// Server-Server API §Joining Rooms, §Leaving Rooms, §Knocking upon a room, §Inviting to a room.

import Federation
import Homeserver
import MatrixCore

enum MembershipHandshakeRoutes {
    static let table: [Route] = [
        .federation(.put, "/send_join/{roomId}/{eventId}", version: "v2", sendJoin),
        .federation(.put, "/send_join/{roomId}/{eventId}", version: "v1", sendJoinInFirstForm),
        .federation(.put, "/send_leave/{roomId}/{eventId}", version: "v2", sendLeave),
        .federation(.put, "/send_leave/{roomId}/{eventId}", version: "v1", sendLeaveInFirstForm),
        .federation(.put, "/send_knock/{roomId}/{eventId}", version: "v1", sendKnock),
        .federation(.put, "/invite/{roomId}/{eventId}", version: "v2", invite),
        .federation(.put, "/invite/{roomId}/{eventId}", version: "v1", inviteInFirstForm),
    ]

    // MARK: Joining, leaving, knocking

    private static func sendJoin(_ context: APIContext) async throws -> APIResponse {
        let omitsMembers = try context.queryBool("omit_members") ?? false
        return .json(bytes: try await join(context, omitsMembers: omitsMembers))
    }

    /// The answers of the first version are lists of a status and what the second version answers.
    private static func sendJoinInFirstForm(_ context: APIContext) async throws -> APIResponse {
        .json(bytes: Array("[200,".utf8) + (try await join(context, omitsMembers: false)) + Array("]".utf8))
    }

    private static func join(_ context: APIContext, omitsMembers: Bool) async throws -> [UInt8] {
        let request = try request(context)
        try context.homeserver.rateLimits.check(.joinsPerRoom, of: request.room.text)
        return try await context.homeserver.federatedRooms.handshakes.join(request, omitsMembers: omitsMembers)
    }

    private static func sendLeave(_ context: APIContext) async throws -> APIResponse {
        try await context.homeserver.federatedRooms.handshakes.leave(request(context))
        return .empty
    }

    private static func sendLeaveInFirstForm(_ context: APIContext) async throws -> APIResponse {
        try await context.homeserver.federatedRooms.handshakes.leave(request(context))
        return .json(bytes: Array("[200,{}]".utf8))
    }

    private static func sendKnock(_ context: APIContext) async throws -> APIResponse {
        let state = try await context.homeserver.federatedRooms.handshakes.knock(request(context))
        return .object { $0.member("knock_room_state", array: { list in for event in state { list.raw(event) } }) }
    }

    private static func request(_ context: APIContext) throws(MatrixError) -> MembershipHandshakes.Request {
        MembershipHandshakes.Request(
            room: try context.roomID("roomId"), event: try context.parameter("eventId"), body: try context.body(),
            origin: try context.origin)
    }

    // MARK: Inviting

    private static func invite(_ context: APIContext) async throws -> APIResponse {
        let body = try context.body()
        let name = try body.requiredString("room_version")
        guard let version = RoomVersion.named(name) else { throw MatrixError.incompatibleRoomVersion(name) }
        let signed = try await accept(
            body.requiredObject("event"), version: version, strippedState: body["invite_room_state"], context)
        return .object(capacity: signed.count + 16) { $0.member("event", raw: signed) }
    }

    /// The first form knows rooms of the first two versions only.
    private static func inviteInFirstForm(_ context: APIContext) async throws -> APIResponse {
        let event = try context.body()
        let signed = try await accept(event, version: .v1, strippedState: event["unsigned"]?["invite_room_state"], context)
        return .json(bytes: Array("[200,{\"event\":".utf8) + signed + Array("}]".utf8))
    }

    private static func accept(
        _ event: JSON, version: RoomVersion, strippedState: JSON?, _ context: APIContext
    ) async throws -> [UInt8] {
        let room = try context.roomID("roomId")
        let homeserver = context.homeserver
        if let target = event["state_key"]?.string {
            try homeserver.rateLimits.check(.invitesPerRoom, of: room.text)
            try homeserver.rateLimits.check(.invitesPerUser, of: ByteString(target))
        }
        return try await homeserver.federatedRooms.invites.accept(
            event, id: context.parameter("eventId"), room: room, version: version, strippedState: strippedState, from: context.origin)
    }
}
