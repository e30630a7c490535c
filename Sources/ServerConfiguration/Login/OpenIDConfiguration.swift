// One of `oidc_providers`: a provider of OpenID Connect, or of OAuth 2.0 with an endpoint that tells who the user is.

package struct OpenIDConfiguration: Sendable {
    /// How this server shows the provider's token endpoint that it is itself.
    package enum ClientAuthentication: String, Sendable, CaseIterable {
        case basic = "client_secret_basic"
        case post = "client_secret_post"
        case none
    }

    /// Whether a code is bound to the request for it. RFC 7636.
    package enum ProofKey: String, Sendable, CaseIterable {
        /// Where the provider says that it has it.
        case auto
        case always, never
    }

    /// Where the user's claims come from.
    package enum ProfileMethod: String, Sendable, CaseIterable {
        /// From the ID token, where there is one.
        case auto
        case userInfo = "userinfo_endpoint"
    }

    /// `client_secret_jwt_key`: the secret is a token that is made anew each hour.
    package struct SecretKey: Sendable {
        /// PEM of a private key.
        package var key: String
        package var algorithm: JWTAlgorithm
        package var header: [String: String]
        package var payload: [String: String]
    }

    /// `user_mapping_provider.config`: templates by which claims become an account.
    package struct Mapping: Sendable {
        package var subject = "{{ user.sub }}"
        package var localpart: String?
        package var displayName: String?
        package var email: String?
        /// Where the person's picture is.
        package var picture = "{{ user.picture }}"
        /// By name: members that the answer of a login has besides.
        package var extraAttributes: [String: String] = [:]
        package var confirmsLocalpart = false
        /// Where it stands in the configuration, for what is found wrong later.
        package var option = ""

        package init() {}
    }

    package var appearance: ProviderAppearance
    package var issuer: String
    package var discovers = true
    package var clientID: String
    package var clientSecret: String?
    package var secretKey: SecretKey?
    package var clientAuthentication = ClientAuthentication.basic
    package var proofKey = ProofKey.auto
    package var scopes = ["openid"]
    package var authorizationEndpoint: String?
    package var tokenEndpoint: String?
    package var userInfoEndpoint: String?
    package var keySetAddress: String?
    /// `id_token_signing_alg_values_supported`; nil: what the provider says.
    package var algorithms: [JWTAlgorithm]?
    /// Providers that do not keep to the rules, on plain HTTP for example, are taken as they are.
    package var skipsVerification = false
    package var profileMethod = ProfileMethod.auto
    /// `redirect_uri`: where the provider sends the user instead of this server.
    package var redirectURI: String?
    package var allowsExistingUsers = false
    package var isRegistrationEnabled = true
    package var isBackchannelLogoutEnabled = false
    package var backchannelLogoutIgnoresSubject = false
    package var requirements: [AttributeRequirement] = []
    package var mapping = Mapping()
    /// Sent to the authorization endpoint besides.
    package var additionalParameters: [(name: String, value: String)] = []
    /// Names of parameters of the redirect that are passed on there.
    package var passedParameters: [String] = []

    package init(appearance: ProviderAppearance, issuer: String, clientID: String) {
        self.appearance = appearance
        self.issuer = issuer
        self.clientID = clientID
    }
}
