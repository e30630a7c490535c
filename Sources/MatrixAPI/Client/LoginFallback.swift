// A page that logs people in whose client does not know how. Client-Server API §Login Fallback.

import Homeserver
import MatrixCore

enum LoginFallbackRoutes {
    static let table: [Route] = [
        Route(
            .get, templates: ["/_matrix/static/client/login", "/_matrix/static/client/login/"], access: .open, resource: .static
        ) { context in
            guard context.homeserver.authenticationService == nil else { throw MatrixError.unrecognized }
            return try context.page("login_fallback.html", policy: .asking)
        }
    ]
}
