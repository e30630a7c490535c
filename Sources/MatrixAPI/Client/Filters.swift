// Filters. Client-Server API §Filtering.

import Homeserver
import MatrixCore

enum FilterRoutes {
    static let table: [Route] = [
        .client(.post, "/user/{userId}/filter", add),
        .client(.get, "/user/{userId}/filter/{filterId}", read),
    ]

    private static func add(_ context: APIContext) async throws -> APIResponse {
        let user = try context.ownUser("Cannot create filters for other users")
        let id = try await context.homeserver.filters.add(context.body(), of: user)
        return .object { $0.member("filter_id", id) }
    }

    private static func read(_ context: APIContext) async throws -> APIResponse {
        let user = try context.ownUser("Cannot get filters for other users")
        return .json(bytes: try await context.homeserver.filters.definition(context.parameter("filterId"), of: user))
    }
}
