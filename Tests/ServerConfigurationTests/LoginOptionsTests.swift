// The options about ways to log in.

import ServerConfiguration
import Testing

@Suite struct LoginOptionsTests {
    @Test("nothing but passwords where nothing is said")
    func defaults() throws {
        let login = try settings("").login
        #expect(!login.existingSession.isEnabled && login.existingSession.requiresAuthentication)
        #expect(login.existingSession.tokenTimeout == .seconds(300) && login.jwt == nil)
    }

    @Test("login_via_existing_session")
    func existingSession() throws {
        let login = try settings("login_via_existing_session: {enabled: true, require_ui_auth: false, token_timeout: 2m}").login
        #expect(login.existingSession.isEnabled && !login.existingSession.requiresAuthentication)
        #expect(login.existingSession.tokenTimeout == .seconds(120))
    }

    @Test("jwt_config")
    func jwt() throws {
        let jwt = try #require(
            try settings(
                """
                jwt_config:
                  enabled: true
                  secret: shared
                  algorithm: HS256
                  subject_claim: uid
                  display_name_claim: name
                  issuer: https://issuer.example
                  audiences: [one, two]
                """
            ).login.jwt)
        #expect(jwt.algorithm == .hs256 && jwt.secret == "shared" && jwt.subjectClaim == "uid" && jwt.displayNameClaim == "name")
        #expect(jwt.issuer == "https://issuer.example" && jwt.audiences == ["one", "two"])
        #expect(try settings("jwt_config: {enabled: false, secret: x, algorithm: RS256}").login.jwt == nil)
    }

    @Test(
        "what cannot be meant is an error",
        arguments: [
            "login_via_existing_session: true", "login_via_existing_session: {token_timeout: soon}", "jwt_config: yes",
            "jwt_config: {enabled: true, algorithm: HS256}", "jwt_config: {enabled: true, secret: x}",
            "jwt_config: {enabled: true, secret: x, algorithm: none}", "jwt_config: {enabled: perhaps, secret: x, algorithm: HS256}",
            "jwt_config: {enabled: true, secret: x, algorithm: HS256, audiences: one}",
        ])
    func errors(text: String) throws {
        let result = try read(text)
        #expect(result.configuration == nil && result.errors.count == 1)
    }

    @Test(
        "no token may live longer than its session",
        arguments: [
            "refreshable_access_token_lifetime: 6m", "nonrefreshable_access_token_lifetime: 6m", "refresh_token_lifetime: 6m",
        ])
    func lifetimes(text: String) throws {
        let result = try read("session_lifetime: 5m\n" + text)
        #expect(result.configuration == nil && result.errors.count == 1)
        #expect(try settings("session_lifetime: 6m\n" + text).sessionLifetime == .seconds(360))
    }

    @Test("what lives five minutes by itself may end with a shorter session")
    func shortSession() throws {
        #expect(try settings("session_lifetime: 1m\nrefreshable_access_token_lifetime:").sessionLifetime == .seconds(60))
    }

    @Test("a name inside that nobody knows is warned of with the nearest one")
    func unknownName() throws {
        let result = try read("jwt_config: {enabled: true, secret: x, algorithm: HS256, subject_clam: uid}")
        #expect(result.warnings.map(\.message) == ["is not a known option; did you mean subject_claim?"])
    }
}

@Suite struct SignOnOptionsTests {
    @Test("sso")
    func sso() throws {
        let options = try settings(
            "sso: {client_whitelist: ['https://client.example/'], update_profile_information: true, template_dir: /etc/pages}"
        ).login.singleSignOn
        #expect(
            options.trustedClients == ["https://client.example/"] && options.updatesProfile && options.templateDirectory == "/etc/pages")
        let plain = try settings("").login
        #expect(plain.singleSignOn.trustedClients.isEmpty && !plain.singleSignOn.updatesProfile && plain.providers.isEmpty)
    }

    @Test("a provider of Synapse's manual is read as it is there")
    func provider() throws {
        let login = try settings(
            """
            oidc_providers:
              - idp_id: my_idp
                idp_name: My OpenID provider
                idp_icon: "mxc://example.com/mediaid"
                idp_brand: custom-brand
                discover: false
                issuer: "https://accounts.example.com/"
                client_id: "provided-by-your-issuer"
                client_secret: "provided-by-your-issuer"
                client_auth_method: client_secret_post
                pkce_method: always
                scopes: ["openid", "profile"]
                authorization_endpoint: "https://accounts.example.com/oauth2/auth"
                token_endpoint: "https://accounts.example.com/oauth2/token"
                userinfo_endpoint: "https://accounts.example.com/userinfo"
                jwks_uri: "https://accounts.example.com/.well-known/jwks.json"
                additional_authorization_parameters:
                  acr_values: 2fa
                passthrough_authorization_parameters: ["login_hint"]
                skip_verification: true
                enable_registration: false
                allow_existing_users: true
                backchannel_logout_enabled: true
                user_profile_method: userinfo_endpoint
                user_mapping_provider:
                  config:
                    subject_claim: "id"
                    localpart_template: "{{ user.login }}"
                    display_name_template: "{{ user.name }}"
                    email_template: "{{ user.email }}"
                    extra_attributes: {color: "{{ user.color }}"}
                    confirm_localpart: true
                attribute_requirements:
                  - {attribute: userGroup, value: "synapseUsers"}
                  - {attribute: role, one_of: [a, b]}
                  - attribute: present
              - idp_id: oidc
                idp_name: Another
                issuer: "https://other.example"
                client_id: "x"
            """
        ).login
        #expect(login.openID.map(\.appearance.id) == ["oidc-my_idp", "oidc"])
        let provider = try #require(login.openID.first)
        #expect(provider.appearance.brand == "custom-brand" && provider.appearance.icon == "mxc://example.com/mediaid")
        #expect(!provider.discovers && provider.clientAuthentication == .post && provider.proofKey == .always)
        #expect(provider.scopes == ["openid", "profile"] && provider.keySetAddress == "https://accounts.example.com/.well-known/jwks.json")
        #expect(provider.additionalParameters.map(\.name) == ["acr_values"] && provider.passedParameters == ["login_hint"])
        #expect(provider.skipsVerification && !provider.isRegistrationEnabled && provider.allowsExistingUsers)
        #expect(provider.isBackchannelLogoutEnabled && !provider.backchannelLogoutIgnoresSubject && provider.profileMethod == .userInfo)
        #expect(provider.mapping.subject == "{{ user.id }}" && provider.mapping.localpart == "{{ user.login }}")
        #expect(provider.mapping.confirmsLocalpart && provider.mapping.extraAttributes == ["color": "{{ user.color }}"])
        #expect(
            provider.requirements == [
                AttributeRequirement(attribute: "userGroup", values: ["synapseUsers"]),
                AttributeRequirement(attribute: "role", values: ["a", "b"]), AttributeRequirement(attribute: "present", values: []),
            ])
        // Without a secret there is nothing to show.
        #expect(login.openID.last?.clientAuthentication == OpenIDConfiguration.ClientAuthentication.none)
        #expect(login.openID.last?.scopes == ["openid"] && login.openID.last?.discovers == true)
    }

    @Test("the older option for one provider counts where it is enabled")
    func older() throws {
        let login = try settings("oidc_config: {enabled: true, issuer: 'https://a.example', client_id: x, client_secret: y}").login
        #expect(login.openID.map(\.appearance.id) == ["oidc"] && login.openID.first?.appearance.name == "OIDC")
        #expect(try settings("oidc_config: {enabled: false, issuer: 'https://a.example'}").login.openID.isEmpty)
    }

    @Test("cas_config")
    func cas() throws {
        let cas = try #require(
            try settings(
                """
                cas_config:
                  enabled: true
                  server_url: "https://cas.example/"
                  protocol_version: 3
                  displayname_attribute: name
                  required_attributes: {userGroup: staff, department: None, present: }
                  enable_registration: false
                  allow_numeric_ids: true
                  numeric_ids_prefix: numericuser
                  idp_name: Staff
                """
            ).login.cas)
        #expect(cas.serverURL == "https://cas.example" && cas.protocolVersion == 3 && cas.displayNameAttribute == "name")
        #expect(!cas.isRegistrationEnabled && cas.numericPrefix == "numericuser" && cas.appearance.name == "Staff")
        #expect(cas.requirements.map(\.values) == [["staff"], ["None"], []])
        #expect(try settings("cas_config: {server_url: 'https://cas.example'}").login.cas?.appearance.id == "cas")
        #expect(try settings("cas_config: {enabled: false, server_url: 'https://cas.example'}").login.cas == nil)
    }

    @Test(
        "what cannot be meant is an error",
        arguments: [
            "oidc_providers: 5", "oidc_providers: [5]", "oidc_providers: [{idp_id: a, idp_name: A, issuer: x}]",
            "oidc_providers: [{idp_id: 'a b', idp_name: A, issuer: x, client_id: y}]",
            "oidc_providers: [{idp_id: a, idp_name: A, issuer: x, client_id: y, client_auth_method: client_secret_basic}]",
            "oidc_providers: [{idp_id: a, idp_name: A, issuer: x, client_id: y, idp_icon: 'https://x'}]",
            "oidc_providers: [{idp_id: a, idp_name: A, issuer: x, client_id: y, idp_brand: 'Brand'}]",
            "oidc_providers: [{idp_id: a, idp_name: A, issuer: x, client_id: y, pkce_method: sometimes}]",
            "oidc_providers: [{idp_id: a, idp_name: A, issuer: x, client_id: y, id_token_signing_alg_values_supported: [HS256]}]",
            "oidc_providers: [{idp_id: a, idp_name: A, issuer: x, client_id: y, attribute_requirements: [{value: z}]}]",
            "oidc_providers: [{idp_id: a, idp_name: A, issuer: x, client_id: y, user_mapping_provider: {module: my.Module}}]",
            "oidc_providers: [{idp_id: a, idp_name: A, issuer: x, client_id: y}, {idp_id: a, idp_name: B, issuer: x, client_id: y}]",
            "cas_config: {enabled: true}", "cas_config: {server_url: x, protocol_version: 4}",
            "cas_config: {server_url: x, required_attributes: [a]}", "cas_config: {server_url: x, numeric_ids_prefix: '_'}",
            "sso: {client_whitelist: x}",
        ])
    func errors(text: String) throws {
        let result = try read(text)
        #expect(result.configuration == nil && result.errors.count == 1, "\(result.problems)")
    }

    @Test("what is inside and not known is warned of, and what has no effect is named")
    func inside() throws {
        let result = try read(
            """
            oidc_providers:
              - {idp_id: a, idp_name: A, issuer: x, client_id: y, client_scret: z,
                 user_mapping_provider: {config: {localpart_tmplate: x, picture_claim: picture}}}
            """)
        #expect(
            result.warnings.map(\.description) == [
                "homeserver.yaml:3: oidc_providers[0].user_mapping_provider.config.localpart_tmplate: is not a known option;"
                    + " did you mean localpart_template?",
                "homeserver.yaml:2: oidc_providers[0].client_scret: is not a known option; did you mean client_secret?",
            ])
        #expect(result.notBuilt.isEmpty)
    }
}

@Suite struct DelegationOptionsTests {
    private static let enabled = "matrix_authentication_service: {enabled: true, endpoint: 'http://localhost:8080/', secret: shh}\n"

    @Test("matrix_authentication_service")
    func service() throws {
        let configuration = try settings(Self.enabled)
        let service = try #require(configuration.login.authenticationService)
        #expect(service.endpoint == "http://localhost:8080" && service.secret == "shh" && !configuration.passwordLoginEnabled)
        #expect(try settings("matrix_authentication_service: {enabled: false}").login.authenticationService == nil)
        #expect(
            try settings("matrix_authentication_service: {enabled: true, secret: x}").login.authenticationService?.endpoint
                == "http://localhost:8080")
    }

    @Test(
        "what the service does, this server does not",
        arguments: [
            "password_config: {enabled: true}", "password_config: {enabled: only_for_reauth}",
            "enable_registration: true\nenable_registration_without_verification: true", "cas_config: {server_url: 'https://c.example'}",
            "jwt_config: {enabled: true, secret: x, algorithm: HS256}", "login_via_existing_session: {enabled: true}",
            "refresh_token_lifetime: 5m", "nonrefreshable_access_token_lifetime: 5m", "session_lifetime: 5m", "enable_3pid_changes: true",
            "oidc_providers: [{idp_id: a, idp_name: A, issuer: x, client_id: y}]",
            "experimental_features: {msc4108_enabled: true, msc4108_delegation_endpoint: 'https://x.example'}",
        ])
    func conflicts(text: String) throws {
        let result = try read(Self.enabled + text)
        #expect(result.configuration == nil && result.errors.count == 1, "\(result.problems)")
    }

    @Test("two devices can meet where the service logs one of them in")
    func rendezvous() throws {
        let options = "experimental_features: {msc4108_enabled: true, msc4388_mode: authenticated}"
        let rendezvous = try settings(Self.enabled + options).login.rendezvous
        #expect(rendezvous.isEnabled && rendezvous.mode == .authenticated)
        #expect(try read(options).errors.count == 2)
        #expect(try settings("experimental_features: {msc4108_enabled: false, msc4388_mode: off}").login.rendezvous.mode == .off)
        let delegated = try settings(Self.enabled + "experimental_features: {msc4108_delegation_endpoint: 'https://x.example'}")
        #expect(delegated.login.rendezvous.delegationEndpoint == "https://x.example")
    }

    @Test(
        "what cannot be meant is an error",
        arguments: [
            "matrix_authentication_service: true", "matrix_authentication_service: {enabled: true}",
            "matrix_authentication_service: {enabled: true, secret: x, endpoint: localhost}",
            "matrix_authentication_service: {enabled: true, secret: x, secret_path: /nowhere}",
            "experimental_features: {msc4388_mode: sometimes}", "experimental_features: {msc4108_enabled: 5}",
        ])
    func errors(text: String) throws {
        let result = try read(text)
        #expect(result.configuration == nil && result.errors.count == 1, "\(result.problems)")
    }
}
