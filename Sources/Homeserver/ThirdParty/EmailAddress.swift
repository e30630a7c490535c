// The parts of a proof that an address is somebody's, each checked where it comes in. Identity Service API §Email associations.

import MatrixCore

/// An e-mail address in the form in which it is stored and compared. Appendices §E-mail.
package struct EmailAddress: Sendable, Hashable {
    package static let medium = "email"

    package let text: String

    /// Characters.
    private static let limit = 500

    /// - Throws: `M_INVALID_PARAM`.
    package init(_ raw: String) throws(MatrixError) {
        var trimmed = Substring(raw)
        while trimmed.first?.isWhitespace == true { trimmed = trimmed.dropFirst() }
        while trimmed.last?.isWhitespace == true { trimmed = trimmed.dropLast() }
        let parts = trimmed.split(separator: "@", omittingEmptySubsequences: false)
        // Nothing that would end a line of a mail's head, or stand around an address there.
        let isClean = trimmed.unicodeScalars.allSatisfy { scalar in
            scalar.value > 0x20 && scalar.value != 0x7F && !scalar.properties.isWhitespace
                && !"<>,;:\"()[]\\".unicodeScalars.contains(scalar)
        }
        guard isClean, parts.count == 2, !parts[0].isEmpty, !parts[1].isEmpty, trimmed.unicodeScalars.count <= Self.limit else {
            throw .invalidParam("Unable to parse email address")
        }
        text = trimmed.lowercased()
    }

    package var bytes: ByteString { ByteString(text) }
}

/// What a client has made up to tell its attempts from those of others.
package struct ClientSecret: Sendable {
    package let text: String

    /// - Throws: `M_INVALID_PARAM`.
    package init(_ text: String) throws(MatrixError) {
        let isAllowed = text.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
                UInt8(ascii: "."), UInt8(ascii: "="), UInt8(ascii: "_"), UInt8(ascii: "-"):
                true
            default: false
            }
        }
        guard isAllowed, (1...255).contains(text.utf8.count) else { throw .invalidParam("Invalid client_secret parameter") }
        self.text = text
    }

    /// Under what it is stored.
    package var hash: [UInt8] { SHA256Hash.hash(Array(text.utf8)) }
}

/// Where somebody is led who has opened the link of a mail.
package struct NextLink: Sendable, Equatable {
    package let url: String

    /// Bytes.
    private static let limit = 2048

    /// - Parameter hosts: `next_link_domain_whitelist`; nil: any.
    /// - Throws: `M_INVALID_PARAM`.
    package init(_ url: String, allowedHosts hosts: [String]?) throws(MatrixError) {
        guard let host = Self.host(of: url), hosts?.contains(host) ?? true, url.utf8.count <= Self.limit else {
            throw .invalidParam("'next_link' domain not included in whitelist, or not http(s)")
        }
        self.url = url
    }

    /// The link with the session's id, by which the client knows what was shown.
    package func naming(session: String) -> String { url + (url.contains("?") ? "&" : "?") + "sid=\(session)" }

    /// The host of an http or https address, in lower case; nil for anything else, and for what browsers and we might read differently.
    private static func host(of url: String) -> String? {
        guard url.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "\\") }) else { return nil }
        let lowercased = url.prefix(8).lowercased()
        let start = lowercased.hasPrefix("https://") ? 8 : lowercased.hasPrefix("http://") ? 7 : nil
        guard let start else { return nil }
        let authority = url.dropFirst(start).prefix { $0 != "/" && $0 != "?" && $0 != "#" }
        guard !authority.isEmpty, !authority.contains("@") else { return nil }
        if authority.hasPrefix("[") { return authority.firstIndex(of: "]").map { authority[...$0].lowercased() } }
        return authority.prefix { $0 != ":" }.lowercased()
    }
}
