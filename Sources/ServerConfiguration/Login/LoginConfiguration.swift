// How people log in besides with a password, as the operator decided.

/// The settings of logins. Each way has its section of `homeserver.yaml`.
package struct LoginConfiguration: Sendable {
    /// `login_via_existing_session`: somebody who is logged in gets a token for another device.
    package struct ExistingSession: Sendable {
        package var isEnabled = false
        /// Each token is asked for with a stage of user-interactive authentication.
        package var requiresAuthentication = true
        package var tokenTimeout: Duration = .seconds(300)
    }

    package var existingSession = ExistingSession()
    /// `jwt_config`; nil where it is not enabled.
    package var jwt: JWTConfiguration?
    package var singleSignOn = SingleSignOnConfiguration()
    package var openID: [OpenIDConfiguration] = []
    /// `cas_config`; nil where it is not enabled.
    package var cas: CASConfiguration?
    package var rendezvous = RendezvousConfiguration()
    /// `matrix_authentication_service`: logins, passwords and sessions are the business of a service of its own; nil where it is not enabled.
    package var authenticationService: AuthenticationServiceConfiguration?

    package init() {}

    /// The providers of single sign-on, in the order in which clients show them.
    package var providers: [ProviderAppearance] { [cas?.appearance].compactMap { $0 } + openID.map(\.appearance) }
}

/// `jwt_config`: logins by a JSON Web Token that somebody else has issued.
package struct JWTConfiguration: Sendable {
    package var algorithm: JWTAlgorithm
    /// The key of HMAC algorithms, or the PEM of a public key.
    package var secret: String
    package var subjectClaim = "sub"
    package var displayNameClaim: String?
    /// What `iss` must be; nil: it is not looked at.
    package var issuer: String?
    /// One of which `aud` must hold; nil: there must be no `aud`.
    package var audiences: [String]?

    package init(algorithm: JWTAlgorithm, secret: String) {
        self.algorithm = algorithm
        self.secret = secret
    }
}

/// The signatures of JSON Web Tokens that are understood. RFC 7518 §3.1; RFC 8037 §3.1.
package enum JWTAlgorithm: String, Sendable, Hashable, CaseIterable {
    case hs256 = "HS256"
    case hs384 = "HS384"
    case hs512 = "HS512"
    case rs256 = "RS256"
    case rs384 = "RS384"
    case rs512 = "RS512"
    case ps256 = "PS256"
    case ps384 = "PS384"
    case ps512 = "PS512"
    case es256 = "ES256"
    case es384 = "ES384"
    case es512 = "ES512"
    case edDSA = "EdDSA"

    /// Whether the signature is made with a secret that the verifier knows too.
    package var isSymmetric: Bool { rawValue.hasPrefix("HS") }
}
