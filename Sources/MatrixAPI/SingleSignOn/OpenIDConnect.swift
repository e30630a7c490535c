// Where providers of OpenID Connect send browsers, and tell of sessions that have ended: Synapse's `/_synapse/client/oidc`.

import Homeserver
import MatrixCore

enum OpenIDConnectRoutes {
    static let table: [Route] = [
        Route(.get, "/_synapse/client/oidc/callback", access: .open, callback),
        // With `response_mode=form_post`.
        Route(.post, "/_synapse/client/oidc/callback", access: .open, bodyLimit: 64 * 1024, callback),
        Route(.post, "/_synapse/client/oidc/backchannel_logout", access: .open, backchannelLogout),
    ]

    private static func callback(_ context: APIContext) async throws -> APIResponse {
        let openID = try openID(context), form = FormFields(context.request)
        let callback = OpenIDConnect.Callback(
            code: form["code"], state: form["state"], error: form["error"], errorDescription: form["error_description"],
            cookie: context.cookie(OpenIDProvider.cookieName))
        return try await context.answerBrowser { try await openID.complete(callback) }
    }

    private static func backchannelLogout(_ context: APIContext) async throws -> APIResponse {
        guard let token = FormFields(context.request)["logout_token"] else {
            throw MatrixError.unknown("Missing logout_token in request", status: 400)
        }
        try await openID(context).logOut(token)
        return APIResponse(body: [])
    }

    private static func openID(_ context: APIContext) throws(MatrixError) -> OpenIDConnect {
        guard context.homeserver.singleSignOn.openID.isEnabled else { throw .unrecognized }
        return context.homeserver.singleSignOn.openID
    }
}
