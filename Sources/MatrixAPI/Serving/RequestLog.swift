// One line per request. Nothing is computed for it where the logger's level is above info.

import Logging
import MatrixCore
import Persistence

/// Writes the access log of one listener.
package struct RequestLog: Sendable {
    let logger: Logger

    package init(logger: Logger) { self.logger = logger }

    /// Whether lines are written at all: asked before a request is timed.
    var isEnabled: Bool { logger.logLevel <= .info }

    /// `GET-123 10.0.0.7 {@alice:example.com} GET /_matrix/…?since=s1 200 12.3 ms (database 1.1 ms) 512 bytes`.
    func write(_ request: APIRequest, _ answer: Answer, took: Duration, database: Duration, bytes: Int) {
        logger.info(
            """
            \(request.method.name)-\(request.id) \(request.remoteAddress) {\(answer.user?.string ?? "-")} \
            \(request.method.name) \(RequestRedaction.target(request.target)) \(answer.response.status) \
            \(milliseconds(took)) ms (database \(milliseconds(database)) ms) \(bytes) bytes
            """)
    }

    /// A failure inside the server, at its own level so that it is seen where requests are not.
    func writeFailure(_ request: APIRequest, _ failure: String) {
        logger.error(
            "\(request.method.name)-\(request.id) \(request.method.name) \(RequestRedaction.target(request.target)) failed: \(failure)")
    }

    private func milliseconds(_ duration: Duration) -> String {
        let (seconds, attoseconds) = duration.components
        let tenths = seconds * 10_000 + attoseconds / 100_000_000_000_000
        return "\(tenths / 10).\(tenths % 10)"
    }
}

/// Takes what would let a reader of the log act as somebody else out of a request target.
package enum RequestRedaction {
    /// Query parameters that are secrets, or that stand for them.
    private static let secrets: Set<String> = [
        "access_token", "token", "loginToken", "login_token", "client_secret", "password", "mac", "nonce", "sid", "session", "sso_session",
        "refresh_token", "signature", "secret", "user_token", "code", "state", "ticket", "logout_token", "hs_token", "as_token", "h",
        "email", "address",
    ]
    /// Paths below which the next segment is a secret, lets who knows it do something, or is somebody's address.
    private static let secretPaths = [
        "/_synapse/admin/v1/registration_tokens/", "/_synapse/admin/v1/threepid/email/users/", "/_synapse/client/rendezvous/",
        "/_matrix/client/unstable/io.element.msc4388/rendezvous/", "/_matrix/client/unstable/org.matrix.msc4140/delayed_events/",
    ]

    /// How much of a target is logged.
    private static let lengthLimit = 2000

    package static func target(_ target: String) -> String {
        let cut = target.utf8.firstIndex(of: UInt8(ascii: "?"))
        guard let cut else { return path(target[...]) }
        let pairs = QueryString(target[target.index(after: cut)...]).pairs.map { key, value in
            if value.isEmpty { return printable(key) }
            let name = PercentDecoding.decode(key.utf8, plusIsSpace: true) ?? ""
            return printable(key) + "=" + (secrets.contains(name) ? "<redacted>" : printable(value))
        }
        return path(target[..<cut]) + "?" + pairs.joined(separator: "&")
    }

    private static func path(_ path: Substring) -> String {
        for prefix in secretPaths where path.hasPrefix(prefix) {
            return prefix + "<redacted>" + printable(path.dropFirst(prefix.count).drop { $0 != "/" })
        }
        return printable(path)
    }

    /// A line of the log stays one line, whatever was sent.
    private static func printable(_ text: Substring) -> String {
        let text = text.utf8.count > lengthLimit ? text.prefix(lengthLimit) + "…" : text
        guard text.unicodeScalars.contains(where: { $0.value < 0x20 || $0.value == 0x7F }) else { return String(text) }
        return String(String.UnicodeScalarView(text.unicodeScalars.map { $0.value < 0x20 || $0.value == 0x7F ? "?" : $0 }))
    }
}
