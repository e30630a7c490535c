// Networks that application services bridge to. Client-Server API §Third-party Lookups. Without application services there is none.

import Homeserver
import MatrixCore

enum ThirdPartyRoutes {
    static let table: [Route] = [
        .client(.get, "/thirdparty/protocols") { _ in .empty },
        .client(.get, "/thirdparty/protocol/{protocol}") { _ in throw MatrixError.notFound("Unknown protocol") },
        .client(.get, "/thirdparty/location", nothing),
        .client(.get, "/thirdparty/location/{protocol}", nothing),
        .client(.get, "/thirdparty/user", nothing),
        .client(.get, "/thirdparty/user/{protocol}", nothing),
    ]

    private static func nothing(_ context: APIContext) -> APIResponse { .json { $0.array { _ in } } }
}
