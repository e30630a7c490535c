// Tags on rooms. Client-Server API §Room Tagging.

import Homeserver
import MatrixCore

enum TagRoutes {
    static let table: [Route] = [
        .client(.get, "/user/{userId}/rooms/{roomId}/tags", tags),
        .client(.put, "/user/{userId}/rooms/{roomId}/tags/{tag}", put),
        .client(.delete, "/user/{userId}/rooms/{roomId}/tags/{tag}", remove),
    ]

    private static func tags(_ context: APIContext) async throws -> APIResponse {
        let user = try context.ownUser("Cannot get tags for other users.")
        let tags = try await context.homeserver.tags.tags(of: try context.roomID("roomId"), for: user)
        return .object { $0.member("tags", .object(tags)) }
    }

    private static func put(_ context: APIContext) async throws -> APIResponse {
        let user = try context.ownUser("Cannot add tags for other users.")
        try await context.homeserver.tags.put(
            try context.parameter("tag"), try context.body(), on: try context.roomID("roomId"), for: user)
        return .empty
    }

    private static func remove(_ context: APIContext) async throws -> APIResponse {
        let user = try context.ownUser("Cannot remove tags for other users.")
        try await context.homeserver.tags.remove(try context.parameter("tag"), from: try context.roomID("roomId"), for: user)
        return .empty
    }
}
