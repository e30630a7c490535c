// The options about ways to log in.

enum LoginOptions {
    static let all: [ConfigurationOption] = [
        .section(
            "login_via_existing_session",
            [
                .bool("enabled", \.login.existingSession.isEnabled),
                .bool("require_ui_auth", \.login.existingSession.requiresAuthentication),
                .duration("token_timeout", \.login.existingSession.tokenTimeout),
            ]),
        .custom("jwt_config", readJWT),
        .section(
            "sso",
            [
                .custom("client_whitelist") { node, option, reading in
                    guard let clients = node.texts else { return reading.fail(node, option, expected: "a list of addresses") }
                    reading.configuration.login.singleSignOn.trustedClients = clients
                },
                .bool("update_profile_information", \.login.singleSignOn.updatesProfile),
                .string("template_dir", \.login.singleSignOn.templateDirectory),
            ]),
        .custom("oidc_providers", OpenIDReader.readList),
        .custom("oidc_config", OpenIDReader.readOne),
        .custom("cas_config", CASReader.read),
        .custom("matrix_authentication_service", readAuthenticationService),
    ]

    private static func readAuthenticationService(
        _ node: ConfigNode, _ option: String, _ reading: inout ConfigurationOption.Reading
    ) {
        guard var mapping = MappingReader(node, option, expected: "a mapping with enabled, endpoint and secret", &reading) else { return }
        let isEnabled = mapping.bool("enabled") ?? false
        let endpoint = mapping.string("endpoint") ?? "http://localhost:8080"
        if !endpoint.hasPrefix("http://"), !endpoint.hasPrefix("https://"), let node = mapping.node("endpoint") {
            mapping.fail(node, "endpoint", because: "found \(endpoint), expected an address that begins with https:// or http://")
        }
        let secret = mapping.secret("secret")
        if isEnabled, secret?.isEmpty ?? true, mapping.node("secret_path") == nil { mapping.missing("secret", "text, or secret_path") }
        // Requests to the service are short: one version of HTTP is as good as another.
        _ = mapping.bool("force_http2")
        guard mapping.finish(&reading), isEnabled, let secret else { return }
        reading.configuration.login.authenticationService = AuthenticationServiceConfiguration(
            endpoint: endpoint.hasSuffix("/") ? String(endpoint.dropLast()) : endpoint, secret: secret)
    }

    private static func readJWT(_ node: ConfigNode, _ option: String, _ reading: inout ConfigurationOption.Reading) {
        guard var mapping = MappingReader(node, option, expected: "a mapping with enabled, secret and algorithm", &reading) else { return }
        let isEnabled = mapping.bool("enabled") ?? false
        let secret = mapping.requiredString("secret")
        if mapping.node("algorithm") == nil { mapping.missing("algorithm", "a name such as HS256") }
        let algorithm = mapping.choice("algorithm", as: JWTAlgorithm.self)
        let subject = mapping.string("subject_claim")
        let displayName = mapping.string("display_name_claim")
        let issuer = mapping.string("issuer")
        let audiences = mapping.strings("audiences")
        guard mapping.finish(&reading), isEnabled, let secret, let algorithm else { return }
        var jwt = JWTConfiguration(algorithm: algorithm, secret: secret)
        if let subject { jwt.subjectClaim = subject }
        jwt.displayNameClaim = displayName
        jwt.issuer = issuer
        jwt.audiences = audiences
        reading.configuration.login.jwt = jwt
    }
}
