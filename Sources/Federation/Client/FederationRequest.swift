// What is asked of another server, and what comes of it.

import MatrixCore

package struct FederationRequest: Sendable {
    package var destination: ServerName
    package var method: String
    /// Path and query, percent-encoded.
    package var uri: String
    /// Canonical JSON; nil where there is none.
    package var content: [UInt8]?
    package var retries = RetrySchedule.Kind.short
    /// For each try; nil: the configuration's `client_timeout`.
    package var timeout: Duration?
    /// Bytes of the answer.
    package var bodyLimit = FederationRequest.usualBodyLimit
    /// Also where the server has not answered lately.
    package var ignoresBackoff = false
    /// Requests for keys are not signed: who asks does not matter.
    package var isSigned = true
    /// Every homeserver has the endpoint: a 404 means that there is none.
    package var isEndpointRequired = false
    /// The body of a good answer is handed on as it comes. What leads elsewhere is an answer too.
    package var isStreamed = false

    package static let usualBodyLimit = 10 * 1024 * 1024

    package init(_ method: String, to destination: ServerName, path: [String], query: [(String, String)] = [], content: [UInt8]? = nil) {
        self.destination = destination
        self.method = method
        self.content = content
        let encoded = path.map { "/" + PercentEncoding.encode($0) }.joined()
        let pairs = query.map { "\(PercentEncoding.encode($0.0))=\(PercentEncoding.encode($0.1))" }.joined(separator: "&")
        uri = pairs.isEmpty ? encoded : "\(encoded)?\(pairs)"
    }

    /// An endpoint below `/_matrix/federation`: `.get("v1", ["query", "profile"], …)`.
    package static func federation(
        _ method: String, to destination: ServerName, version: String = "v1", path: [String], query: [(String, String)] = [],
        content: [UInt8]? = nil
    ) -> FederationRequest {
        FederationRequest(method, to: destination, path: ["_matrix", "federation", version] + path, query: query, content: content)
    }
}

package struct FederationResponse: Sendable {
    package let status: Int
    package let body: [UInt8]
    package var headers: [(name: String, value: String)] = []
    package var stream: ByteQueue?

    /// The first value of a field.
    package func header(_ name: String) -> String? { headers.first { $0.name.lowercased() == name }?.value }

    /// - Throws: `FederationFailure.malformed`.
    package func json() throws(FederationFailure) -> JSON {
        do {
            return try JSONDocument(parsing: body, limits: JSONLimits(numbers: .event)).root
        } catch {
            throw .malformed("its answer is no JSON: \(error)")
        }
    }
}

/// Why another server did not do what it was asked.
package enum FederationFailure: Error, Sendable, Hashable, CustomStringConvertible {
    /// The operator does not let us speak with it, or it is this server.
    case notAllowed(ServerName)
    /// It did not answer lately and is left alone until then.
    case paused(ServerName, until: Timestamp)
    /// No answer came.
    case unreachable(ServerName, String)
    /// It refused.
    case answered(MatrixError)
    case malformed(String)
    /// What it sends is larger than what is taken.
    case tooLarge

    package var description: String {
        switch self {
        case .notAllowed(let server): "\(server) is not spoken with"
        case .paused(let server, let until): "\(server) did not answer lately; it is asked again at \(until)"
        case .unreachable(let server, let why): "\(server) does not answer: \(why)"
        case .answered(let error): "it answers \(error)"
        case .malformed(let why): why
        case .tooLarge: "its answer is too large"
        }
    }

    /// The server does not answer now; later it may.
    package var isPassing: Bool {
        switch self {
        case .paused, .unreachable: true
        case .answered(let error): error.status >= 500 || error.status == 429
        case .notAllowed, .malformed, .tooLarge: false
        }
    }

    /// What our own client is told.
    package var asMatrixError: MatrixError {
        switch self {
        case .notAllowed(let server): .forbidden("Federation denied with \(server).")
        case .paused, .unreachable: .unknown("Failed to reach the other server", status: 502)
        case .malformed: .unknown("The other server's answer makes no sense", status: 502)
        case .tooLarge: MatrixError(status: 502, errcode: "M_TOO_LARGE", message: "The other server's answer is too large")
        // The other server's word, but not its 401: that is about servers, and clients would log out.
        case .answered(let error):
            (400..<500).contains(error.status) && error.status != 401 ? error : .unknown("The other server failed", status: 502)
        }
    }
}
