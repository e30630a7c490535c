// Requests to addresses that a user or another server has chosen.

import MatrixCore
import ServerConfiguration

/// Why no answer came.
package enum OutboundFailure: Error, Sendable, Equatable {
    /// Not an address that is asked, by its form or by the operator's rules.
    case refused(String)
    /// The other side does not answer as it should.
    case failed(String)
    case tooLarge
}

/// A client that trusts nobody: it looks the host up itself, connects to the very address that passed the operator's rules, follows no
/// redirect, and reads and waits within limits.
package struct OutboundHTTP: Sendable {
    package struct Request: Sendable {
        package var method = "GET"
        package var url: String
        package var headers: [(name: String, value: String)] = []
        package var body: [UInt8]?

        package init(_ url: String) {
            self.url = url
        }
    }

    package struct Response: Sendable {
        package let status: Int
        package let headers: [(name: String, value: String)]
        package let body: [UInt8]

        /// The body as JSON; nil where it is none.
        package var json: JSON? { try? JSONDocument(parsing: body, limits: .request).root }

        /// The first value of a field.
        package func header(_ name: String) -> String? {
            headers.first { $0.name.lowercased() == name }?.value
        }
    }

    private let connections: OutboundConnections
    private let timeout: Duration
    private let bodyLimit: Int

    /// - Parameters:
    ///   - timeout: seconds, for the whole of a request.
    ///   - bodyLimit: bytes of an answer.
    package init(_ policy: OutboundConfiguration, timeout: Int64 = 15, bodyLimit: Int = 256 * 1024) {
        self.init(OutboundConnections(policy: policy, tls: OutboundTLS(policy)), timeout: .seconds(timeout), bodyLimit: bodyLimit)
    }

    package init(_ connections: OutboundConnections, timeout: Duration, bodyLimit: Int) {
        self.connections = connections
        self.timeout = timeout
        self.bodyLimit = bodyLimit
    }

    /// - Throws: `OutboundFailure`.
    package func send(_ request: Request) async throws(OutboundFailure) -> Response {
        guard let url = OutboundURL(request.url) else { throw .refused("the address is none that is asked") }
        var message = OutboundMessage(
            method: request.method, target: url.target, headers: [("Host", url.server.string)] + request.headers, body: request.body)
        if !request.headers.contains(where: { $0.name.lowercased() == "user-agent" }) {
            message.headers.append(("User-Agent", "Martlet/\(Software.version)"))
        }
        let answer = try await connections.exchange(message, with: url.endpoint, timeout: timeout, bodyLimit: bodyLimit)
        return Response(status: answer.status, headers: answer.headers, body: answer.body)
    }
}

/// An address that begins with `http://` or `https://`, in its parts.
package struct OutboundURL: Sendable {
    package let isSecure: Bool
    /// Host and perhaps port, as they are written.
    package let server: ServerName
    /// Path and query.
    package let target: String

    package init?(_ url: String) {
        let lowercased = url.prefix(8).lowercased()
        isSecure = lowercased.hasPrefix("https://")
        guard isSecure || lowercased.hasPrefix("http://") else { return nil }
        let rest = url.dropFirst(isSecure ? 8 : 7).prefix { $0 != "#" }
        let authority = rest.prefix { $0 != "/" && $0 != "?" }
        // A user name before the host, or anything else that is no server's name, is refused.
        guard let server = ServerName(valid: String(authority)), (server.port.map { (1...65535).contains($0) } ?? true) else { return nil }
        self.server = server
        let path = rest.dropFirst(authority.count)
        target = path.first == "/" ? String(path) : "/" + path
    }

    package var endpoint: OutboundEndpoint {
        let host = server.unbracketedHost
        return OutboundEndpoint(host: host, port: server.port ?? (isSecure ? 443 : 80), tlsName: isSecure ? host : nil)
    }
}

extension ServerName {
    /// The host, an IPv6 literal without its brackets.
    package var unbracketedHost: String {
        let host = host
        return host.hasPrefix("[") ? String(host.dropFirst().dropLast()) : host
    }
}
