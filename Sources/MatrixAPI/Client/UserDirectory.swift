// Finding people. Client-Server API §User Directory.

import Homeserver
import MatrixCore

enum UserDirectoryRoutes {
    static let table: [Route] = [
        .client(.post, "/user_directory/search", search)
    ]

    private static func search(_ context: APIContext) async throws -> APIResponse {
        let requester = try context.requester
        let directory = context.homeserver.userDirectory
        if directory.isEnabled { try context.homeserver.rateLimits.check(.userDirectory, of: requester.user.text) }
        let body = try context.body()
        let term = try body.requiredString("search_term")
        let limit = try body.optionalInt("limit") ?? Int64(UserDirectoryService.defaultLimit)
        let results = try await directory.search(term, limit: limit, by: requester.user)
        return .object(capacity: 1024) { body in
            body.member("limited", results.isLimited)
            body.member(
                "results",
                array: { users in
                    for user in results.users {
                        users.object { entry in
                            entry.member("user_id", user.user)
                            if let name = user.displayName { entry.member("display_name", name) }
                            if let avatar = user.avatarURL { entry.member("avatar_url", avatar) }
                        }
                    }
                })
        }
    }
}
