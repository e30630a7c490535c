// Where a provider's endpoints are, and which keys it signs with. OpenID Connect Discovery 1.0.

import Federation
import Logging
import MatrixCore
import ServerConfiguration

/// What is to be known of a provider before anybody can be sent there.
package struct OpenIDMetadata: Sendable, Equatable {
    /// As the provider names itself in its tokens.
    package let issuer: String
    package let authorizationEndpoint: String
    package let tokenEndpoint: String
    package let userInfoEndpoint: String?
    package let keySetAddress: String?
    package let usesProofKey: Bool
    package let algorithms: [JWTAlgorithm]

    /// What the configuration says, and for the rest what the provider says.
    ///
    /// - Throws: `OpenIDMetadataError`.
    package init(_ configuration: OpenIDConfiguration, discovered: JSON?) throws(OpenIDMetadataError) {
        func discover(_ name: String) -> String? { discovered?[name]?.string }
        issuer = discover("issuer") ?? configuration.issuer
        guard let authorization = configuration.authorizationEndpoint ?? discover("authorization_endpoint") else {
            throw OpenIDMetadataError("there is no authorization_endpoint")
        }
        guard let token = configuration.tokenEndpoint ?? discover("token_endpoint") else {
            throw OpenIDMetadataError("there is no token_endpoint")
        }
        authorizationEndpoint = authorization
        tokenEndpoint = token
        userInfoEndpoint = configuration.userInfoEndpoint ?? discover("userinfo_endpoint")
        keySetAddress = configuration.keySetAddress ?? discover("jwks_uri")
        let methods = discovered?["code_challenge_methods_supported"].map { $0.elements.compactMap(\.string) } ?? []
        usesProofKey =
            switch configuration.proofKey {
            case .always: true
            case .never: false
            case .auto: methods.contains("S256")
            }
        let offered = discovered?["id_token_signing_alg_values_supported"].map { $0.elements.compactMap(\.string) }
        let known = offered?.compactMap { JWTAlgorithm(rawValue: $0) }.filter { !$0.isSymmetric }
        algorithms = configuration.algorithms ?? known ?? [.rs256]
        try checkNeeds(configuration)
        if !configuration.skipsVerification { try check(configuration, discovered) }
    }

    private func checkNeeds(_ configuration: OpenIDConfiguration) throws(OpenIDMetadataError) {
        if configuration.usesUserInfo, userInfoEndpoint == nil { throw OpenIDMetadataError("there is no userinfo_endpoint") }
        if !configuration.usesUserInfo, keySetAddress == nil { throw OpenIDMetadataError("there is no jwks_uri") }
        if algorithms.isEmpty { throw OpenIDMetadataError("no algorithm of its signatures is known here") }
    }

    /// What a provider that keeps to the rules is like.
    private func check(_ configuration: OpenIDConfiguration, _ discovered: JSON?) throws(OpenIDMetadataError) {
        for (name, address) in [
            ("issuer", issuer), ("authorization_endpoint", authorizationEndpoint), ("token_endpoint", tokenEndpoint),
            ("userinfo_endpoint", userInfoEndpoint), ("jwks_uri", keySetAddress),
        ] {
            if let address, !address.lowercased().hasPrefix("https://") { throw OpenIDMetadataError("\(name) is not at https://") }
        }
        // Discovery §4.3: else one provider could speak for another.
        guard ByteString(Self.withoutSlash(issuer)) == ByteString(Self.withoutSlash(configuration.issuer)) else {
            throw OpenIDMetadataError("it calls itself \(issuer)")
        }
        func offers(_ name: String, _ value: String) -> Bool {
            guard let values = discovered?[name], values.isArray else { return true }
            return values.elements.contains { $0.isString(value) }
        }
        guard offers("response_types_supported", "code") else { throw OpenIDMetadataError("it does not give out codes") }
        guard offers("token_endpoint_auth_methods_supported", configuration.clientAuthentication.rawValue) else {
            throw OpenIDMetadataError("it does not take client_auth_method \(configuration.clientAuthentication.rawValue)")
        }
        guard !usesProofKey || configuration.proofKey == .always || offers("code_challenge_methods_supported", "S256") else {
            throw OpenIDMetadataError("it does not take the PKCE method S256")
        }
    }

    static func withoutSlash(_ address: String) -> String { address.hasSuffix("/") ? String(address.dropLast()) : address }
}

/// Why a provider cannot be used.
package struct OpenIDMetadataError: Error, Sendable, Equatable, CustomStringConvertible {
    package let description: String

    init(_ description: String) {
        self.description = description
    }
}

extension OpenIDConfiguration {
    /// Whether the user's claims come from the provider's endpoint and not from the ID token.
    var usesUserInfo: Bool { profileMethod == .userInfo || !scopes.contains("openid") }
}

/// Asks a provider for its metadata and its keys, once for all who wait, and keeps them.
actor OpenIDDirectory {
    /// How long keys are kept at least, although a token was signed by another: whoever makes tokens up cannot have them fetched each time.
    private static let keyPause: Duration = .seconds(10)

    private let configuration: OpenIDConfiguration
    private let http: OutboundHTTP
    private var metadata: Task<OpenIDMetadata, any Error>?
    private var keys: (task: Task<[JSONWebKey], any Error>, fetched: ContinuousClock.Instant)?

    init(_ configuration: OpenIDConfiguration, http: OutboundHTTP) {
        self.configuration = configuration
        self.http = http
    }

    /// - Throws: `OpenIDMetadataError`, `OutboundFailure`; the next call tries again.
    func loadMetadata() async throws -> OpenIDMetadata {
        if let metadata { return try await metadata.value }
        let task = Task { try await fetchMetadata() }
        metadata = task
        do {
            return try await task.value
        } catch {
            if metadata == task { metadata = nil }
            throw error
        }
    }

    /// - Parameter outdated: a token was signed by none of the keys that are kept.
    func loadKeys(outdated: Bool = false) async throws -> [JSONWebKey] {
        if let keys, !outdated || ContinuousClock.now - keys.fetched < Self.keyPause { return try await keys.task.value }
        let address = try await loadMetadata().keySetAddress
        let task = Task { try await fetchKeys(address) }
        keys = (task, .now)
        do {
            return try await task.value
        } catch {
            if keys?.task == task { keys = nil }
            throw error
        }
    }

    private func fetchMetadata() async throws -> OpenIDMetadata {
        guard configuration.discovers else { return try OpenIDMetadata(configuration, discovered: nil) }
        let address = OpenIDMetadata.withoutSlash(configuration.issuer) + "/.well-known/openid-configuration"
        return try OpenIDMetadata(configuration, discovered: try await fetch(address))
    }

    private func fetchKeys(_ address: String?) async throws -> [JSONWebKey] {
        guard let address else { throw OpenIDMetadataError("there is no jwks_uri") }
        return try await fetch(address)["keys"].map { $0.elements.compactMap { JSONWebKey($0) } } ?? []
    }

    private func fetch(_ address: String) async throws -> JSON {
        var request = OutboundHTTP.Request(address)
        request.headers = [("Accept", "application/json")]
        let answer = try await http.send(request)
        guard answer.status == 200, let json = answer.json, json.isObject else {
            throw OutboundFailure.failed("\(address) answers with status \(answer.status)")
        }
        return json
    }
}
