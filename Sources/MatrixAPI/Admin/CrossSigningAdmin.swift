// Synapse's `/_synapse/admin/v1/users/<user_id>/_allow_cross_signing_replacement_without_uia`, which an authentication service calls.

import Homeserver
import MatrixCore

enum CrossSigningAdminRoutes {
    static let table: [Route] = [
        Route(
            .post, "/_synapse/admin/v1/users/{userId}/_allow_cross_signing_replacement_without_uia", access: .admin, allowReplacement)
    ]

    /// How long the user has, in milliseconds.
    private static let duration: Int64 = 10 * 60 * 1000

    private static func allowReplacement(_ context: APIContext) async throws -> APIResponse {
        let end = try await context.homeserver.crossSigning.allowReplacement(of: context.userID("userId"), forMilliseconds: duration)
        guard let end else { throw MatrixError.notFound("User has no master cross-signing key") }
        return .object { $0.member("updatable_without_uia_before_ms", end) }
    }
}
