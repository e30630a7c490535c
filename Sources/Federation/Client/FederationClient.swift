// Requests to other servers. Server-Server API §Authentication, §API standards.

import Logging
import MatrixCore
import Persistence
import ServerConfiguration

/// Finds the server, signs the request, tries again where that may help, and remembers who does not answer.
package struct FederationClient: Sendable {
    package let serverName: ServerName
    private let signingKey: SigningKey
    let configuration: FederationConfiguration
    private let resolver: ServerResolver
    let connections: OutboundConnections
    private let destinations: Destinations
    private let logger: Logger

    /// How many targets of one server are tried for a request.
    private static let targetLimit = 5

    package init(
        serverName: ServerName, signingKey: SigningKey, configuration: FederationConfiguration, resolver: ServerResolver,
        connections: OutboundConnections, destinations: Destinations, logger: Logger
    ) {
        self.serverName = serverName
        self.signingKey = signingKey
        self.configuration = configuration
        self.resolver = resolver
        self.connections = connections
        self.destinations = destinations
        self.logger = logger
    }

    /// - Returns: an answer with a status of 2xx.
    package func send(_ request: FederationRequest) async throws(FederationFailure) -> FederationResponse {
        let server = request.destination
        guard server != serverName, configuration.allows(server) else { throw .notAllowed(server) }
        if !request.ignoresBackoff, let until = try await pausedUntil(server) { throw .paused(server, until: until) }
        var schedule = RetrySchedule(request.retries, configuration.retries)
        while true {
            let outcome = await attempt(request)
            let failure: FederationFailure
            switch outcome {
            case .success(let response) where (200..<(request.isStreamed ? 400 : 300)).contains(response.status):
                await note(.answers, of: server)
                return response
            case .success(let response):
                let error = Self.error(response)
                failure = .answered(error)
                if error.errcode == MatrixError.notYetUploaded.errcode {
                    await note(.answers, of: server)
                    throw failure
                }
                guard response.status >= 500 || response.status == 429 else {
                    await note(ServerHealth(status: response.status, isEndpointRequired: request.isEndpointRequired), of: server)
                    throw failure
                }
            case .failure(.refused(let why)):
                failure = .unreachable(server, why)
                schedule = RetrySchedule(.none, configuration.retries)
            case .failure(.tooLarge):
                // It does answer; asking again would bring the same.
                await note(.answers, of: server)
                throw .tooLarge
            case .failure(.failed(let why)):
                failure = .unreachable(server, why)
            }
            guard !Task.isCancelled, let pause = schedule.next() else {
                if !Task.isCancelled { await note(.fails, of: server) }
                throw failure
            }
            logger.debug("a request is tried again", metadata: ["server": "\(server)", "uri": "\(request.uri)", "error": "\(failure)"])
            do { try await Task.sleep(for: pause) } catch { throw failure }
        }
    }

    /// The same, with the body of the answer as JSON.
    package func json(_ request: FederationRequest) async throws(FederationFailure) -> JSON {
        let json = try await send(request).json()
        guard json.isObject else { throw .malformed("its answer is no object") }
        return json
    }

    // MARK: Steps

    private func attempt(_ request: FederationRequest) async -> Result<FederationResponse, OutboundFailure> {
        let route: ServerRoute
        do {
            route = try await resolver.route(to: request.destination)
        } catch {
            return .failure(.failed("it is not to be found"))
        }
        var message = OutboundMessage(
            method: request.method, target: request.uri,
            headers: [
                ("Host", route.hostHeader), ("User-Agent", "Martlet/\(Software.version)"),
                ("Accept", request.isStreamed ? "*/*" : "application/json"),
            ],
            body: request.content)
        if request.content != nil { message.headers.append(("Content-Type", "application/json")) }
        if request.isSigned {
            do {
                message.headers.append(("Authorization", try authorization(request)))
            } catch {
                return .failure(.refused("it cannot be signed: \(error)"))
            }
        }
        var failure = OutboundFailure.failed("it has no address")
        for endpoint in route.endpoints.prefix(Self.targetLimit) {
            do throws(OutboundFailure) {
                let answer = try await connections.exchange(
                    message, with: endpoint, timeout: request.timeout ?? configuration.retries.clientTimeout, bodyLimit: request.bodyLimit,
                    isStreamed: request.isStreamed)
                return .success(
                    FederationResponse(status: answer.status, body: answer.body, headers: answer.headers, stream: answer.stream))
            } catch {
                failure = error
                if case .tooLarge = error { break }
            }
        }
        return .failure(failure)
    }

    private func authorization(_ request: FederationRequest) throws(SigningKey.Error) -> String {
        let signature = try signingKey.sign(
            XMatrix.signedBytes(
                method: request.method, uri: request.uri, origin: serverName, destination: request.destination, content: request.content))
        return XMatrix(origin: serverName, destination: request.destination, keyID: signingKey.keyID, signature: signature).header
    }

    private func pausedUntil(_ server: ServerName) async throws(FederationFailure) -> Timestamp? {
        do {
            return try await destinations.pausedUntil(server)
        } catch {
            throw .unreachable(server, "the database does not answer")
        }
    }

    private func note(_ health: ServerHealth, of server: ServerName) async {
        do {
            try await destinations.note(health, of: server)
        } catch {
            logger.warning("cannot store whether a server answers", metadata: ["server": "\(server)", "error": "\(error)"])
        }
    }

    /// The error that a server answered with, or the best that its status says.
    private static func error(_ response: FederationResponse) -> MatrixError {
        // What is longer says nothing that could be told on.
        let json = response.body.count <= 64 * 1024 ? try? JSONDocument(parsing: response.body, limits: .request).root : nil
        let members = (json.map { JSONObject($0) } ?? [:]).filter { $0.key != "errcode" && $0.key != "error" }
        return MatrixError(
            status: response.status, errcode: json?["errcode"]?.string ?? "M_UNKNOWN",
            message: json?["error"]?.string ?? "status \(response.status)", extra: JSONObject(members.map { ($0.key, $0.value) }))
    }
}
