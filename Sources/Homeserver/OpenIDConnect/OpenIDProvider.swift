// A provider of OpenID Connect, of which this server is a client: Synapse's `oidc_providers`. OpenID Connect Core 1.0 §3.1; RFC 6749 §4.1;
// RFC 7636.

import Crypto
import Federation
import Logging
import MatrixCore
import Persistence
import ServerConfiguration

package struct OpenIDProvider: IdentityProvider {
    /// How long somebody may take at the provider.
    private static let sessionLifetime: Duration = .seconds(3600)
    package static let cookieName = "oidc_session"

    package let configuration: OpenIDConfiguration
    let directory: OpenIDDirectory
    let client: OpenIDClient
    let mapping: OpenIDMapping
    let logger: Logger
    private let box: SealedBox
    private let callback: String

    /// - Parameters:
    ///   - http: towards addresses that the operator has chosen, and that the provider tells.
    ///   - box: seals what browsers keep for all providers.
    /// - Throws: `TemplateError`, or where the key of `client_secret_jwt_key` is none.
    package init(
        _ configuration: OpenIDConfiguration, publicBaseURL: String, http: OutboundHTTP, box: SealedBox, logger: Logger
    ) throws {
        self.configuration = configuration
        self.box = box
        self.logger = logger
        directory = OpenIDDirectory(configuration, http: http)
        callback = configuration.redirectURI ?? "\(publicBaseURL)_synapse/client/oidc/callback"
        client = OpenIDClient(
            http: http, credentials: try OpenIDCredentials(configuration), callback: callback)
        mapping = try OpenIDMapping(configuration.mapping)
    }

    package var appearance: ProviderAppearance { configuration.appearance }

    // MARK: To the provider

    package func begin(_ purpose: SignOnPurpose, query: (String) -> String?) async throws -> SignOnAnswer {
        let metadata: OpenIDMetadata
        do {
            metadata = try await directory.loadMetadata()
        } catch {
            logger.error("a provider of single sign-on cannot be used", metadata: ["provider": "\(appearance.id)", "error": "\(error)"])
            throw SignOnFailure(
                "provider_unavailable", "This login provider is currently unavailable on this homeserver.", status: 503)
        }
        let session = OpenIDSession(
            provider: appearance.id, purpose: purpose, usesProofKey: metadata.usesProofKey)
        var parameters: [(name: String, value: String)] = [
            ("response_type", "code"), ("client_id", configuration.clientID), ("redirect_uri", callback),
            ("scope", configuration.scopes.joined(separator: " ")), ("state", session.state), ("nonce", session.nonce),
        ]
        parameters += configuration.additionalParameters
        if let verifier = session.verifier {
            parameters += [("code_challenge_method", "S256"), ("code_challenge", Self.challenge(of: verifier))]
        }
        for name in configuration.passedParameters {
            if let value = query(name), !value.isEmpty { parameters.append((name, value)) }
        }
        let sealed = try box.seal(session.json, until: Timestamp.now.advanced(byMilliseconds: Self.sessionLifetime.milliseconds))
        return SignOnAnswer(
            .redirect(FormEncoding.append(parameters, to: metadata.authorizationEndpoint)), cookies: [Self.cookie(sealed)])
    }

    package static func cookie(_ value: String) -> SignOnCookie {
        SignOnCookie(name: cookieName, value: value, path: "_synapse/client/oidc", lifetime: sessionLifetime, crossesSites: true)
    }

    /// RFC 7636 §4.2.
    private static func challenge(of verifier: String) -> String {
        Base64.encode(Array(SHA256.hash(data: Array(verifier.utf8))), .urlSafe)
    }

    // MARK: Back from the provider

    /// Somebody whom the provider has sent back with a code.
    struct Arrival: Sendable {
        let claims: JSON
        let session: ProviderSession
    }

    /// Exchanges a code for what the provider knows of its user.
    ///
    /// - Throws: `SignOnFailure`.
    func arrival(_ session: OpenIDSession, code: String) async throws -> Arrival {
        let metadata = try await directory.loadMetadata()
        let tokens = try await client.exchange(code, verifier: session.verifier, at: metadata.tokenEndpoint)
        var idClaims: JSONWebClaims?
        if let idToken = tokens.idToken {
            idClaims = try await check(idToken, nonce: session.nonce, accessToken: tokens.accessToken, metadata)
        }
        let name = idClaims?["sid"]?.string
        let providerSession = ProviderSession(provider: appearance.id, session: name)
        guard configuration.usesUserInfo else {
            guard let idClaims else { throw SignOnFailure("invalid_token", "Missing id_token in token response") }
            return Arrival(claims: idClaims.json, session: providerSession)
        }
        guard let endpoint = metadata.userInfoEndpoint, let accessToken = tokens.accessToken else {
            throw SignOnFailure("fetch_error", "The provider gives no access to the user's profile")
        }
        let claims = try await userInfo(accessToken, at: endpoint, metadata)
        // Core §5.3.2: else somebody could come with the profile of somebody else.
        if let subject = idClaims?["sub"]?.string, let other = claims["sub"]?.string, ByteString(subject) != ByteString(other) {
            throw SignOnFailure("fetch_error", "The profile is somebody else's")
        }
        return Arrival(claims: claims, session: providerSession)
    }

    /// Who somebody is who has arrived.
    func subject(of arrival: Arrival) throws(SignOnFailure) -> String {
        do { return try mapping.subject(of: arrival.claims) } catch {
            throw SignOnFailure("mapping_error", "Failed to extract subject from OIDC response: \(error)")
        }
    }

    func person(_ arrival: Arrival) throws(SignOnFailure) -> SignOnPerson {
        var attributes: [String: [String]] = [:]
        for (name, value) in arrival.claims.members {
            attributes[name.string] = value.isArray ? value.elements.compactMap(Self.text) : [value].compactMap(Self.text)
        }
        guard AttributeRequirement.areMet(configuration.requirements, by: attributes) else {
            throw SignOnFailure("unauthorised", "You are not authorised to log in here.")
        }
        let mapping = mapping
        return SignOnPerson(
            provider: arrival.session, subject: try subject(of: arrival), mayTakeExistingAccount: configuration.allowsExistingUsers,
            isRegistrationEnabled: configuration.isRegistrationEnabled, extraAttributes: mapping.extraAttributes(of: arrival.claims)
        ) { failures throws(SignOnFailure) in
            do { return try mapping.attributes(of: arrival.claims, failures: failures) } catch {
                throw SignOnFailure("mapping_error", "Could not extract user attributes from SSO response.")
            }
        }
    }

    private static func text(_ claim: JSON) -> String? {
        claim.string ?? claim.int.map { String($0) } ?? claim.bool.map { $0 ? "true" : "false" }
    }

    // MARK: Tokens

    /// Core §3.1.3.7.
    private func check(
        _ token: String, nonce: String, accessToken: String?, _ metadata: OpenIDMetadata
    ) async throws -> JSONWebClaims {
        do {
            let idToken = try await verified(token, metadata)
            let claims = idToken.claims
            try claims.check("iss", is: metadata.issuer)
            try claims.checkAudience(among: [configuration.clientID])
            if claims.audiences.count > 1 || claims["azp"] != nil { try claims.check("azp", is: configuration.clientID) }
            guard claims["sub"] != nil else { throw JSONWebTokenError.missingClaim("sub") }
            for name in ["exp", "iat"] { try claims.checkIsDate(name) }
            try claims.checkTimes(at: .now)
            try claims.check("nonce", is: nonce)
            if configuration.usesUserInfo, let accessToken, claims["at_hash"] != nil, let algorithm = idToken.algorithm {
                try claims.check("at_hash", is: AccessTokenHash.hash(of: accessToken, by: algorithm))
            }
            return claims
        } catch let error as JSONWebTokenError {
            logger.warning("an ID token was refused", metadata: ["provider": "\(appearance.id)", "error": "\(error)"])
            throw SignOnFailure("invalid_token", "\(error)")
        }
    }

    /// A token of the provider's, by the keys that are kept, or by newer ones.
    ///
    /// - Throws: `JSONWebTokenError`.
    func verified(_ text: String, _ metadata: OpenIDMetadata) async throws -> JSONWebToken {
        let token = try JSONWebToken(parsing: text)
        guard let algorithm = token.algorithm, metadata.algorithms.contains(algorithm) else { throw JSONWebTokenError.unsupportedAlgorithm }
        do throws(JSONWebTokenError) {
            let keys: [JSONWebKey]
            do { keys = try await directory.loadKeys() } catch { throw .badSignature }
            try token.verify(by: JSONWebKey.candidates(in: keys, for: token), algorithms: metadata.algorithms)
        } catch .badSignature {
            let keys = try await directory.loadKeys(outdated: true)
            try token.verify(by: JSONWebKey.candidates(in: keys, for: token), algorithms: metadata.algorithms)
        }
        return token
    }

    /// Core §5.3.
    private func userInfo(_ accessToken: String, at endpoint: String, _ metadata: OpenIDMetadata) async throws -> JSON {
        switch try await client.userInfo(accessToken, at: endpoint) {
        case .plain(let claims): return claims
        case .signed(let text):
            do {
                return try await verified(text, metadata).claims.json
            } catch let error as JSONWebTokenError {
                throw SignOnFailure("fetch_error", "\(error)")
            }
        }
    }
}

/// The left half of an access token's hash. Core §3.1.3.6.
enum AccessTokenHash {
    static func hash(of token: String, by algorithm: JWTAlgorithm) -> String {
        let bytes = Array(token.utf8)
        let digest: [UInt8] =
            switch algorithm.rawValue.suffix(3) {
            case "256": Array(SHA256.hash(data: bytes))
            case "384": Array(SHA384.hash(data: bytes))
            default: Array(SHA512.hash(data: bytes))
            }
        return Base64.encode(digest[..<(digest.count / 2)], .urlSafe)
    }
}
