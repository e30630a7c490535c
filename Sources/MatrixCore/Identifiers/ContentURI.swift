// The addresses of media. Client-Server API §Matrix Content (`mxc://`) URIs, §Security considerations of the content repository.

/// `mxc://server-name/media-id`.
///
/// Only what follows the grammar is one: a media ID of letters, digits, `_` and `-` cannot lead out of a directory.
package struct ContentURI: MatrixIdentifier {
    /// The longest media ID. Our own limit: the specification sets none, and it becomes the name of a file.
    package static let mediaIDByteLimit = 255

    package let text: ByteString

    private static let scheme = "mxc://"

    package init(parsing string: String) throws(IdentifierError) {
        func error(_ reason: IdentifierError.Reason) -> IdentifierError { IdentifierError(subject: "content URI", reason: reason) }
        guard !string.isEmpty else { throw error(.empty) }
        guard string.utf8.starts(with: Self.scheme.utf8) else { throw error(.wrongScheme) }
        let parts = string.utf8.dropFirst(Self.scheme.utf8.count).split(
            separator: UInt8(ascii: "/"), maxSplits: 1, omittingEmptySubsequences: false)
        guard let server = parts.first, !server.isEmpty else { throw error(.missingServerName) }
        guard ServerName(valid: String(server) ?? "") != nil else { throw error(.invalidServerName) }
        guard parts.count == 2, !parts[1].isEmpty else { throw error(.missingMediaID) }
        guard parts[1].count <= Self.mediaIDByteLimit else { throw error(.tooLong) }
        guard Self.isMediaID(parts[1]) else { throw error(.invalidCharacter) }
        text = ByteString(string)
    }

    package init(trusted string: String) {
        text = ByteString(string)
    }

    /// Joins parts that are already checked.
    package init(server: ServerName, mediaID: String) {
        text = ByteString("\(Self.scheme)\(server.string)/\(mediaID)")
    }

    package var server: ServerName { ServerName(trusted: String(parts.first ?? "")) }

    package var mediaID: String { String(parts.last ?? "") }

    /// Whether this may be a media ID.
    package static func isValid(mediaID: String) -> Bool {
        !mediaID.isEmpty && mediaID.utf8.count <= mediaIDByteLimit && isMediaID(mediaID.utf8)
    }

    private static func isMediaID(_ text: some Sequence<UInt8>) -> Bool {
        text.allSatisfy { $0.isASCIIDigit || $0.isASCIILetter || $0 == UInt8(ascii: "_") || $0 == UInt8(ascii: "-") }
    }

    private var parts: [Substring] { string.dropFirst(Self.scheme.count).split(separator: "/", maxSplits: 1) }
}
