// Client-Server API §Typing notifications.

import Homeserver
import MatrixCore

enum TypingRoutes {
    static let table: [Route] = [
        .client(.put, "/rooms/{roomId}/typing/{userId}", legacy: true, setTyping)
    ]

    private static func setTyping(_ context: APIContext) async throws -> APIResponse {
        let requester = try context.requester
        let room = try context.roomID("roomId")
        guard try context.userID("userId") == requester.user else {
            throw MatrixError(status: 400, errcode: "M_FORBIDDEN", message: "Cannot set another user's typing state")
        }
        let body = try context.body()
        let typing = context.homeserver.typing
        if try body.requiredBool("typing") {
            let timeout = try body.optionalInt("timeout").map { Duration.milliseconds($0) }
            try await typing.start(requester.user, in: room, for: timeout)
        } else {
            try await typing.stop(requester.user, in: room)
        }
        await context.homeserver.presence.noteActivity(requester.user, requester.device)
        return .empty
    }
}
