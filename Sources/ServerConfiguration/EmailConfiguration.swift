// `email`: the server through which mail is sent, and what the mails say.

package struct EmailConfiguration: Sendable, Equatable {
    /// How the connection to the mail server is kept from others.
    package enum Security: Sendable, Equatable {
        /// `enable_tls: false`.
        case plain
        /// TLS where the server offers it.
        case opportunistic
        /// `require_transport_security`: TLS by STARTTLS, or no mail.
        case startTLS
        /// `force_tls`: TLS from the first byte.
        case implicit
    }

    package var host = "localhost"
    /// nil: 465 for TLS from the first byte, else 25.
    package var port: Int?
    package var user: String?
    package var password: String?
    package var security: Security = .opportunistic
    /// `tlsname`: the name in the server's certificate, where it is not the host's.
    package var tlsName: String?
    /// `notif_from`, e.g. `Our %(app)s server <noreply@example.com>`.
    package var sender = ""
    /// `app_name`: what `%(app)s` stands for.
    package var appName = "Matrix"
    /// `template_dir`.
    package var templateDirectory: String?
    /// `validation_token_lifetime`.
    package var tokenLifetime: Duration = .seconds(3600)
    package var subjects = Subjects()
    /// Names of template files that are not the usual ones, by option, e.g. `registration_template_html`.
    package var templateNames: [String: String] = [:]

    /// `subjects`, as far as mails about accounts go.
    package struct Subjects: Sendable, Equatable {
        package var passwordReset = "[%(server_name)s] Password reset"
        package var emailValidation = "[%(server_name)s] Validate your email"
        package var emailAlreadyInUse = "[%(server_name)s] Email already in use"

        package init() {}
    }

    package init() {}

    package var effectivePort: Int { port ?? (security == .implicit ? 465 : 25) }

    /// The address within `notif_from`; nil where there is none.
    package var senderAddress: String? { Self.address(in: sender) }

    /// `NAME <ADDRESS>`, or the address alone.
    static func address(in text: String) -> String? {
        var address = Substring(text)
        if let open = text.lastIndex(of: "<"), let close = text.lastIndex(of: ">"), open < close {
            address = text[text.index(after: open)..<close]
        }
        let parts = address.split(separator: "@", omittingEmptySubsequences: false)
        let isClean = address.utf8.allSatisfy { $0 > 0x20 && $0 != 0x7F && $0 != UInt8(ascii: "<") && $0 != UInt8(ascii: ">") }
        guard isClean, parts.count == 2, !parts[0].isEmpty, !parts[1].isEmpty else { return nil }
        return String(address)
    }
}
