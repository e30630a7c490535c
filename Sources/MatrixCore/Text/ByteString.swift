// Text that compares as bytes. Appendices §Identifier Grammar: identifiers are case-sensitive, opaque strings.

/// UTF-8 text that compares, orders and hashes as its bytes.
///
/// `String` takes canonically equivalent texts for equal ("é" composed and decomposed), Matrix does not: two user IDs that
/// differ in bytes are two people. So no `String` is ever a key for what came from the network; a `ByteString` is.
package struct ByteString: Sendable {
    package let string: String

    @inlinable
    package init(_ string: String) {
        self.string = string
    }

    /// The text of these bytes; `nil` when they are not UTF-8.
    package init?(utf8 bytes: some Collection<UInt8>) {
        guard let string = String(validating: bytes, as: UTF8.self) else { return nil }
        self.string = string
    }

    /// The length in bytes.
    @inlinable
    package var count: Int { string.utf8.count }

    @inlinable
    package var isEmpty: Bool { string.isEmpty }

    package var bytes: [UInt8] { Array(string.utf8) }

    @inlinable
    package func withBytes<R>(_ body: (UnsafeBufferPointer<UInt8>) throws -> R) rethrows -> R {
        try string.withUTF8Bytes(body)
    }

    package func hasPrefix(_ prefix: ByteString) -> Bool {
        string.utf8.starts(with: prefix.string.utf8)
    }
}

extension ByteString: Hashable {
    package static func == (a: ByteString, b: ByteString) -> Bool {
        guard a.string.utf8.count == b.string.utf8.count else { return false }
        return a.withBytes { left in b.withBytes { right in bytesEqual(left, right) } }
    }

    package func hash(into hasher: inout Hasher) {
        withBytes { hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
        // A byte that is in no UTF-8 text ends it, so that ("ab", "c") and ("a", "bc") hash differently.
        hasher.combine(0xFF as UInt8)
    }
}

extension ByteString: Comparable {
    package static func < (a: ByteString, b: ByteString) -> Bool {
        a.withBytes { left in b.withBytes { right in compareBytes(left, right) < 0 } }
    }
}

extension ByteString: ExpressibleByStringLiteral, CustomStringConvertible {
    // Disfavoured, so that `ByteString.init` names the initializer that takes a `String`.
    @_disfavoredOverload
    @inlinable
    package init(stringLiteral string: String) {
        self.init(string)
    }

    @inlinable
    package var description: String { string }
}
