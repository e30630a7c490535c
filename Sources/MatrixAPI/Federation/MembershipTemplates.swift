// How users of other servers begin to join, leave and knock.
// Server-Server API §Joining Rooms, §Leaving Rooms, §Knocking upon a room.

import Federation
import Homeserver
import MatrixCore

enum MembershipTemplateRoutes {
    static let table: [Route] = [
        .federation(.get, "/make_join/{roomId}/{userId}", makeJoin),
        .federation(.get, "/make_leave/{roomId}/{userId}", makeLeave),
        .federation(.get, "/make_knock/{roomId}/{userId}", makeKnock),
    ]

    /// Who names no version is of the time when there was one.
    private static let firstVersions = ["1"]

    private static func makeJoin(_ context: APIContext) async throws -> APIResponse {
        let versions = context.queryAll("ver")
        let room = try context.roomID("roomId")
        try context.homeserver.rateLimits.check(.joinsPerRoom, of: room.text, isCounted: false)
        return response(
            try await context.homeserver.federatedRooms.served.joinTemplate(
                for: context.userID("userId"), in: room, versions: versions.isEmpty ? firstVersions : versions, origin: context.origin))
    }

    private static func makeLeave(_ context: APIContext) async throws -> APIResponse {
        response(
            try await context.homeserver.federatedRooms.served.leaveTemplate(
                for: context.userID("userId"), in: context.roomID("roomId"), origin: context.origin))
    }

    private static func makeKnock(_ context: APIContext) async throws -> APIResponse {
        let versions = context.queryAll("ver")
        guard !versions.isEmpty else { throw MatrixError.missingParam("Missing query parameter ver") }
        return response(
            try await context.homeserver.federatedRooms.served.knockTemplate(
                for: context.userID("userId"), in: context.roomID("roomId"), versions: versions, origin: context.origin))
    }

    private static func response(_ template: EventTemplate) -> APIResponse {
        .object(capacity: template.event.count + 64) { body in
            body.member("event", raw: template.event)
            body.member("room_version", template.roomVersion.id)
        }
    }
}
