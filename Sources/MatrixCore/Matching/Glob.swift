// Glob-style matching without regard to case, as push rules use it. Appendices §Glob-style matching.

/// A pattern in which `*` stands for any characters and `?` for exactly one, in two readings: of a whole value, and of the
/// part of a text between word boundaries.
///
/// Text is compared by Unicode scalars in lower case. The pieces between the asterisks are searched one after the other and
/// each at its leftmost place, which is always right because an asterisk takes whatever lies between: nothing is tried twice.
package struct Glob: Sendable, Hashable {
    /// The pattern in pieces between its asterisks; one piece where there is no asterisk.
    private let pieces: [GlobPiece]

    package init(_ pattern: String) {
        var pieces = [GlobPiece()]
        for scalar in pattern.lowercased().unicodeScalars {
            switch scalar {
            case "*":
                // Several asterisks in a row mean one.
                if pieces.count == 1 || pieces[pieces.count - 1].count > 0 { pieces.append(GlobPiece()) }
            case "?": pieces[pieces.count - 1].scalars.append(GlobPiece.anyScalar)
            default: pieces[pieces.count - 1].scalars.append(scalar.value)
            }
        }
        self.pieces = pieces
    }

    /// A pattern that means `text` itself, asterisks and question marks included.
    package init(literal text: String) {
        pieces = [GlobPiece(scalars: LowercasedText(text).scalars)]
    }

    /// Whether the whole of `text` matches.
    package func matches(_ text: LowercasedText) -> Bool {
        let text = text.scalars
        guard pieces.count > 1, let first = pieces.first, let last = pieces.last else {
            return pieces[0].count == text.count && pieces[0].stands(at: 0, in: text, upTo: text.count)
        }
        let end = text.count - last.count
        guard first.count <= end, first.stands(at: 0, in: text, upTo: end), last.stands(at: end, in: text, upTo: text.count) else {
            return false
        }
        return Self.end(of: pieces.dropFirst().dropLast(), in: text, from: first.count, upTo: end) != nil
    }

    /// Whether a part of `text` matches that starts and ends at a word boundary. Client-Server API §Push Rules, `event_match`.
    ///
    /// Word boundaries are the ends of the text and all places but those between two of `[A-Za-z0-9_]`.
    package func matchesWords(of text: LowercasedText) -> Bool {
        let text = text.scalars
        guard pieces.count > 1, let first = pieces.first, let last = pieces.last else {
            return pieces[0].firstPlace(in: text, from: 0, upTo: text.count) { place in
                Self.isBoundary(place, in: text) && Self.isBoundary(place + pieces[0].count, in: text)
            } != nil
        }
        guard let start = first.firstPlace(in: text, from: 0, upTo: text.count, where: { Self.isBoundary($0, in: text) }),
            let end = Self.end(of: pieces.dropFirst().dropLast(), in: text, from: start + first.count, upTo: text.count)
        else { return false }
        return last.firstPlace(in: text, from: end, upTo: text.count) { Self.isBoundary($0 + last.count, in: text) } != nil
    }

    /// Where the last of `pieces` ends when they are found in this order in `text[start..<end]`.
    private static func end(of pieces: ArraySlice<GlobPiece>, in text: [UInt32], from start: Int, upTo end: Int) -> Int? {
        var position = start
        for piece in pieces {
            guard let place = piece.firstPlace(in: text, from: position, upTo: end) else { return nil }
            position = place + piece.count
        }
        return position
    }

    private static func isBoundary(_ position: Int, in text: [UInt32]) -> Bool {
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
