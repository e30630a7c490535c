// The form in which texts are indexed and searched, so that what looks alike is alike whatever the database makes of it.

import MatrixCore

enum SearchText {
    /// In lower case and form KC.
    static func normalized(_ text: String) -> String {
        PasswordNormalization.nfkc(text.lowercased()).lowercased()
    }

    /// The text of which the words are indexed: normalized, with a space for what is no part of a word and beyond ASCII (the database takes
    /// it for a letter where its locale is C) and for control characters, and with each character by itself where a script has no
    /// spaces: there a word is found as a phrase.
    static func folded(_ text: String) -> String {
        var result = String.UnicodeScalarView()
        var isAfterSpace = true, isAfterUnspaced = false
        for scalar in normalized(text).unicodeScalars {
            switch kind(of: scalar) {
            case .other:
                result.append(" ")
                (isAfterSpace, isAfterUnspaced) = (true, false)
            case .mark:
                // It belongs to the character before it.
                result.append(scalar)
                isAfterSpace = false
            case .plain:
                let isUnspaced = scalar.isOfUnspacedScript
                if !isAfterSpace, isUnspaced || isAfterUnspaced { result.append(" ") }
                result.append(scalar)
                (isAfterSpace, isAfterUnspaced) = (scalar == " ", isUnspaced)
            }
        }
        return String(result)
    }

    /// The runs of a folded text that stand between U+0001 and U+0002, without the spaces that folding put in.
    static func marked(in text: String) -> Set<ByteString> {
        var found: Set<ByteString> = []
        var run: [Unicode.Scalar] = []
        var isInside = false
        /// What stands between two runs, as long as it is one space at most.
        var gap: [Unicode.Scalar]? = nil
        func end() {
            if !run.isEmpty { found.insert(ByteString(joined(run))) }
            run = []
        }
        for scalar in text.unicodeScalars {
            switch scalar.value {
            case 1:
                isInside = true
                // Characters of an unspaced script that follow each other are one word.
                if let between = gap, between == [" "], run.last?.isOfUnspacedScript == true { run += between } else { end() }
            case 2:
                isInside = false
                gap = []
            default:
                if isInside { run.append(scalar) } else { gap?.append(scalar) }
                if let between = gap, between.count > 1 { gap = nil }
            }
        }
        end()
        return found
    }

    /// Takes out the spaces beside characters of unspaced scripts.
    private static func joined(_ scalars: [Unicode.Scalar]) -> String {
        var result = String.UnicodeScalarView()
        for (index, scalar) in scalars.enumerated() {
            let isBesideUnspaced =
                index > 0 && scalars[index - 1].isOfUnspacedScript || index + 1 < scalars.count && scalars[index + 1].isOfUnspacedScript
            if scalar != " " || !isBesideUnspaced { result.append(scalar) }
        }
        return String(result)
    }

    /// Whether a full-text index sees a word in it.
    static func hasWord(_ text: some StringProtocol) -> Bool {
        text.unicodeScalars.contains { scalar in
            switch scalar.value {
            case ..<0x80: scalar.properties.isAlphabetic || scalar.properties.numericType != nil
            default: kind(of: scalar) == .plain
            }
        }
    }

    private enum Kind {
        /// ASCII, letters and numbers.
        case plain
        case mark
        case other
    }

    private static func kind(of scalar: Unicode.Scalar) -> Kind {
        if scalar.value < 0x80 { return scalar.value < 0x20 || scalar.value == 0x7F ? .other : .plain }
        return switch scalar.properties.generalCategory {
        case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter, .decimalNumber, .letterNumber,
            .otherNumber:
            .plain
        case .nonspacingMark, .spacingMark, .enclosingMark: .mark
        default: .other
        }
    }
}
