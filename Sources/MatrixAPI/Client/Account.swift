// Who the caller is. Client-Server API §Current account information.

import Homeserver
import MatrixCore

enum AccountRoutes {
    static let table: [Route] = [
        .client(.get, "/account/whoami", whoami)
    ]

    private static func whoami(_ context: APIContext) throws -> APIResponse {
        let requester = try context.requester
        return .object { body in
            body.member("user_id", requester.user)
            body.member("is_guest", requester.isGuest)
            if let device = requester.device { body.member("device_id", device) }
        }
    }
}
