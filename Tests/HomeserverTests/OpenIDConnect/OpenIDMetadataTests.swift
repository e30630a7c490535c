// What a provider says of itself, and what the operator says.

import Homeserver
import MatrixCore
import ServerConfiguration
import Testing

@Suite("Metadata of OpenID Connect") struct OpenIDMetadataTests {
    private static let discovered = """
        {"issuer": "https://op.example", "authorization_endpoint": "https://op.example/authorize", "token_endpoint": "https://op.example/token",
         "userinfo_endpoint": "https://op.example/me", "jwks_uri": "https://op.example/keys", "response_types_supported": ["code", "id_token"],
         "code_challenge_methods_supported": ["S256"], "id_token_signing_alg_values_supported": ["HS256", "ES256", "RS256", "XY1"]}
        """

    private static func configuration(_ change: (inout OpenIDConfiguration) -> Void = { _ in }) -> OpenIDConfiguration {
        var configuration = OpenIDConfiguration(
            appearance: ProviderAppearance(id: "oidc-op", name: "OP"), issuer: "https://op.example/", clientID: "martlet")
        configuration.clientSecret = "secret"
        change(&configuration)
        return configuration
    }

    private static func reason(_ configuration: OpenIDConfiguration, _ text: String?) throws -> String? {
        let discovered = try text.map { try json($0) }
        do throws(OpenIDMetadataError) {
            _ = try OpenIDMetadata(configuration, discovered: discovered)
            return nil
        } catch {
            return error.description
        }
    }

    private static func without(_ name: String, _ value: JSONValue? = nil) throws -> String {
        var object = JSONObject(try json(discovered))
        object[name] = value
        return String(decoding: object.canonicalBytes, as: UTF8.self)
    }

    @Test("what the provider says counts where the operator says nothing")
    func discovery() throws {
        let metadata = try OpenIDMetadata(Self.configuration(), discovered: json(Self.discovered))
        #expect(metadata.issuer == "https://op.example" && metadata.tokenEndpoint == "https://op.example/token" && metadata.usesProofKey)
        // A signature with a secret that both know is none by the keys that everybody can read.
        #expect(metadata.algorithms == [.es256, .rs256])
        let own = try OpenIDMetadata(
            Self.configuration {
                $0.tokenEndpoint = "https://own.example/token"
                $0.proofKey = .never
                $0.algorithms = [.es256]
            }, discovered: json(Self.discovered))
        #expect(own.tokenEndpoint == "https://own.example/token" && !own.usesProofKey && own.algorithms == [.es256])
    }

    @Test("without discovery the operator says all of it")
    func manual() throws {
        let configuration = Self.configuration {
            $0.discovers = false
            $0.authorizationEndpoint = "https://op.example/a"
            $0.tokenEndpoint = "https://op.example/t"
            $0.keySetAddress = "https://op.example/k"
        }
        let metadata = try OpenIDMetadata(configuration, discovered: nil)
        #expect(metadata.issuer == "https://op.example/" && !metadata.usesProofKey && metadata.algorithms == [.rs256])
        var lacking = configuration
        lacking.keySetAddress = nil
        #expect(try Self.reason(lacking, nil) == "there is no jwks_uri")
        // Without the scope openid there is no ID token: the profile is asked for.
        lacking.scopes = ["read:user"]
        #expect(try Self.reason(lacking, nil) == "there is no userinfo_endpoint")
        lacking.userInfoEndpoint = "https://op.example/me"
        #expect(try Self.reason(lacking, nil) == nil)
    }

    @Test("a provider that does not keep to the rules is refused, unless the operator takes it as it is")
    func verification() throws {
        let cases: [(String, String)] = try [
            (Self.without("issuer", "https://evil.example"), "it calls itself https://evil.example"),
            (Self.without("token_endpoint", "http://op.example/token"), "token_endpoint is not at https://"),
            (Self.without("jwks_uri", "http://op.example/keys"), "jwks_uri is not at https://"),
            (Self.without("response_types_supported", ["id_token"]), "it does not give out codes"),
            (
                Self.without("token_endpoint_auth_methods_supported", ["private_key_jwt"]),
                "it does not take client_auth_method client_secret_basic"
            ),
        ]
        for (text, reason) in cases {
            #expect(try Self.reason(Self.configuration(), text) == reason)
            #expect(try Self.reason(Self.configuration { $0.skipsVerification = true }, text) == nil)
        }
        #expect(try Self.reason(Self.configuration(), Self.without("jwks_uri")) == "there is no jwks_uri")
        #expect(
            try Self.reason(Self.configuration(), Self.without("id_token_signing_alg_values_supported", ["HS256"]))
                == "no algorithm of its signatures is known here")
    }
}

@Suite("Mapping of claims") struct OpenIDMappingTests {
    private static func mapping(_ change: (inout OpenIDConfiguration.Mapping) -> Void) throws -> OpenIDMapping {
        var configuration = OpenIDConfiguration.Mapping()
        configuration.option = "oidc_providers[0].user_mapping_provider.config"
        change(&configuration)
        return try OpenIDMapping(configuration)
    }

    private static let claims =
        #"{"sub": "0815", "email": "Alice.Liddell@x.example", "name": " Alice L. ", "id": 42, "groups": ["a", "b"]}"#

    @Test("claims become an account")
    func attributes() throws {
        let mapping = try Self.mapping {
            $0.localpart = "{{ user.email.split('@')[0] }}"
            $0.displayName = "{{ user.name }}"
            $0.email = "{{ user.email }}"
            $0.extraAttributes = ["first_group": "{{ user.groups[0] }}"]
            $0.confirmsLocalpart = true
        }
        let claims = try json(Self.claims)
        #expect(try mapping.subject(of: claims) == "0815")
        var expected = SignOnAttributes(
            localpart: "alice.liddell", confirmsLocalpart: true, displayName: "Alice L.", emails: ["Alice.Liddell@x.example"])
        #expect(try mapping.attributes(of: claims, failures: 0) == expected)
        expected.localpart = "alice.liddell3"
        #expect(try mapping.attributes(of: claims, failures: 3) == expected)
        #expect(mapping.extraAttributes(of: claims) == ["first_group": "a"])
    }

    @Test("a number is a name too, and what is not there is none")
    func missing() throws {
        #expect(try Self.mapping { $0.subject = "{{ user.id }}" }.subject(of: json(Self.claims)) == "42")
        #expect(try Self.mapping { $0.subject = "{{ user.uid }}" }.subject(of: json(Self.claims)) == "")
        let mapping = try Self.mapping {
            $0.localpart = "{{ user.upn.split('@')[0] }}"
            $0.displayName = "{{ user.nickname }}"
        }
        #expect(try mapping.attributes(of: json(Self.claims), failures: 1) == SignOnAttributes(localpart: nil))
    }

    @Test("a template that is not understood names itself, and what is wrong")
    func errors() throws {
        for (text, message) in [
            ("{{ user.email | rot13 }}", "the filter rot13 is not known"), ("{{ user.email", "{{ is not closed"),
            ("{{ user.email.encode() }}", "the method encode is not known"), ("{% macro x() %}", "the statement macro is not known"),
        ] {
            do {
                _ = try Self.mapping { $0.localpart = text }
                Issue.record("\(text) was understood")
            } catch let error as TemplateError {
                #expect("\(error)" == "oidc_providers[0].user_mapping_provider.config.localpart_template:1: \(message)")
            }
        }
    }

    @Test(
        "names of elsewhere become localparts",
        arguments: [
            ("Alice", "alice"), ("alice=liddell", "alice=3dliddell"), ("_bot", "=5fbot"), ("a_b", "a_b"), ("cas_user!", "cas_user=21"),
            ("Föhn", "f=c3=b6hn"), ("a b", "a=20b"), ("a.b-c/d+e", "a.b-c/d+e"), ("", ""),
        ])
    func localparts(name: String, expected: String) { #expect(MappedLocalpart.localpart(of: name) == expected) }
}
