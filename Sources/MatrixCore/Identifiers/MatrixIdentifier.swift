// What all identifiers share. Appendices §Identifier Grammar.

/// An identifier of the protocol: text with a grammar, compared byte by byte.
///
/// Each is as big as a `String`: parts such as the server are cut out when asked for.
public protocol MatrixIdentifier: Hashable, Comparable, Sendable, CustomStringConvertible {
    /// The whole identifier.
    var text: ByteString { get }

    /// Reads an identifier that came from outside, by the grammar servers must accept.
    init(parsing string: String) throws(IdentifierError)

    /// An identifier that was checked before it was stored, from our own database.
    init(trusted string: String)
}

extension MatrixIdentifier {
    /// The text, to be shown or passed on; not to be compared.
    @inlinable
    public var string: String { text.string }

    /// The text.
    @inlinable
    public var description: String { text.string }

    /// The order of the bytes.
    public static func < (a: Self, b: Self) -> Bool { a.text < b.text }
}

/// An identifier that stands in a key of an event for which a length limit holds. Client-Server API §Size limits.
package protocol EventFieldIdentifier: MatrixIdentifier {
    /// - Parameter unit: what the limit of 255 counts; the grammar counts bytes.
    init(parsing string: String, lengthIn unit: LengthUnit) throws(IdentifierError)
}

extension EventFieldIdentifier {
    package init(parsing string: String) throws(IdentifierError) {
        try self.init(parsing: string, lengthIn: .bytes)
    }
}

/// What a length limit counts.
package enum LengthUnit: Sendable {
    /// Bytes of UTF-8, as the specification says.
    case bytes
    /// What events of room versions before 11 are held to when they are read (``RoomVersion/measuresFieldsInBytes``).
    case codePoints

    func length(of text: String) -> Int {
        switch self {
        case .bytes: text.utf8.count
        case .codePoints: text.unicodeScalars.count
        }
    }
}

/// Why a text is no identifier.
public struct IdentifierError: Error, Sendable, Hashable, CustomStringConvertible {
    /// What the text should have been: "user ID".
    public let subject: String
    /// What is wrong with it.
    public let reason: Reason

    /// What can be wrong with an identifier.
    public enum Reason: String, Sendable {
        case empty = "it is empty"
        case wrongSigil = "it begins with the wrong character"
        case tooLong = "it is too long"
        case missingServerName = "it has no server name"
        case invalidServerName = "its server name is not valid"
        case invalidCharacter = "it holds a character that is not allowed"
        case wrongScheme = "it does not begin with mxc://"
        case missingMediaID = "it has no media ID"
        case missingAlgorithm = "it names no algorithm"
    }

    /// Of what, and why.
    public init(subject: String, reason: Reason) {
        self.subject = subject
        self.reason = reason
    }

    /// A sentence without its end.
    public var description: String { "not a valid \(subject): \(reason.rawValue)" }
}

/// The shape `&localpart:domain` which user IDs, room IDs and aliases have in common. Appendices §Common Identifier Format.
enum CommonIdentifier {
    /// The longest user ID, room ID, alias or event ID, in bytes with its sigil. Appendices §Common Identifier Format.
    static let byteLimit = 255

    static func isTooLong(_ string: String, _ unit: LengthUnit) -> Bool {
        // There are never more code points than bytes, so few texts are counted.
        string.utf8.count > byteLimit && unit.length(of: string) > byteLimit
    }

    static let colon = UInt8(ascii: ":")

    /// Checks sigil and length; returns where the domain begins, or `nil` when there is none.
    static func check(
        _ string: String, sigil: UInt8, subject: String, lengthIn unit: LengthUnit = .bytes
    ) throws(IdentifierError) -> Int? {
        enum Finding { case bad(IdentifierError.Reason), domain(at: Int), none }
        let finding: Finding = string.withUTF8Bytes { bytes in
            guard let first = bytes.first else { return .bad(.empty) }
            guard first == sigil else { return .bad(.wrongSigil) }
            guard !isTooLong(string, unit) else { return .bad(.tooLong) }
            guard !bytes.contains(0) else { return .bad(.invalidCharacter) }
            guard let colon = bytes.firstIndex(of: colon) else { return .none }
            guard ServerName.isValid(UnsafeBufferPointer(rebasing: bytes[(colon + 1)...])) else { return .bad(.invalidServerName) }
            return .domain(at: colon + 1)
        }
        switch finding {
        case .bad(let reason): throw IdentifierError(subject: subject, reason: reason)
        case .domain(let offset): return offset
        case .none: return nil
        }
    }

    /// Eighteen letters: some 102 bits.
    static func randomLocalpart() -> ByteString {
        let letters = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz".utf8)
        return ByteString(String(decoding: (0..<18).map { _ in letters[Int.random(in: letters.indices)] }, as: UTF8.self))
    }

    /// The text between sigil and domain; all of it where there is no domain.
    static func localpart(of text: ByteString) -> ByteString {
        let utf8 = text.string.utf8
        return ByteString(String(text.string[utf8.index(after: utf8.startIndex)..<(utf8.firstIndex(of: colon) ?? utf8.endIndex)]))
    }

    static func domain(of text: ByteString) -> ServerName? {
        let utf8 = text.string.utf8
        guard let index = utf8.firstIndex(of: colon) else { return nil }
        return ServerName(trusted: String(text.string[utf8.index(after: index)...]))
    }

    /// Whether the domain of `text` is `server`, without cutting it out.
    static func domain(of text: ByteString, is server: ServerName) -> Bool {
        text.withBytes { bytes in
            guard let index = bytes.firstIndex(of: colon) else { return false }
            return server.text.withBytes { bytesEqual(UnsafeBufferPointer(rebasing: bytes[(index + 1)...]), $0) }
        }
    }
}
