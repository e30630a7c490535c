// Synapse's `/_synapse/admin/v1/account_validity/validity`: accounts that end at a time are renewed.

import Homeserver
import MatrixCore

enum AccountValidityAdminRoutes {
    static let table: [Route] = [
        Route(.post, "/_synapse/admin/v1/account_validity/validity", access: .admin, renew)
    ]

    private static func renew(_ context: APIContext) async throws -> APIResponse {
        let body = try context.body()
        let user: UserID = try body.requiredIdentifier("user_id")
        let isToBeTold = try body.optionalBool("enable_renewal_emails") ?? true
        let expiration = try body.optionalInt("expiration_ts").map { Timestamp(milliseconds: $0) }
        let end = try await context.homeserver.moderation.renew(user, until: expiration, isTold: !isToBeTold)
        if isToBeTold { try await context.homeserver.accountRenewal?.tell(user, of: end) }
        return .object { $0.member("expiration_ts", end) }
    }
}
