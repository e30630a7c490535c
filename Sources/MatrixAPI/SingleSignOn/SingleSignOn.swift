// Single sign-on, as clients and browsers go through it. Client-Server API §SSO client login/authentication.

import Homeserver
import MatrixCore

enum SingleSignOnRoutes {
    static let table: [Route] = [
        .client(.get, "/login/sso/redirect", legacy: true, access: .open, redirect),
        .client(.get, "/login/sso/redirect/{idpId}", versions: ["v3", "r0"], access: .open, redirectToProvider),
        .client(.get, "/login/cas/redirect", legacy: true, access: .open, redirect),
        .client(.get, "/login/cas/ticket", legacy: true, access: .open, casTicket),
        Route(.get, "/_synapse/client/pick_idp", access: .open, pick),
        .client(.get, "/auth/\(SingleSignOnStage.type)/fallback/web", access: .open, confirm),
    ]

    private static func redirect(_ context: APIContext) async throws -> APIResponse {
        try await begin(nil, context)
    }

    private static func redirectToProvider(_ context: APIContext) async throws -> APIResponse {
        try await begin(try context.parameter("idpId"), context)
    }

    private static func begin(_ provider: String?, _ context: APIContext) async throws -> APIResponse {
        // Cookies come back to the host that has set them: to the one where the provider sends the browser.
        if let canonical = canonicalAddress(of: context) { return .redirect(to: canonical) }
        let client = try context.requiredQuery("redirectUrl")
        return try await context.answerBrowser {
            try await context.homeserver.singleSignOn.signOn.begin(provider, client: client, query: context.query)
        }
    }

    private static func pick(_ context: APIContext) async throws -> APIResponse {
        let client = try context.requiredQuery("redirectUrl")
        return try await context.answerBrowser { try context.homeserver.singleSignOn.signOn.pick(context.query("idp"), client: client) }
    }

    private static func casTicket(_ context: APIContext) async throws -> APIResponse {
        let services = context.homeserver.singleSignOn
        guard let cas = services.cas else { throw MatrixError.unrecognized }
        let ticket = try context.requiredQuery("ticket")
        let purpose: SignOnPurpose
        if let session = context.query("session") {
            purpose = .confirmation(session: session)
        } else if let address = context.query("redirectUrl") {
            guard let client = ClientRedirect(address) else { throw MatrixError.invalidParam("redirectUrl is no address of a client") }
            purpose = .login(client: client)
        } else {
            throw MatrixError.missingParam("Missing string query parameter redirectUrl or session")
        }
        return try await context.answerBrowser {
            try await cas.complete(
                purpose, ticket: ticket, signOn: services.signOn, interactive: context.homeserver.interactiveAuthentication)
        }
    }

    private static func confirm(_ context: APIContext) async throws -> APIResponse {
        guard let session = context.query("session"), !session.isEmpty else {
            throw MatrixError.unknown("No session supplied", status: 400)
        }
        let homeserver = context.homeserver
        return try await context.answerBrowser {
            try await homeserver.singleSignOn.signOn.confirmation(of: session, in: homeserver.interactiveAuthentication)
        }
    }

    /// The same request below `public_baseurl`, where it has come by another host; nil where it is right already. A cookie is not of a
    /// port, and a proxy may not tell it.
    private static func canonicalAddress(of context: APIContext) -> String? {
        let baseURL = context.homeserver.configuration.publicBaseURL
        let authority = baseURL.split(separator: "/", maxSplits: 3, omittingEmptySubsequences: false).dropFirst(2).first
        guard let asked = context.request.headers["Host"].flatMap({ ServerName(valid: $0) }),
            let wanted = authority.flatMap({ ServerName(valid: String($0)) }), asked.host.lowercased() != wanted.host.lowercased()
        else { return nil }
        return baseURL.dropLast() + context.request.target
    }
}
