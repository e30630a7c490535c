// Pages by which people do a stage that their client does not know. Client-Server API §Fallback.

import Homeserver
import MatrixCore

enum InteractiveAuthFallbackRoutes {
    private static let path = "/auth/{authType}/fallback/web"

    static let table: [Route] = [
        .client(.get, path, access: .open, show),
        .client(.post, path, access: .open, bodyLimit: 32 * 1024, submit),
    ]

    private static func show(_ context: APIContext) async throws -> APIResponse {
        let (stage, session) = try await asked(context, context.query("session"))
        return try page(stage, session, [:], context)
    }

    private static func submit(_ context: APIContext) async throws -> APIResponse {
        let form = FormFields(context.request)
        let (stage, session) = try await asked(context, form["session"])
        do {
            if form["sid"] == nil {
                switch stage.type {
                case EmailIdentityStage.type: return try await sendMail(form, stage, session, context)
                case PhoneStage.type: return try await sendCode(form, stage, session, context)
                default: break
                }
            } else if stage.type == PhoneStage.type {
                try await submitCode(form, context)
            }
            try await context.homeserver.interactiveAuthentication.present(
                stage.type, auth: try auth(for: stage, session, form), session: session.id, from: context.request.remoteAddress)
        } catch let error as MatrixError where (400..<500).contains(error.status) {
            var values: TemplateValues = ["error": .string(error.message)]
            for field in ["sid", "client_secret"] { values[field] = form[field].map { .string($0) } }
            return try page(stage, session, values, context)
        }
        return try context.page("auth_success.html")
    }

    // MARK: Steps

    /// The stage and the session that a request is about.
    private static func asked(
        _ context: APIContext, _ id: String?
    ) async throws -> (any InteractiveAuthStage, InteractiveAuthSession) {
        guard let id, !id.isEmpty else { throw MatrixError.unknown("No session supplied", status: 400) }
        let interactive = context.homeserver.interactiveAuthentication
        guard let stage = interactive.stage(try context.parameter("authType")), templates[stage.type] != nil else {
            throw MatrixError.notFound("Unknown auth stage type")
        }
        return (stage, try await interactive.session(id))
    }

    private static let templates = [
        DummyStage.type: "auth_dummy.html", PasswordStage.type: "auth_password.html", EmailIdentityStage.type: "auth_email.html",
        PhoneStage.type: "auth_msisdn.html", TermsStage.type: "terms.html", RegistrationTokenStage.type: "registration_token.html",
        RecaptchaStage.type: "recaptcha.html",
    ]

    private static func page(
        _ stage: any InteractiveAuthStage, _ session: InteractiveAuthSession, _ values: TemplateValues, _ context: APIContext
    ) throws -> APIResponse {
        guard let template = templates[stage.type] else { throw MatrixError.notFound("Unknown auth stage type") }
        if session.completed.contains(stage.type) { return try context.page("auth_success.html") }
        var values = values
        values["session"] = .string(session.id)
        values["myurl"] = .string("/_matrix/client/v3/auth/\(stage.type)/fallback/web")
        if let user = session.operation.user { values["user"] = .string(user.string) }
        if let captcha = stage as? RecaptchaStage { values["sitekey"] = .string(captcha.publicKey) }
        if let consent = context.homeserver.consent {
            values["terms_url"] = .string("\(context.homeserver.configuration.publicBaseURL)_matrix/consent?v=\(consent.version)")
        }
        return try context.page(template, values, policy: stage is RecaptchaStage ? .captcha : .plain)
    }

    /// What a client would have sent as `auth`.
    private static func auth(
        for stage: any InteractiveAuthStage, _ session: InteractiveAuthSession, _ form: FormFields
    ) throws(MatrixError) -> JSON {
        var auth: JSONObject = ["type": .string(stage.type), "session": .string(session.id)]
        switch stage.type {
        case RecaptchaStage.type: auth["response"] = .string(try form.required("g-recaptcha-response"))
        case RegistrationTokenStage.type: auth["token"] = .string(try form.required("token"))
        case PasswordStage.type:
            guard let user = session.operation.user else { throw .notFound("Unknown auth stage type") }
            auth["identifier"] = ["type": "m.id.user", "user": .string(user.string)]
            auth["password"] = .string(try form.required("password"))
        case EmailIdentityStage.type, PhoneStage.type:
            auth["threepid_creds"] = [
                "sid": .string(try form.required("sid")), "client_secret": .string(try form.required("client_secret")),
            ]
        default: break
        }
        do { return try JSONDocument(parsing: JSONValue.object(auth).canonicalBytes).root } catch { throw MatrixError(error) }
    }

    /// The first step of showing an address: a link is sent to it.
    private static func sendMail(
        _ form: FormFields, _ stage: any InteractiveAuthStage, _ session: InteractiveAuthSession, _ context: APIContext
    ) async throws -> APIResponse {
        let secret = SessionToken.randomLetters(32)
        let request = EmailValidation.Request(
            address: try EmailAddress(try form.required("email")), secret: try ClientSecret(secret), sendAttempt: 1)
        let requests = context.homeserver.thirdPartyRequests
        let sid =
            switch ProofPurpose(of: session) {
            case .registration, .addition: try await requests.beginRegistration(request, from: context.request.remoteAddress)
            case .passwordReset: try await requests.beginPasswordReset(request, from: context.request.remoteAddress)
            }
        return try page(stage, session, ["sid": .string(sid), "client_secret": .string(secret)], context)
    }

    /// The first step of showing a telephone number: a code is sent to it.
    private static func sendCode(
        _ form: FormFields, _ stage: any InteractiveAuthStage, _ session: InteractiveAuthSession, _ context: APIContext
    ) async throws -> APIResponse {
        let secret = SessionToken.randomLetters(32)
        let request = try PhoneValidation.Request(
            try form.required("phone"), country: "", secret: try ClientSecret(secret), sendAttempt: 1)
        let requests = context.homeserver.thirdPartyRequests
        let sid =
            switch ProofPurpose(of: session) {
            case .registration, .addition: try await requests.beginRegistration(request, from: context.request.remoteAddress)
            case .passwordReset: try await requests.beginPasswordReset(request, from: context.request.remoteAddress)
            }
        return try page(stage, session, ["sid": .string(sid), "client_secret": .string(secret)], context)
    }

    /// The second.
    private static func submitCode(_ form: FormFields, _ context: APIContext) async throws {
        let isRight = try await context.homeserver.phoneValidation?.submit(
            try form.required("code"), session: try form.required("sid"), secret: try ClientSecret(try form.required("client_secret")))
        guard isRight == true else { throw MatrixError.unauthorized("That is not the code") }
    }
}
