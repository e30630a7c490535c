// Client-Server API §OpenID; Server-Server API §OpenID.

import Homeserver
import MatrixCore

enum OpenIDRoutes {
    static let table: [Route] = [
        .client(.post, "/user/{userId}/openid/request_token", requestToken),
        // Whoever has the token may ask.
        Route(.get, templates: ["/_matrix/federation/v1/openid/userinfo"], access: .open, resource: .openid, userInfo),
    ]

    private static func requestToken(_ context: APIContext) async throws -> APIResponse {
        let user = try context.ownUser("Cannot request tokens for other users.")
        let token = try await context.homeserver.openID.makeToken(for: user)
        return .object { body in
            body.member("access_token", token.text)
            body.member("token_type", "Bearer")
            body.member("matrix_server_name", context.homeserver.serverName)
            body.member("expires_in", token.lifetime.components.seconds)
        }
    }

    private static func userInfo(_ context: APIContext) async throws -> APIResponse {
        guard let token = context.query("access_token") else {
            throw MatrixError(status: 401, errcode: "M_MISSING_TOKEN", message: "Access Token required")
        }
        let user = try await context.homeserver.openID.user(of: token)
        return .object { $0.member("sub", user) }
    }
}
