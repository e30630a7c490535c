// How mails leave: by SMTP, through the operator's mail server. RFC 5321.

import CShims
import Logging
import MatrixCore
import ServerConfiguration

/// Why a mail did not leave. It names no address.
package struct MailFailure: Error, Sendable, CustomStringConvertible {
    package let description: String

    package init(_ description: String) {
        self.description = description
    }
}

/// Hands mails to somebody who delivers them.
package protocol MailTransport: Sendable {
    /// - Throws: `MailFailure` unless the mail was taken.
    func send(_ message: MailMessage) async throws(MailFailure)
}

/// Gives mails to an SMTP server, by libcurl, on threads of its own.
package final class SMTPTransport: MailTransport {
    private let url: String
    /// Where to connect, where that is not what the server's certificate says.
    private let connectTo: String?
    private let credentials: (user: String, password: String)?
    private let sender: String
    private let security: martlet_mail_security
    private let verifiesCertificates: Bool
    private let threads = BlockingThreads(label: "martlet.mail", count: 2, limit: 64)

    /// - Parameters:
    ///   - serverName: how this server calls itself to the mail server.
    ///   - verifiesCertificates: false for tests only.
    package init(_ email: EmailConfiguration, serverName: ServerName, verifiesCertificates: Bool = true) {
        let scheme = email.security == .implicit ? "smtps" : "smtp"
        let name = email.tlsName ?? email.host
        url = "\(scheme)://\(Self.bracketed(name)):\(email.effectivePort)/\(serverName.unbracketedHost)"
        connectTo = email.tlsName.map { "\($0):\(email.effectivePort):\(Self.bracketed(email.host)):\(email.effectivePort)" }
        credentials = email.user.map { ($0, email.password ?? "") }
        sender = email.senderAddress ?? ""
        security =
            switch email.security {
            case .plain: MARTLET_MAIL_PLAIN
            case .opportunistic: MARTLET_MAIL_OPPORTUNISTIC
            case .startTLS, .implicit: MARTLET_MAIL_TLS
            }
        self.verifiesCertificates = verifiesCertificates
    }

    package func send(_ message: MailMessage) async throws(MailFailure) {
        let (bytes, recipient) = (message.bytes, message.to.text)
        let outcome = await threads.run { self.deliver(bytes, to: recipient) }
        guard let outcome else { throw MailFailure("too many mails are waiting") }
        if let outcome { throw MailFailure(outcome) }
    }

    /// - Returns: what went wrong; nil when the mail was taken.
    private func deliver(_ bytes: [UInt8], to recipient: String) -> String? {
        var reason = [CChar](repeating: 0, count: 256)
        let size = reason.count
        let isTaken = bytes.withUnsafeBufferPointer { bytes in
            withCStrings([url, connectTo, credentials?.user, credentials?.password, sender, recipient]) { texts in
                var mail = martlet_mail(
                    url: texts[0], connect_to: texts[1], user: texts[2], password: texts[3], from: texts[4], to: texts[5],
                    message: bytes.baseAddress, size: bytes.count, security: security, verifies: verifiesCertificates)
                return martlet_send_mail(&mail, &reason, size)
            }
        }
        guard !isTaken else { return nil }
        return String(decoding: reason.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    private static func bracketed(_ host: String) -> String { host.contains(":") && !host.hasPrefix("[") ? "[\(host)]" : host }
}

/// Gives C strings of texts, as long as `body` runs.
private func withCStrings<T>(_ texts: [String?], _ body: ([UnsafePointer<CChar>?]) -> T) -> T {
    func next(_ rest: ArraySlice<String?>, _ pointers: [UnsafePointer<CChar>?]) -> T {
        guard let first = rest.first else { return body(pointers) }
        guard let text = first else { return next(rest.dropFirst(), pointers + [nil]) }
        return text.withCString { next(rest.dropFirst(), pointers + [$0]) }
    }
    return next(texts[...], [])
}
