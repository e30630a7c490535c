// Finding a piece of a glob in a text, at a cost that no choice of pattern and text drives up.

/// What stands between two asterisks of a glob: characters, some of them "any one".
struct GlobPiece: Hashable, Sendable {
    /// Unicode scalars; ``anyScalar`` for a question mark.
    var scalars: [UInt32] = []

    /// `?`, outside of Unicode.
    static let anyScalar = UInt32.max

    var count: Int { scalars.count }

    /// Whether the piece stands in `text` at `place`.
    func stands(at place: Int, in text: [UInt32], upTo end: Int) -> Bool {
        guard place + count <= end else { return false }
        for offset in scalars.indices where scalars[offset] != Self.anyScalar && scalars[offset] != text[place + offset] {
            return false
        }
        return true
    }

    /// The first place from `start` on at which the piece stands in `text[..<end]` and that `isWanted`.
    ///
    /// Comparing at one place after the other is quick with what people write. If it turns out to be slow, because all places match
    /// nearly, the rest is searched in a way whose cost does not depend on what is compared.
    func firstPlace(in text: [UInt32], from start: Int, upTo end: Int, where isWanted: (Int) -> Bool = { _ in true }) -> Int? {
        guard start + count <= end else { return nil }
        var comparisons = 8 * (end - start) + 1024
        for place in start...(end - count) {
            var offset = 0
            while offset < count, scalars[offset] == Self.anyScalar || scalars[offset] == text[place + offset] { offset += 1 }
            if offset == count, isWanted(place) { return place }
            comparisons -= offset
            if comparisons < 0 {
                return BitParallelSearch(scalars).firstPlace(in: text, from: place + 1, upTo: end, where: isWanted)
            }
        }
        return nil
    }
}

/// The Shift-And search of Baeza-Yates and Gonnet: a set of bits, one for each character of the piece, says which prefixes of
/// the piece end at the present character. A character of the text moves the set by one and keeps the bits where the piece has
/// that character: 64 comparisons in one step.
private struct BitParallelSearch {
    private let count: Int
    /// How many machine words a set of bits takes.
    private let words: Int
    /// Where in `sets` the set of a character's positions begins.
    private var offsets: [UInt32: Int] = [:]
    /// The sets, one after the other; the first holds the positions of the question marks, which every other has too.
    private var sets: [UInt64]

    init(_ scalars: [UInt32]) {
        count = scalars.count
        words = (count + 63) / 64
        sets = [UInt64](repeating: 0, count: words)
        for (position, scalar) in scalars.enumerated() where scalar == GlobPiece.anyScalar {
            sets[position / 64] |= 1 << UInt64(position % 64)
        }
        let wildcards = sets
        for (position, scalar) in scalars.enumerated() where scalar != GlobPiece.anyScalar {
            let offset = offsets[scalar] ?? sets.count
            if offset == sets.count {
                offsets[scalar] = offset
                sets += wildcards
            }
            sets[offset + position / 64] |= 1 << UInt64(position % 64)
        }
    }

    func firstPlace(in text: [UInt32], from start: Int, upTo end: Int, where isWanted: (Int) -> Bool) -> Int? {
        var prefixes = [UInt64](repeating: 0, count: words)
        let last = UInt64(1) << UInt64((count - 1) % 64)
        for position in start..<max(start, end) {
            let offset = offsets[text[position]] ?? 0
            // At every character a new match may begin: the bit that comes in at the bottom.
            var carry: UInt64 = 1
            for word in 0..<words {
                let next = prefixes[word] >> 63
                prefixes[word] = (prefixes[word] << 1 | carry) & sets[offset + word]
                carry = next
            }
            if prefixes[words - 1] & last != 0, isWanted(position + 1 - count) { return position + 1 - count }
        }
        return nil
    }
}
