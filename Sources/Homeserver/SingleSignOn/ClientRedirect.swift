// Where a client wants its user's browser back. Client-Server API §SSO client login/authentication, §Security considerations.

import Federation
import MatrixCore

/// An address that a client has given as `redirectUrl`. It gets the login token: only an address that can be shown to the user and opened
/// as a link is one, and none that would run as a script here.
package struct ClientRedirect: Sendable, Hashable {
    /// Bytes: it travels in a cookie.
    private static let byteLimit = 2048
    /// Addresses that are not opened but run or shown as this server's own.
    private static let refusedSchemes: Set<String> = [
        "javascript", "data", "vbscript", "blob", "file", "about", "filesystem", "view-source",
    ]

    /// Percent-encoded where it has to be.
    package let address: String
    private let scheme: String

    package init?(_ text: String) {
        guard text.utf8.count <= Self.byteLimit, let colon = text.firstIndex(of: ":") else { return nil }
        let scheme = text[..<colon]
        guard let first = scheme.utf8.first, Self.isLetter(first), scheme.utf8.allSatisfy(Self.belongsToScheme) else { return nil }
        self.scheme = scheme.lowercased()
        guard !Self.refusedSchemes.contains(self.scheme), text.utf8.allSatisfy({ $0 > 0x20 && $0 != 0x7F && $0 != UInt8(ascii: "\\") })
        else { return nil }
        let isWeb = self.scheme == "http" || self.scheme == "https"
        let rest = text[text.index(after: colon)...]
        // `https:evil.example` and `https:///evil.example` are something else to a browser than to us.
        guard !isWeb || (rest.hasPrefix("//") && !rest.hasPrefix("///") && rest.utf8.count > 2) else { return nil }
        address = Self.encoded(text)
    }

    /// The address with a login token.
    package func with(loginToken token: String) -> String {
        let fragment = address.firstIndex(of: "#") ?? address.endIndex
        let separator = address[..<fragment].contains("?") ? "&" : "?"
        return "\(address[..<fragment])\(separator)loginToken=\(PercentEncoding.encode(token))\(address[fragment...])"
    }

    /// What the user is shown: of a web client the host, of others the address without its parameters.
    package var display: String {
        let whole = address.prefix { $0 != "?" && $0 != "#" }
        guard scheme == "https" else { return String(whole) }
        return String(whole.dropFirst("https://".count).prefix { $0 != "/" })
    }

    /// Whether the address begins with one of these. Where that is only a host, another host that begins alike is not meant.
    package func isTrusted(by prefixes: [String]) -> Bool {
        prefixes.contains { prefix in
            guard !prefix.isEmpty, address.utf8.starts(with: prefix.utf8) else { return false }
            let isHostOnly = prefix.firstRange(of: "://").map { !prefix[$0.upperBound...].contains("/") } ?? false
            guard isHostOnly, let next = address.utf8.dropFirst(prefix.utf8.count).first else { return true }
            return next == UInt8(ascii: "/") || next == UInt8(ascii: "?") || next == UInt8(ascii: "#")
        }
    }

    private static func isLetter(_ byte: UInt8) -> Bool { (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20) }

    private static func belongsToScheme(_ byte: UInt8) -> Bool {
        isLetter(byte) || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) || byte == UInt8(ascii: "+") || byte == UInt8(ascii: "-")
            || byte == UInt8(ascii: ".")
    }

    /// What is beyond ASCII cannot stand in a header.
    private static func encoded(_ text: String) -> String {
        let digits = Array("0123456789ABCDEF".utf8)
        return String(
            decoding: text.utf8.flatMap { byte in
                byte < 0x80 ? [byte] : [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            }, as: UTF8.self)
    }
}
