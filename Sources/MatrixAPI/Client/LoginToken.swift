// A token for another device's login. Client-Server API §Token-based login: `POST /login/get_token`.

import Homeserver
import MatrixCore

enum LoginTokenRoutes {
    static let table: [Route] = [
        .client(.post, "/login/get_token", versions: ["v1"], getToken),
        // MSC3882, before it was part of the specification.
        .client(.post, "/org.matrix.msc3882/login/token", versions: ["unstable"], getToken),
    ]

    private static func getToken(_ context: APIContext) async throws -> APIResponse {
        let options = context.homeserver.configuration.login.existingSession
        guard options.isEnabled else { throw MatrixError.unrecognized }
        let (user, body) = (try context.requester.user, try context.body())
        return try await answeringChallenges {
            if options.requiresAuthentication { try await context.authenticateInteractively(body) }
            // After that, so that nobody else's attempts keep the user from it.
            try context.homeserver.rateLimits.check(.loginToken, of: ByteString(user.string))
            let token = try await context.homeserver.loginTokens.make(for: user, lifetime: options.tokenTimeout)
            let lifetime = options.tokenTimeout.milliseconds
            return .object { answer in
                answer.member("login_token", token)
                answer.member("expires_in_ms", lifetime)
                // As MSC3882 had it: seconds.
                answer.member("expires_in", lifetime / 1000)
            }
        }
    }
}
