// The pages on which somebody who comes for the first time makes their account: Synapse's `/_synapse/client/pick_username` and what follows.

import Homeserver
import MatrixCore

enum SignOnRegistrationRoutes {
    static let table: [Route] = [
        Route(.get, "/_synapse/client/pick_username/account_details", access: .open, details),
        Route(.post, "/_synapse/client/pick_username/account_details", access: .open, bodyLimit: 32 * 1024, choose),
        Route(.get, "/_synapse/client/pick_username/check", access: .open, check),
        Route(.get, "/_synapse/client/new_user_consent", access: .open, terms),
        Route(.post, "/_synapse/client/new_user_consent", access: .open, bodyLimit: 32 * 1024, agree),
        Route(.get, "/_synapse/client/sso_register", access: .open, register),
    ]

    private static func details(_ context: APIContext) async throws -> APIResponse {
        try await context.answerBrowser(policy: .redirecting) { try await signOn(context).accountDetails(cookie(context)) }
    }

    private static func choose(_ context: APIContext) async throws -> APIResponse {
        let form = FormFields(context.request)
        return try await context.answerBrowser(policy: .redirecting) {
            guard let name = form["username"], !name.isEmpty else {
                throw SignOnFailure("bad_param", "Missing string query parameter username")
            }
            let choice = SingleSignOn.Choice(
                localpart: name, usesDisplayName: form["use_display_name"] == "true", usesPicture: form["use_avatar"] == "true",
                emails: form.all("use_email"))
            return try await signOn(context).choose(choice, cookie(context))
        }
    }

    private static func check(_ context: APIContext) async throws -> APIResponse {
        let isAvailable = try await signOn(context).isAvailable(try context.requiredQuery("username"), cookie(context))
        return .object { $0.member("available", isAvailable) }
    }

    private static func terms(_ context: APIContext) async throws -> APIResponse {
        try await context.answerBrowser(policy: .redirecting) { try await signOn(context).terms(cookie(context)) }
    }

    private static func agree(_ context: APIContext) async throws -> APIResponse {
        let form = FormFields(context.request)
        return try await context.answerBrowser(policy: .redirecting) {
            guard let version = form["accepted_version"] else {
                throw SignOnFailure("bad_param", "Missing string query parameter accepted_version")
            }
            return try await signOn(context).agree(toTerms: version, cookie(context))
        }
    }

    private static func register(_ context: APIContext) async throws -> APIResponse {
        try await context.answerBrowser { try await signOn(context).register(cookie(context)) }
    }

    private static func signOn(_ context: APIContext) -> SingleSignOn { context.homeserver.singleSignOn.signOn }

    private static func cookie(_ context: APIContext) -> String? { context.cookie(SingleSignOn.registrationCookie) }
}
