// Text that compares as bytes. Appendices §Identifier Grammar: identifiers are case-sensitive, opaque strings.

/// UTF-8 text that compares, orders and hashes as its bytes.
///
/// `String` takes canonically equivalent texts for equal ("é" composed and decomposed), Matrix does not: two user IDs that
/// differ in bytes are two people. So no `String` is ever a key for what came from the network; a `ByteString` is.
public struct ByteString: Sendable {
    /// The text, to be shown or passed on; not to be compared.
    public let string: String

    /// The same text, compared as bytes.
    @inlinable
    public init(_ string: String) {
        self.string = string
    }

    /// The text of these bytes; `nil` when they are not UTF-8.
    public init?(utf8 bytes: some Collection<UInt8>) {
        guard let string = String(validating: bytes, as: UTF8.self) else { return nil }
        self.string = string
    }

    /// The length in bytes.
    @inlinable
    public var count: Int { string.utf8.count }

    /// Whether it has no bytes.
    @inlinable
    public var isEmpty: Bool { string.isEmpty }

    /// Its UTF-8.
    public var bytes: [UInt8] { Array(string.utf8) }

    /// Calls `body` with its UTF-8, without a copy where that can be.
    @inlinable
    public func withBytes<R>(_ body: (UnsafeBufferPointer<UInt8>) throws -> R) rethrows -> R {
        try string.withUTF8Bytes(body)
    }

    /// Whether it begins with these bytes.
    public func hasPrefix(_ prefix: ByteString) -> Bool {
        string.utf8.starts(with: prefix.string.utf8)
    }
}

extension ByteString: Hashable {
    /// Whether the bytes are the same.
    public static func == (a: ByteString, b: ByteString) -> Bool {
        guard a.string.utf8.count == b.string.utf8.count else { return false }
        return a.withBytes { left in b.withBytes { right in bytesEqual(left, right) } }
    }

    /// By its bytes.
    public func hash(into hasher: inout Hasher) {
        withBytes { hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
        // A byte that is in no UTF-8 text ends it, so that ("ab", "c") and ("a", "bc") hash differently.
        hasher.combine(0xFF as UInt8)
    }
}

extension ByteString: Comparable {
    /// By its bytes, which for UTF-8 is the order of code points.
    public static func < (a: ByteString, b: ByteString) -> Bool {
        a.withBytes { left in b.withBytes { right in compareBytes(left, right) < 0 } }
    }
}

extension ByteString: ExpressibleByStringLiteral, CustomStringConvertible {
    // Disfavoured, so that `ByteString.init` names the initializer that takes a `String`.
    /// The same text, compared as bytes.
    @_disfavoredOverload
    @inlinable
    public init(stringLiteral string: String) {
        self.init(string)
    }

    /// The text.
    @inlinable
    public var description: String { string }
}
