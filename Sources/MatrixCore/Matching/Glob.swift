// Glob-style matching without regard to case, as push rules use it. Appendices §Glob-style matching.

/// A pattern in which `*` stands for any characters and `?` for exactly one, in two readings: of a whole value, and of the
/// part of a text between word boundaries.
///
/// Text is compared by Unicode scalars in lower case. The pieces between the asterisks are searched one after the other and
/// each at its leftmost place, which is always right because an asterisk takes whatever lies between: the cost is bounded by
/// the product of the two lengths, whatever the pattern.
package struct Glob: Sendable, Hashable {
    /// The pattern in pieces between its asterisks; one piece where there is no asterisk.
    private let pieces: [[UInt32]]
    /// `?`, outside of Unicode.
    private static let anyScalar = UInt32.max

    package init(_ pattern: String) {
        var pieces: [[UInt32]] = [[]]
        for scalar in pattern.lowercased().unicodeScalars {
            switch scalar {
            case "*": pieces.append([])
            case "?": pieces[pieces.count - 1].append(Self.anyScalar)
            default: pieces[pieces.count - 1].append(scalar.value)
            }
        }
        self.pieces = pieces
    }

    /// A pattern that means `text` itself, asterisks and question marks included.
    package init(literal text: String) {
        pieces = [LowercasedText(text).scalars]
    }

    /// Whether the whole of `text` matches.
    package func matches(_ text: LowercasedText) -> Bool {
        let text = text.scalars[...]
        guard pieces.count > 1, let first = pieces.first, let last = pieces.last else {
            return pieces[0].count == text.count && Self.piece(pieces[0], standsAt: 0, in: text)
        }
        guard first.count + last.count <= text.count,
            Self.piece(first, standsAt: 0, in: text),
            Self.piece(last, standsAt: text.count - last.count, in: text)
        else { return false }
        return Self.end(of: pieces.dropFirst().dropLast(), in: text[first.count..<(text.count - last.count)]) != nil
    }

    /// Whether a part of `text` matches that starts and ends at a word boundary. Client-Server API §Push Rules, `event_match`.
    ///
    /// Word boundaries are the ends of the text and all places but those between two of `[A-Za-z0-9_]`.
    package func matchesWords(of text: LowercasedText) -> Bool {
        let text = text.scalars[...]
        guard pieces.count > 1, let first = pieces.first, let last = pieces.last else {
            return Self.places(of: pieces[0], in: text, from: 0).contains { start in
                Self.isBoundary(start, in: text) && Self.isBoundary(start + pieces[0].count, in: text)
            }
        }
        let start = Self.places(of: first, in: text, from: 0).first { Self.isBoundary($0, in: text) }
        guard let start, let middleEnd = Self.end(of: pieces.dropFirst().dropLast(), in: text[(start + first.count)...]) else {
            return false
        }
        return Self.places(of: last, in: text, from: middleEnd).contains { Self.isBoundary($0 + last.count, in: text) }
    }

    /// Where the last of `pieces` ends when they are found in this order in `text`.
    private static func end(of pieces: ArraySlice<[UInt32]>, in text: ArraySlice<UInt32>) -> Int? {
        var position = text.startIndex
        for piece in pieces {
            let places = position..<max(position, text.endIndex - piece.count + 1)
            guard let place = places.first(where: { Self.piece(piece, standsAt: $0, in: text) }) else { return nil }
            position = place + piece.count
        }
        return position
    }

    /// The indices from `position` on at which `piece` stands.
    private static func places(
        of piece: [UInt32], in text: ArraySlice<UInt32>, from position: Int
    ) -> LazyFilterSequence<Range<Int>> {
        (position..<max(position, text.count - piece.count + 1)).lazy.filter { Self.piece(piece, standsAt: $0, in: text) }
    }

    private static func piece(_ piece: [UInt32], standsAt position: Int, in text: ArraySlice<UInt32>) -> Bool {
        guard position + piece.count <= text.endIndex else { return false }
        for offset in piece.indices where piece[offset] != anyScalar && piece[offset] != text[position + offset] {
            return false
        }
        return true
    }

    private static func isBoundary(_ position: Int, in text: ArraySlice<UInt32>) -> Bool {
        guard position > 0, position < text.count else { return true }
        return !isWordCharacter(text[position - 1]) || !isWordCharacter(text[position])
    }

    /// Upper case does not occur: both sides are in lower case.
    private static func isWordCharacter(_ scalar: UInt32) -> Bool {
        switch scalar {
        case 0x61...0x7A, 0x30...0x39, 0x5F: true
        default: false
        }
    }
}

/// A text ready to be matched by many globs.
package struct LowercasedText: Sendable {
    let scalars: [UInt32]

    package init(_ text: String) {
        scalars = text.lowercased().unicodeScalars.map(\.value)
    }
}
