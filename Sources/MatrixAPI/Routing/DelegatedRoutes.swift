// What this server does not do while an authentication service keeps passwords and sessions. Client-Server API §Authentication API discovery.

import Homeserver
import ServerConfiguration

/// The endpoints of the older way to authenticate, which answer `M_UNRECOGNIZED` then. `/login`, `/register` and the deletion of
/// devices do so themselves: for application services they are there.
enum DelegatedRoutes {
    static func select(from routes: [Route], for configuration: ServerConfiguration) -> [Route] {
        guard configuration.login.authenticationService != nil else { return routes }
        return routes.filter { !isTheServices($0) }
    }

    private static func isTheServices(_ route: Route) -> Bool {
        let paths = Set(route.templates.map(path))
        return table.contains { ($0.method == nil || $0.method == route.method) && paths.contains($0.path) }
    }

    /// `/login` of `/_matrix/client/v3/login`; other paths whole.
    private static func path(_ template: String) -> String {
        let prefix = "/_matrix/client/"
        guard template.hasPrefix(prefix) else { return template }
        let segments = template.dropFirst(prefix.count).split(separator: "/", omittingEmptySubsequences: false)
        return segments.dropFirst(segments.first == "api" ? 2 : 1).map { "/\($0)" }.joined()
    }

    private static let table: [(method: HTTPMethod?, path: String)] = [
        (nil, "/login/get_token"), (nil, "/login/sso/redirect"), (nil, "/login/sso/redirect/{idpId}"),
        (nil, "/login/cas/redirect"), (nil, "/login/cas/ticket"), (nil, "/refresh"), (nil, "/logout"), (nil, "/logout/all"),
        (nil, "/register/available"), (nil, "/register/email/requestToken"), (nil, "/register/msisdn/requestToken"),
        (nil, "/register/m.login.registration_token/validity"),
        (nil, "/account/password"), (nil, "/account/password/email/requestToken"), (nil, "/account/password/msisdn/requestToken"),
        (nil, "/account/deactivate"), (.post, "/account/3pid"), (nil, "/account/3pid/add"), (nil, "/account/3pid/delete"),
        (nil, "/account/3pid/email/requestToken"), (nil, "/account/3pid/msisdn/requestToken"),
        (nil, "/registration/email/submit_token"), (nil, "/add_threepid/email/submit_token"),
        (nil, "/add_threepid/msisdn/submit_token"),
        (nil, "/_synapse/client/password_reset/email/submit_token"),
        (nil, "/account_validity/renew"), (nil, "/account_validity/send_mail"),
        (nil, "/_synapse/admin/v1/register"), (nil, "/_synapse/admin/v1/reset_password/{userId}"),
        (nil, "/_synapse/admin/v1/users/{userId}/admin"), (nil, "/_synapse/admin/v1/users/{userId}/login"),
        (nil, "/_synapse/admin/v1/registration_tokens"), (nil, "/_synapse/admin/v1/registration_tokens/new"),
        (nil, "/_synapse/admin/v1/registration_tokens/{token}"), (nil, "/_synapse/admin/v1/account_validity/validity"),
    ]
}
