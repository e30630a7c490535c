// Event types with wildcards. Client-Server API §Filtering: "A `*` can be used as a wildcard to match any sequence of characters".

/// A list of event types, in which `*` stands for any characters.
package struct TypePatterns: Sendable, Hashable {
    /// The types spelt out.
    package private(set) var types: Set<ByteString> = []
    /// The patterns, in pieces between their asterisks.
    private var patterns: [[[UInt8]]] = []
    /// Whether one of the patterns is `*`.
    package private(set) var matchesEverything = false

    package init() {}

    package init(_ list: [String]) {
        for text in list {
            guard text.utf8.contains(UInt8(ascii: "*")) else {
                types.insert(ByteString(text))
                continue
            }
            let pieces = text.utf8.split(separator: UInt8(ascii: "*"), omittingEmptySubsequences: false).map { Array($0) }
            if pieces.allSatisfy(\.isEmpty) { matchesEverything = true }
            patterns.append(pieces)
        }
    }

    package var isEmpty: Bool { types.isEmpty && patterns.isEmpty }

    /// Whether the list has no wildcards, so that a database can look for ``types`` by itself.
    package var isExact: Bool { patterns.isEmpty }

    package func matches(_ type: ByteString) -> Bool {
        if matchesEverything || (!types.isEmpty && types.contains(type)) { return true }
        if patterns.isEmpty { return false }
        return type.withBytes { bytes in
            patterns.contains { Self.pattern($0, matches: bytes) }
        }
    }

    /// Looks for the pieces one after the other, each at its leftmost place: an asterisk takes whatever lies between.
    private static func pattern(_ pieces: [[UInt8]], matches type: UnsafeBufferPointer<UInt8>) -> Bool {
        guard let first = pieces.first, let last = pieces.last, first.count + last.count <= type.count,
            type.starts(with: first), type.suffix(last.count).elementsEqual(last)
        else { return false }
        var rest = type[first.count..<(type.count - last.count)]
        for piece in pieces.dropFirst().dropLast() {
            while rest.count >= piece.count, !rest.starts(with: piece) { rest = rest.dropFirst() }
            guard rest.count >= piece.count else { return false }
            rest = rest.dropFirst(piece.count)
        }
        return true
    }
}
