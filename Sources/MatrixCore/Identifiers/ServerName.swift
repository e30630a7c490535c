// The name of a homeserver. Appendices §Server Name.

/// `hostname [":" port]`, where the host is a DNS name, an IPv4 literal or an IPv6 literal in brackets. Case matters.
package struct ServerName: MatrixIdentifier {
    package let text: ByteString

    package init(parsing string: String) throws(IdentifierError) {
        guard !string.isEmpty else { throw IdentifierError(subject: "server name", reason: .empty) }
        guard string.utf8.count <= CommonIdentifier.byteLimit else { throw IdentifierError(subject: "server name", reason: .tooLong) }
        guard string.withUTF8Bytes(Self.isValid) else { throw IdentifierError(subject: "server name", reason: .invalidServerName) }
        text = ByteString(string)
    }

    package init(trusted string: String) {
        text = ByteString(string)
    }

    /// The host, an IPv6 literal with its brackets.
    package var host: String {
        guard let colon = portSeparator else { return string }
        return String(string[..<colon])
    }

    /// The explicit port, if one is written.
    package var port: Int? {
        guard let colon = portSeparator else { return nil }
        return Int(string[string.utf8.index(after: colon)...])
    }

    /// Whether the host is an address, which is then connected to as it stands (Server-Server API §Resolving server names).
    package var isLiteralAddress: Bool {
        let host = host
        return host.hasPrefix("[") || host.withUTF8Bytes { Self.looksLikeIPv4($0[...]) }
    }

    private var portSeparator: String.Index? {
        let utf8 = string.utf8
        guard let colon = utf8.lastIndex(of: CommonIdentifier.colon) else { return nil }
        // The colons inside an IPv6 literal separate no port.
        if utf8.first == UInt8(ascii: "["), let bracket = utf8.lastIndex(of: UInt8(ascii: "]")), bracket > colon { return nil }
        return colon
    }
}

extension ServerName {
    /// Whether these bytes follow the grammar of a server name.
    static func isValid(_ bytes: UnsafeBufferPointer<UInt8>) -> Bool {
        guard let first = bytes.first else { return false }
        var hostEnd = bytes.endIndex
        if first == UInt8(ascii: "[") {
            guard let bracket = bytes.firstIndex(of: UInt8(ascii: "]")) else { return false }
            guard IPv6Literal.isValid(bytes[1..<bracket]) else { return false }
            hostEnd = bracket + 1
        } else {
            hostEnd = bytes.firstIndex(of: CommonIdentifier.colon) ?? bytes.endIndex
            guard isHostname(bytes[..<hostEnd]) else { return false }
        }
        return hostEnd == bytes.endIndex || isPort(bytes[hostEnd...])
    }

    private static func isHostname(_ host: Slice<UnsafeBufferPointer<UInt8>>) -> Bool {
        guard (1...255).contains(host.count) else { return false }
        guard host.allSatisfy({ $0.isASCIIDigit || $0.isASCIILetter || $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: ".") }) else {
            return false
        }
        // What has the form of four numbers is an address, and then each is at most 255.
        return !looksLikeIPv4(host) || IPv4Literal.isValid(host)
    }

    private static func looksLikeIPv4(_ host: Slice<UnsafeBufferPointer<UInt8>>) -> Bool {
        let labels = host.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        return labels.count == 4 && labels.allSatisfy { !$0.isEmpty && $0.allSatisfy(\.isASCIIDigit) }
    }

    /// `":" 1*5DIGIT`
    private static func isPort(_ bytes: Slice<UnsafeBufferPointer<UInt8>>) -> Bool {
        guard bytes.first == CommonIdentifier.colon else { return false }
        let digits = bytes.dropFirst()
        return (1...5).contains(digits.count) && digits.allSatisfy(\.isASCIIDigit)
    }
}

enum IPv4Literal {
    static func isValid(_ bytes: Slice<UnsafeBufferPointer<UInt8>>) -> Bool {
        let labels = bytes.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        return labels.count == 4
            && labels.allSatisfy { label in
                (1...3).contains(label.count) && label.allSatisfy(\.isASCIIDigit)
                    && label.reduce(0, { $0 * 10 + Int($1 - UInt8(ascii: "0")) }) <= 255
            }
    }
}

/// The text forms of RFC 3513, section 2.2: eight groups, one `::` for a run of zeros, the last two groups perhaps as IPv4.
enum IPv6Literal {
    static func isValid(_ bytes: Slice<UnsafeBufferPointer<UInt8>>) -> Bool {
        guard (2...45).contains(bytes.count) else { return false }
        var rest = bytes
        var groups = 0
        var compressed = false
        if rest.starts(with: "::".utf8) {
            compressed = true
            rest = rest.dropFirst(2)
        }
        while !rest.isEmpty {
            if rest.contains(UInt8(ascii: ".")), !rest.contains(CommonIdentifier.colon) {
                guard IPv4Literal.isValid(rest) else { return false }
                groups += 2
                rest = rest.dropFirst(rest.count)
                break
            }
            let group = rest.prefix { $0 != CommonIdentifier.colon }
            guard (1...4).contains(group.count), group.allSatisfy(\.isASCIIHexDigit) else { return false }
            groups += 1
            rest = rest[group.endIndex...]
            guard !rest.isEmpty else { break }
            if rest.starts(with: "::".utf8) {
                guard !compressed else { return false }
                compressed = true
                rest = rest.dropFirst(2)
            } else {
                rest = rest.dropFirst()
                guard !rest.isEmpty else { return false }
            }
        }
        return compressed ? groups <= 7 : groups == 8
    }
}

extension UInt8 {
    package var isASCIIDigit: Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(self) }
    package var isASCIILetter: Bool { (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(self | 0x20) }
    var isASCIIHexDigit: Bool { isASCIIDigit || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains(self | 0x20) }
}
