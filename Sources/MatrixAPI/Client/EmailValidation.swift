// Showing that an e-mail address is one's own: links are asked for, sent, and opened. Client-Server API §Adding Account Administrative
// Contact Information, §Account registration, §Password management.

import Homeserver
import MatrixCore

enum EmailValidationRoutes {
    static let table: [Route] = [
        .client(.post, "/register/email/requestToken", access: .open, requestRegistration),
        .client(.post, "/account/password/email/requestToken", access: .open, requestPasswordReset),
        .client(.post, "/account/3pid/email/requestToken", access: .open, requestAddition),
        // Where links lead, as Synapse has it.
        .client(.get, "/registration/email/submit_token", versions: ["unstable"], access: .open) {
            try await open("registration", .registration, $0)
        },
        .client(.get, "/add_threepid/email/submit_token", versions: ["unstable"], access: .open) {
            try await open("add_threepid", .addition, $0)
        },
        Route(.get, "/_synapse/client/password_reset/email/submit_token", access: .open, confirmReset),
        Route(.post, "/_synapse/client/password_reset/email/submit_token", access: .open) {
            try await open("password_reset", .passwordReset, $0)
        },
    ]

    // MARK: Asking for a link

    private static func requestRegistration(_ context: APIContext) async throws -> APIResponse {
        let requests = context.homeserver.thirdPartyRequests
        return answer(try await requests.beginRegistration(try request(context), from: context.request.remoteAddress))
    }

    private static func requestPasswordReset(_ context: APIContext) async throws -> APIResponse {
        let requests = context.homeserver.thirdPartyRequests
        return answer(try await requests.beginPasswordReset(try request(context), from: context.request.remoteAddress))
    }

    private static func requestAddition(_ context: APIContext) async throws -> APIResponse {
        let requests = context.homeserver.thirdPartyRequests
        return answer(try await requests.beginAddition(try request(context), from: context.request.remoteAddress))
    }

    private static func request(_ context: APIContext) throws(MatrixError) -> EmailValidation.Request {
        let body = try context.body()
        return EmailValidation.Request(
            address: try EmailAddress(try body.requiredString("email")),
            secret: try ClientSecret(try body.requiredString("client_secret")), sendAttempt: try body.requiredInt("send_attempt"),
            nextLink: try context.homeserver.thirdPartyRequests.nextLink(try body.optionalString("next_link")))
    }

    private static func answer(_ session: String) -> APIResponse { .object { $0.member("sid", session) } }

    // MARK: Opening a link

    /// A link that resets a password does nothing by being opened: programs open links, too.
    private static func confirmReset(_ context: APIContext) throws -> APIResponse {
        let form = FormFields(context.request)
        _ = try validation(context)
        return try context.page(
            "password_reset_confirmation.html",
            [
                "sid": .string(try form.required("sid")), "token": .string(try form.required("token")),
                "client_secret": .string(try form.required("client_secret")),
            ], policy: .redirecting)
    }

    /// - Parameter subject: what the pages are called after.
    private static func open(_ subject: String, _ purpose: ProofPurpose, _ context: APIContext) async throws -> APIResponse {
        let form = FormFields(context.request)
        let validation = try validation(context)
        let secret = try ClientSecret(try form.required("client_secret"))
        do {
            let next = try await validation.submit(
                session: try form.required("sid"), secret: secret, token: try form.required("token"), for: purpose)
            if let next { return .redirect(to: next) }
        } catch let refusal as EmailValidation.Refusal {
            return try context.page(
                name("\(subject)_template_failure_html", "\(subject)_failure.html", context), ["failure_reason": .string(refusal.reason)],
                status: 400)
        }
        return try context.page(name("\(subject)_template_success_html", "\(subject)_success.html", context))
    }

    private static func validation(_ context: APIContext) throws(MatrixError) -> EmailValidation {
        guard let validation = context.homeserver.emailValidation else {
            throw .unknown("E-mail addresses are not validated by this server", status: 400)
        }
        return validation
    }

    /// The operator may have templates of other names.
    private static func name(_ option: String, _ usual: String, _ context: APIContext) -> String {
        context.homeserver.configuration.email?.templateNames[option] ?? usual
    }
}
