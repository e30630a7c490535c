// Who asks: the signatures of requests from other servers. Server-Server API §Request Authentication.

import Logging
import MatrixCore
import Persistence
import ServerConfiguration

/// A request that a server has signed.
package struct SignedRequest: Sendable {
    package let method: String
    /// Path and query as they were sent.
    package let uri: String
    /// Every `Authorization` header.
    package let authorization: [String]
    package let body: [UInt8]

    package init(method: String, uri: String, authorization: [String], body: [UInt8]) {
        self.method = method
        self.uri = uri
        self.authorization = authorization
        self.body = body
    }
}

/// Who has signed a request, and what it holds.
package struct FederationOrigin: Sendable {
    package let server: ServerName
    /// The body; nil where there is none. Numbers with a fraction keep their form, as events of old rooms have such.
    package let content: JSON?

    package init(server: ServerName, content: JSON?) {
        self.server = server
        self.content = content
    }
}

/// Checks the signatures of requests.
package struct FederationAuthenticator: Sendable {
    private let serverName: ServerName
    private let configuration: FederationConfiguration
    private let keyRing: KeyRing
    private let destinations: Destinations
    private let logger: Logger

    /// Servers sign with one key, or two while they change it.
    private static let headerLimit = 4

    package init(
        serverName: ServerName, configuration: FederationConfiguration, keyRing: KeyRing, destinations: Destinations, logger: Logger
    ) {
        self.serverName = serverName
        self.configuration = configuration
        self.keyRing = keyRing
        self.destinations = destinations
        self.logger = logger
    }

    /// - Throws: `M_UNAUTHORIZED`; `M_FORBIDDEN` for servers that the operator does not speak with; `M_NOT_JSON`.
    package func authenticate(_ request: SignedRequest) async throws(MatrixError) -> FederationOrigin {
        let claims = try claims(of: request)
        guard let server = claims.first?.origin else { throw Self.missing }
        let content = try content(of: request)
        let signed = XMatrix.signedBytes(
            method: request.method, uri: request.uri, origin: server, destination: serverName, content: content?.canonicalBytes)
        let now = Timestamp.now
        let keys = await keyRing.keys(
            for: claims.map { ServerKeyRequirement(server: server, keyID: $0.keyID, minimumValidUntil: now) }, .alive)
        var isKnown = false
        for claim in claims {
            guard let key = keys[server, claim.keyID], key.isValid(at: now) else { continue }
            isKnown = true
            guard key.key.verify(claim.signature, of: signed) else {
                throw .unauthorized("Invalid signature for server \(server) with key \(claim.keyID)")
            }
        }
        guard isKnown else { throw .unauthorized("No key of \(server) is known with which the request is signed") }
        await noteReturn(of: server)
        return FederationOrigin(server: server, content: content)
    }

    // MARK: Steps

    /// What the headers say. All must be of one server.
    private func claims(of request: SignedRequest) throws(MatrixError) -> [XMatrix] {
        let headers = request.authorization.filter { XMatrix.isScheme(of: $0) }
        guard !headers.isEmpty, headers.count <= Self.headerLimit else { throw Self.missing }
        var claims: [XMatrix] = []
        for header in headers {
            guard let claim = XMatrix(header) else { throw Self.malformed }
            claims.append(claim)
        }
        guard let origin = claims.first?.origin, claims.allSatisfy({ $0.origin == origin }) else { throw Self.malformed }
        if let other = claims.compactMap(\.destination).first(where: { $0 != serverName.text }) {
            throw .unauthorized("Destination mismatch in auth header, received: '\(other)'")
        }
        guard configuration.allows(origin) else { throw .forbidden("Federation denied with \(origin).") }
        return claims
    }

    private func content(of request: SignedRequest) throws(MatrixError) -> JSON? {
        guard !request.body.isEmpty, request.method != "GET" else { return nil }
        do {
            return try JSONDocument(parsing: request.body, limits: JSONLimits(numbers: .event)).root
        } catch {
            throw MatrixError(error)
        }
    }

    /// Whoever asks is there.
    private func noteReturn(of server: ServerName) async {
        do {
            try await destinations.note(.answers, of: server)
        } catch {
            logger.warning("cannot store that a server is back", metadata: ["server": "\(server)", "error": "\(error)"])
        }
    }

    private static let missing = MatrixError.unauthorized("Missing Authorization headers")
    private static let malformed = MatrixError(status: 400, errcode: "M_UNAUTHORIZED", message: "Malformed Authorization header")
}
