// The names of keys. Appendices §Signing Details; Client-Server API §Key algorithms.

/// `algorithm:identifier`: a server's signing key (`ed25519:a_AbCd`), a device's key (`curve25519:JLAFKJWSCS`) or a one-time key.
package struct KeyID: MatrixIdentifier {
    /// Our own limit: the specification sets none, and keys are stored by their name.
    package static let byteLimit = 255

    package let text: ByteString

    package init(parsing string: String) throws(IdentifierError) {
        func error(_ reason: IdentifierError.Reason) -> IdentifierError { IdentifierError(subject: "key ID", reason: reason) }
        guard !string.isEmpty else { throw error(.empty) }
        guard string.utf8.count <= Self.byteLimit else { throw error(.tooLong) }
        guard !string.utf8.contains(0) else { throw error(.invalidCharacter) }
        let parts = string.utf8.split(separator: CommonIdentifier.colon, maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2, !parts[0].isEmpty else { throw error(.missingAlgorithm) }
        guard !parts[1].isEmpty else { throw error(.empty) }
        text = ByteString(string)
    }

    package init(trusted string: String) {
        text = ByteString(string)
    }

    package init(algorithm: String, name: String) {
        text = ByteString("\(algorithm):\(name)")
    }

    /// What is before the first colon: `ed25519`.
    package var algorithm: ByteString {
        ByteString(String(string[..<colon]))
    }

    /// What is behind the first colon: the version of a server's key, the device of a device's key.
    package var name: ByteString {
        let rest = string[colon...]
        return ByteString(String(rest.dropFirst()))
    }

    /// Whether a server's signing key may have this name: the version is of `a-z A-Z 0-9 _`. Server-Server API §Publishing Keys.
    package var isServerKey: Bool {
        algorithm == "ed25519" && name.string.utf8.allSatisfy { $0.isASCIIDigit || $0.isASCIILetter || $0 == UInt8(ascii: "_") }
    }

    private var colon: String.Index { string.utf8.firstIndex(of: CommonIdentifier.colon) ?? string.utf8.endIndex }
}
