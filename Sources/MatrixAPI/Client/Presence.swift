// Client-Server API §Presence.

import Homeserver
import MatrixCore
import Persistence

enum PresenceRoutes {
    static let table: [Route] = [
        .client(.get, "/presence/{userId}/status", legacy: true, status),
        .client(.put, "/presence/{userId}/status", legacy: true, setStatus),
    ]

    private static func status(_ context: APIContext) async throws -> APIResponse {
        let requester = try context.requester
        let user = try context.userID("userId")
        let service = context.homeserver.presence
        if service.isShown, try await !service.isVisible(user, to: requester.user) {
            throw MatrixError.forbidden("You are not allowed to see their presence.")
        }
        let presence = try await service.presence(of: user)
        return .object { presence.write(to: &$0, now: .now) }
    }

    private static func setStatus(_ context: APIContext) async throws -> APIResponse {
        let requester = try context.requester
        guard try context.userID("userId") == requester.user else {
            throw MatrixError.forbidden("Can only set your own presence state")
        }
        try context.homeserver.rateLimits.check(.presencePerUser, of: requester.user.text)
        let body = try context.body()
        guard let state = PresenceState(rawValue: try body.requiredString("presence")) else {
            throw MatrixError.invalidParam("presence must be one of online, unavailable, offline")
        }
        let message = try body.optionalString("status_msg")
        try await context.homeserver.presence.set(requester.user, requester.device, to: state, message: message)
        return .empty
    }
}
