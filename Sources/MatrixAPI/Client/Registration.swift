// New accounts. Client-Server API §Account registration.

import Homeserver
import MatrixCore

enum RegistrationRoutes {
    static let table: [Route] = [
        .client(.post, "/register", access: .open, register),
        .client(.get, "/register/available", access: .open, available),
        .client(.get, "/register/m.login.registration_token/validity", versions: ["v1"], access: .open, tokenValidity),
    ]

    private static func register(_ context: APIContext) async throws -> APIResponse {
        let body = try context.body()
        if body["type"]?.string == ApplicationServices.loginType { return try await registerForService(body, context) }
        try LoginRoutes.checkIsOurs(context)
        switch context.query("kind") ?? "user" {
        case "user": break
        case "guest": return try await registerGuest(body, context)
        case let kind:
            throw MatrixError(status: 400, errcode: "M_UNRECOGNIZED", message: "Do not understand membership kind: \(kind.prefix(64))")
        }
        guard try AccessToken.of(context.request) == nil else {
            throw MatrixError.unknown("An access token should not be provided on requests to /register", status: 400)
        }
        try checkDevice(in: body)
        let guest = try await guest(in: body, context)
        return try await answeringChallenges {
            let registered = try await context.homeserver.registration.register(
                body, path: context.request.path, from: context.request.remoteAddress, upgrading: guest)
            // Where it was a guest, its own sessions are those of a person now.
            context.homeserver.sessions.forget(registered.user)
            return try await answer(to: registered.user, parameters: registered.parameters, context)
        }
    }

    /// Client-Server API §Guest access: the guest whose account the request makes a person's.
    private static func guest(in body: JSON, _ context: APIContext) async throws -> UserID? {
        guard let token = try body.optionalString("guest_access_token") else { return nil }
        let requester: Requester
        do {
            requester = try await context.homeserver.sessions.authenticate(token: token)
        } catch let error as MatrixError where error.status == 401 || error.status == 403 {
            throw MatrixError.forbidden("The guest access token is not valid")
        }
        return try RegistrationService.check(requester, mayBecome: body)
    }

    private static func registerGuest(_ body: JSON, _ context: APIContext) async throws -> APIResponse {
        let name = try body.optionalString("initial_device_display_name")
        try SessionService.checkDevice(nil, displayName: name)
        let guest = try await context.homeserver.registration.registerGuest(from: context.request.remoteAddress)
        let session = try await context.homeserver.sessions.open(
            guest, device: RegistrationService.guestDevice, displayName: name, withRefreshToken: false)
        let server = context.homeserver.serverName
        return .object { LoginRoutes.writeSession(session, server: server, to: &$0) }
    }

    /// Application Service API §Server admin style permissions.
    private static func registerForService(_ body: JSON, _ context: APIContext) async throws -> APIResponse {
        let homeserver = context.homeserver
        let service = try LoginRoutes.service(context)
        let name = try body.requiredString("username")
        let inhibitsLogin = try body.optionalBool("inhibit_login") ?? false
        guard inhibitsLogin || !service.managesDevices && homeserver.authenticationService == nil else {
            throw ApplicationServices.loginUnsupported
        }
        try checkDevice(in: body)
        let user = try await homeserver.registration.register(name, for: service)
        if !inhibitsLogin { try await homeserver.usage.checkUserOfService(user) }
        guard case .object(let parameters) = body.value else { throw MatrixError.internalError }
        return try await answer(to: user, parameters: parameters, context)
    }

    private static func available(_ context: APIContext) async throws -> APIResponse {
        try await context.homeserver.registration.checkAvailable(
            try context.requiredQuery("username"), from: context.request.remoteAddress)
        return .object { $0.member("available", true) }
    }

    /// Client-Server API §Token-authenticated registration.
    private static func tokenValidity(_ context: APIContext) async throws -> APIResponse {
        let homeserver = context.homeserver
        try homeserver.rateLimits.check(.registrationTokenValidity, of: ByteString(context.request.remoteAddress))
        guard homeserver.configuration.enableRegistration else { throw MatrixError.forbidden("Registration has been disabled") }
        let isValid = try await homeserver.registrationTokens.isValid(try context.requiredQuery("token"))
        return .object { $0.member("valid", isValid) }
    }

    /// Logs the new account in, unless the client does not want that.
    static func answer(to user: UserID, parameters: JSONObject, _ context: APIContext) async throws -> APIResponse {
        let server = context.homeserver.serverName
        if parameters["inhibit_login"]?.bool == true {
            return .object { body in
                body.member("user_id", user)
                body.member("home_server", server)
            }
        }
        let session = try await context.homeserver.sessions.open(
            user, device: try string("device_id", in: parameters), displayName: try string("initial_device_display_name", in: parameters),
            withRefreshToken: try bool("refresh_token", in: parameters))
        return .object { LoginRoutes.writeSession(session, server: server, to: &$0) }
    }

    /// Checked before the account is made: a refusal after that would leave it without its session.
    static func checkDevice(in body: JSON) throws(MatrixError) {
        _ = try body.optionalBool("refresh_token")
        try SessionService.checkDevice(
            body.optionalString("device_id"), displayName: body.optionalString("initial_device_display_name"))
    }

    private static func string(_ key: String, in parameters: JSONObject) throws(MatrixError) -> String? {
        guard let value = parameters[key], !value.isNull else { return nil }
        guard let text = value.string else { throw .badJSON("\(key) must be a string") }
        return text
    }

    private static func bool(_ key: String, in parameters: JSONObject) throws(MatrixError) -> Bool {
        guard let value = parameters[key], !value.isNull else { return false }
        guard let flag = value.bool else { throw .badJSON("\(key) must be a boolean") }
        return flag
    }
}
