// Sessions: login, refresh, logout. Client-Server API §Login, §Refreshing access tokens, §Logout.

import Homeserver
import MatrixCore

enum LoginRoutes {
    static let table: [Route] = [
        .client(.get, "/login", legacy: true, access: .open, flows),
        .client(.post, "/login", legacy: true, access: .open, login),
        .client(.post, "/refresh", access: .open, refresh),
        .client(.post, "/logout", legacy: true, access: .open, logout),
        .client(.post, "/logout/all", legacy: true, access: .open, logoutEverywhere),
    ]

    /// What an authentication service leaves to this server of logins and registrations: to tell application services how it is.
    static func checkIsOurs(_ context: APIContext) throws(MatrixError) {
        guard context.homeserver.authenticationService == nil else { throw .unrecognized }
    }

    private static func flows(_ context: APIContext) throws -> APIResponse {
        try checkIsOurs(context)
        return .object { body in
            body.member(
                "flows",
                array: { list in
                    if !context.homeserver.applicationServices.isEmpty { list.object { $0.member("type", ApplicationServices.loginType) } }
                    for flow in context.homeserver.login.flows {
                        list.object { member in
                            member.member("type", flow.type)
                            for (name, value) in flow.details { member.member(name, value) }
                        }
                    }
                })
        }
    }

    private static func login(_ context: APIContext) async throws -> APIResponse {
        let body = try context.body()
        let device = try body.optionalString("device_id")
        let displayName = try body.optionalString("initial_device_display_name")
        let withRefreshToken = try body.optionalBool("refresh_token") ?? false
        // A token is good once: it is not used up by a login that cannot be.
        try SessionService.checkDevice(device, displayName: displayName)
        let identity = try await identity(of: body, context)
        let session = try await context.homeserver.sessions.open(
            identity.user, device: device, displayName: displayName, withRefreshToken: withRefreshToken,
            provider: identity.provider)
        let configuration = context.homeserver.configuration
        let attributes = try identity.attributes.map { try JSONDocument(parsing: $0).root }
        return .object { answer in
            writeSession(session, server: context.homeserver.serverName, to: &answer)
            for (name, value) in attributes?.members.map({ ($0.key.string, $0.value) }) ?? [] where !reserved.contains(name) {
                answer.member(name, value)
            }
            if configuration.wellKnown.isClientServed {
                answer.member("well_known", object: { WellKnownRoutes.writeClient(configuration, to: &$0) })
            }
        }
    }

    private static func identity(of body: JSON, _ context: APIContext) async throws -> LoginIdentity {
        let homeserver = context.homeserver
        if body["type"]?.string == ApplicationServices.loginType {
            let service = try service(context)
            guard homeserver.authenticationService == nil else { throw ApplicationServices.loginUnsupported }
            if service.isRateLimited { try homeserver.rateLimits.check(.loginAddress, of: ByteString(context.request.remoteAddress)) }
            let user = try await homeserver.applicationServices.logIn(service, body)
            try await homeserver.usage.checkUserOfService(user)
            return LoginIdentity(user: user)
        }
        try checkIsOurs(context)
        let identity = try await homeserver.login.logIn(body, from: context.request.remoteAddress)
        try await homeserver.usage.check(identity.user)
        return identity
    }

    /// The application service that makes a request.
    ///
    /// - Throws: `M_MISSING_TOKEN`, `M_UNKNOWN_TOKEN`.
    static func service(_ context: APIContext) throws(MatrixError) -> ApplicationService {
        let token = try token(of: context)
        guard let service = context.homeserver.applicationServices.service(token: token, from: context.request.remoteAddress) else {
            throw .unknownToken(softLogout: false)
        }
        return service
    }

    /// What a provider's mapping cannot say in our place.
    private static let reserved: Set<String> = [
        "user_id", "access_token", "home_server", "device_id", "expires_in_ms", "refresh_token", "well_known",
    ]

    private static func refresh(_ context: APIContext) async throws -> APIResponse {
        let token = try context.body().requiredString("refresh_token")
        let session = try await context.homeserver.sessions.refresh(token)
        return .object { body in
            body.member("access_token", session.accessToken)
            body.member("refresh_token", session.refreshToken)
            if let expires = session.expiresInMilliseconds { body.member("expires_in_ms", expires) }
        }
    }

    // The routes of logout are open: a token that has expired can still log out.

    private static func logout(_ context: APIContext) async throws -> APIResponse {
        try await context.homeserver.sessions.logOut(token: token(of: context))
        return .empty
    }

    private static func logoutEverywhere(_ context: APIContext) async throws -> APIResponse {
        try await context.homeserver.sessions.logOutEverywhere(token: token(of: context))
        return .empty
    }

    private static func token(of context: APIContext) throws(MatrixError) -> String {
        guard let token = try AccessToken.of(context.request) else { throw .missingToken }
        return token
    }

    /// The members that login and registration answer with.
    static func writeSession(_ session: OpenedSession, server: ServerName, to body: inout JSONWriter) {
        body.member("user_id", session.user)
        body.member("access_token", session.accessToken)
        body.member("home_server", server)
        body.member("device_id", session.device)
        if let expires = session.expiresInMilliseconds { body.member("expires_in_ms", expires) }
        if let token = session.refreshToken { body.member("refresh_token", token) }
    }
}
