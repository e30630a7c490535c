// All providers of OpenID Connect: where browsers come back, and where providers tell of sessions that have ended.

import Logging
import MatrixCore
import Persistence

/// Finds out for which provider a request is, and has it answered.
package struct OpenIDConnect: Sendable {
    private let providers: [OpenIDProvider]
    private let signOn: SingleSignOn
    private let interactive: InteractiveAuthentication
    private let database: any Database
    private let box: SealedBox
    private let logger: Logger

    package init(
        _ providers: [OpenIDProvider], signOn: SingleSignOn, interactive: InteractiveAuthentication, database: any Database, box: SealedBox,
        logger: Logger
    ) {
        self.providers = providers
        self.signOn = signOn
        self.interactive = interactive
        self.database = database
        self.box = box
        self.logger = logger
    }

    package var isEnabled: Bool { !providers.isEmpty }

    // MARK: Browsers

    /// What a browser brings back from a provider. RFC 6749 §4.1.2.
    package struct Callback: Sendable {
        package var code: String?
        package var state: String?
        package var error: String?
        package var errorDescription: String?
        /// The sealed session.
        package var cookie: String?

        package init(code: String?, state: String?, error: String?, errorDescription: String?, cookie: String?) {
            self.code = code
            self.state = state
            self.error = error
            self.errorDescription = errorDescription
            self.cookie = cookie
        }
    }

    /// Whatever becomes of it, the browser forgets its session: the code is used up.
    package func complete(_ callback: Callback) async throws -> SignOnAnswer {
        var answer: SignOnAnswer
        do {
            answer = try await answered(callback)
        } catch let failure as SignOnFailure {
            logger.info("a login by OpenID Connect has failed", metadata: ["error": "\(failure.code)"])
            answer = failure.answer
        }
        answer.cookies.append(OpenIDProvider.cookie("").forgotten)
        return answer
    }

    private func answered(_ callback: Callback) async throws -> SignOnAnswer {
        if let error = callback.error { throw SignOnFailure(error, callback.errorDescription ?? "") }
        guard let cookie = callback.cookie, !cookie.isEmpty else { throw SignOnFailure("missing_session", "No session cookie found") }
        guard let state = callback.state else { throw SignOnFailure("invalid_request", "State parameter is missing") }
        guard let session = box.open(cookie, at: .now).flatMap({ OpenIDSession($0) }) else {
            throw SignOnFailure("invalid_session", "The session is not known, or it has taken too long")
        }
        guard SecretComparison.isEqual(state, session.state) else {
            throw SignOnFailure("mismatching_session", "The answer belongs to another session")
        }
        guard let provider = providers.first(where: { $0.appearance.id == session.provider }) else {
            throw SignOnFailure("unknown_idp", "Unknown IdP")
        }
        guard let code = callback.code else { throw SignOnFailure("invalid_request", "Code parameter is missing") }
        let arrival: OpenIDProvider.Arrival
        do {
            arrival = try await provider.arrival(session, code: code)
        } catch let failure as SignOnFailure {
            throw failure
        } catch {
            logger.error("a provider could not be asked", metadata: ["provider": "\(session.provider)", "error": "\(error)"])
            throw SignOnFailure("provider_unavailable", "This login provider is currently unavailable on this homeserver.", status: 503)
        }
        switch session.purpose {
        case .confirmation(let interactiveSession):
            return try await signOn.confirm(
                session.provider, provider.subject(of: arrival), session: interactiveSession, in: interactive)
        case .login(let client): return try await signOn.complete(provider.person(arrival), client: client)
        }
    }

    // MARK: Providers

    /// A provider tells that a session has ended. OpenID Connect Back-Channel Logout 1.0 §2.5, §2.6.
    ///
    /// - Throws: `M_UNKNOWN` with status 400 for what is no such message.
    package func logOut(_ logoutToken: String) async throws {
        do {
            let claims = try JSONWebToken(parsing: logoutToken).claims
            // Which provider's keys count, the token itself says; what it says is checked with these.
            let provider = providers.first { provider in
                let issuer = ByteString(OpenIDMetadata.withoutSlash(provider.configuration.issuer))
                return claims["iss"]?.string.map { ByteString(OpenIDMetadata.withoutSlash($0)) == issuer } == true
                    && claims.audiences.contains { ByteString($0) == ByteString(provider.configuration.clientID) }
            }
            guard let provider else { throw Self.refusal("Could not find the OP that issued this event") }
            guard provider.configuration.isBackchannelLogoutEnabled else {
                throw Self.refusal("OpenID Connect Back-Channel Logout is disabled for this provider")
            }
            try await end(try await checked(logoutToken, of: provider), at: provider)
        } catch let error as JSONWebTokenError {
            throw Self.refusal("Invalid logout_token: \(error)")
        }
    }

    private func checked(_ token: String, of provider: OpenIDProvider) async throws -> JSONWebClaims {
        let metadata = try await provider.directory.loadMetadata()
        let claims = try await provider.verified(token, metadata).claims
        try claims.check("iss", is: metadata.issuer)
        try claims.checkAudience(among: [provider.configuration.clientID])
        try claims.checkIsDate("iat")
        try claims.checkTimes(at: .now)
        guard claims["nonce"] == nil else { throw JSONWebTokenError.invalidClaim("nonce") }
        guard claims["events"]?["http://schemas.openid.net/event/backchannel-logout"] != nil else {
            throw JSONWebTokenError.missingClaim("events")
        }
        guard claims["sid"]?.string?.isEmpty == false else { throw JSONWebTokenError.missingClaim("sid") }
        return claims
    }

    private func end(_ claims: JSONWebClaims, at provider: OpenIDProvider) async throws {
        let id = provider.appearance.id
        var user: UserID?
        if let subject = claims["sub"]?.string, !provider.configuration.backchannelLogoutIgnoresSubject {
            user = try await database.read { try ExternalIDStore.user(id, subject, on: $0) }
        }
        try await signOn.end(ProviderSession(provider: id, session: claims["sid"]?.string), of: user)
    }

    private static func refusal(_ message: String) -> MatrixError { .unknown(message, status: 400) }
}
