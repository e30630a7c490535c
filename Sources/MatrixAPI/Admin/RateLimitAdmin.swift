// Synapse's `/_synapse/admin/v1/users/<user_id>/override_ratelimit`: rate limits of single users.

import Homeserver
import MatrixCore
import Persistence

enum RateLimitAdminRoutes {
    private static let path = "/_synapse/admin/v1/users/{userId}/override_ratelimit"

    static let table: [Route] = [
        Route(.get, path, access: .admin, show),
        Route(.post, path, access: .admin, set),
        Route(.delete, path, access: .admin, remove),
    ]

    private static func show(_ context: APIContext) async throws -> APIResponse {
        let override = try await context.homeserver.rateLimitOverrides.override(for: try await user(context))
        return .object { body in if let override { write(override, to: &body) } }
    }

    private static func set(_ context: APIContext) async throws -> APIResponse {
        let user = try await user(context)
        let body = try context.optionalBody()
        let override = RateLimitOverrideRow(
            messagesPerSecond: try number("messages_per_second", in: body), burstCount: try number("burst_count", in: body))
        try await context.homeserver.rateLimitOverrides.set(override, for: user)
        return .object { write(override, to: &$0) }
    }

    private static func remove(_ context: APIContext) async throws -> APIResponse {
        try await context.homeserver.rateLimitOverrides.remove(for: try await user(context))
        return .empty
    }

    // MARK: Steps

    private static func user(_ context: APIContext) async throws -> UserID {
        let user = try context.userID("userId")
        guard user.belongs(to: context.homeserver.serverName) else {
            throw MatrixError.unknown("Can only look up local users", status: 400)
        }
        guard try await context.homeserver.accounts.exists(user) else { throw MatrixError.notFound("User not found") }
        return user
    }

    private static func number(_ key: String, in body: JSON) throws(MatrixError) -> Int64 {
        guard let value = body[key] else { return 0 }
        guard let number = value.int, number >= 0 else { throw .invalidParam("\(key) parameter must be a positive int") }
        return number
    }

    private static func write(_ override: RateLimitOverrideRow, to body: inout JSONWriter) {
        body.member("messages_per_second", override.messagesPerSecond)
        body.member("burst_count", override.burstCount)
    }
}
