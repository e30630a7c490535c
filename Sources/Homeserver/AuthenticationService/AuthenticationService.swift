// A service of its own that keeps accounts' passwords and sessions: Matrix Authentication Service, by Synapse's option
// `matrix_authentication_service`. Client-Server API §OAuth 2.0 API.

import Federation
import Logging
import MatrixCore
import Persistence
import ServerConfiguration

/// Asks the service, and knows who it is when it asks.
package final class AuthenticationService: Sendable, TokenAuthority {
    /// How long the answer to a valid token is relied on, in milliseconds, as in Synapse. A device that is logged out is gone at once.
    package static let reliance: Int64 = 120_000

    private let configuration: AuthenticationServiceConfiguration
    private let serverName: ServerName
    private let http: OutboundHTTP
    private let logger: Logger
    private let metadata: MetadataCache
    private let questions = TokenQuestions()

    package init(
        _ configuration: AuthenticationServiceConfiguration, serverName: ServerName, http: OutboundHTTP, logger: Logger
    ) {
        self.configuration = configuration
        self.serverName = serverName
        self.http = http
        self.logger = logger
        metadata = MetadataCache("\(configuration.endpoint)/.well-known/openid-configuration", http: http)
    }

    /// Whether a request comes from the service.
    package func isService(token: String) -> Bool { SecretComparison.isEqual(token, configuration.secret) }

    // MARK: Tokens

    package func grant(of token: String) async throws -> TokenIntrospection.Grant {
        let introspection = try await questions.answer(TokenHash(token)) { try await self.introspect(token) }
        return try introspection.grant(on: serverName, at: .now)
    }

    private func introspect(_ token: String) async throws -> TokenIntrospection {
        var request = OutboundHTTP.Request("\(configuration.endpoint)/oauth2/introspect")
        request.method = "POST"
        request.headers = [
            ("Content-Type", "application/x-www-form-urlencoded"), ("Accept", "application/json"),
            ("Authorization", "Bearer \(configuration.secret)"),
            // The device of an older session comes as a member of its own then.
            ("X-MAS-Supports-Device-Id", "1"),
        ]
        request.body = Array(FormEncoding.encode([("token", token), ("token_type_hint", "access_token")]).utf8)
        let reason: String
        do throws(OutboundFailure) {
            let answer = try await http.send(request)
            if answer.status == 200, let introspection = answer.json.flatMap({ TokenIntrospection($0) }) { return introspection }
            reason = "status \(answer.status), or an answer that is none"
        } catch {
            reason = "\(error)"
        }
        logger.error("the authentication service does not tell whose a token is", metadata: ["error": "\(reason)"])
        throw MatrixError.unknown("Unable to introspect the access token", status: 503)
    }

    // MARK: Metadata

    /// What clients need to find the service's endpoints: a JSON object. RFC 8414.
    ///
    /// - Throws: `M_UNKNOWN` with status 503 where the service does not answer.
    package func authorizationMetadata() async throws -> JSON {
        do {
            return try await metadata.current()
        } catch {
            logger.error("the authentication service does not tell of itself", metadata: ["error": "\(error)"])
            throw MatrixError.unknown("The authentication service is not available", status: 503)
        }
    }

    /// Where users look after their accounts.
    package func accountManagementURL() async throws -> String {
        guard let url = try await authorizationMetadata()["account_management_uri"]?.string else {
            throw MatrixError.unknown("The authentication service is not available", status: 503)
        }
        return url
    }

    /// Where a user lets their keys be replaced. Client-Server API §Account management URL parameters.
    package func crossSigningResetURL() async throws -> String {
        FormEncoding.append([("action", "org.matrix.cross_signing_reset")], to: try await accountManagementURL())
    }

    /// What a client gets that would replace keys which are there. It looks like user-interactive authentication, which cannot be here.
    /// Client-Server API §OAuth authentication.
    package func crossSigningChallenge() async throws -> InteractiveAuthRequired {
        let url = try await crossSigningResetURL()
        // The second is the name of before there was one in the specification (MSC4312).
        let stages = ["m.oauth", "org.matrix.cross_signing_reset"]
        var writer = JSONWriter()
        writer.object { body in
            body.member("session", "dummy")
            body.member("flows", array: { flows in for stage in stages { flows.object { $0.member("stages", [stage]) } } })
            body.member(
                "params", object: { params in for stage in stages { params.member(stage, object: { $0.member("url", url) }) } })
            body.member(
                "msg",
                "To reset your end-to-end encryption cross-signing identity, you first need to approve it at \(url) and then try again.")
        }
        return InteractiveAuthRequired(body: writer.bytes, session: "dummy")
    }
}

/// One question for all who come with the same token at once; and for a while, none for one that has just been found to be good for nothing.
private actor TokenQuestions {
    /// How many tokens of no use are remembered.
    private static let capacity = 4096

    private var pending: [TokenHash: Task<TokenIntrospection, any Error>] = [:]
    private var refused = RecentCache<TokenHash, (TokenIntrospection, until: Timestamp)>(capacity: capacity)

    func answer(
        _ token: TokenHash, _ ask: @escaping @Sendable () async throws -> TokenIntrospection
    ) async throws -> TokenIntrospection {
        if let (answer, until) = refused.value(for: token), until > .now { return answer }
        if let task = pending[token] { return try await task.value }
        let task = Task { try await ask() }
        pending[token] = task
        defer { pending[token] = nil }
        let answer = try await task.value
        if !answer.isActive {
            refused.insert((answer, Timestamp.now.advanced(byMilliseconds: AuthenticationService.reliance)), for: token)
        }
        return answer
    }
}

/// The service's metadata, asked for now and then.
private actor MetadataCache {
    /// How long it is kept; after that it serves as long as the service does not answer.
    private static let lifetime: Duration = .seconds(600)

    private let address: String
    private let http: OutboundHTTP
    private var stored: (json: JSON, fetched: ContinuousClock.Instant)?
    private var pending: Task<JSON, any Error>?

    init(_ address: String, http: OutboundHTTP) {
        self.address = address
        self.http = http
    }

    func current() async throws -> JSON {
        if let stored, ContinuousClock.now - stored.fetched < Self.lifetime { return stored.json }
        let task = pending ?? Task { try await fetch() }
        pending = task
        defer { if pending == task { pending = nil } }
        do {
            let json = try await task.value
            stored = (json, .now)
            return json
        } catch {
            guard let stored else { throw error }
            return stored.json
        }
    }

    private func fetch() async throws -> JSON {
        let answer = try await http.send(OutboundHTTP.Request(address))
        guard answer.status == 200, let json = answer.json, json["issuer"]?.string != nil, json["account_management_uri"]?.string != nil
        else {
            throw OutboundFailure.failed("\(address) answers with status \(answer.status), or without issuer or account_management_uri")
        }
        return json
    }
}
