// What people type to find what was said. Client-Server API §Server Side Search, `search_term`.

import MatrixCore
import Persistence

extension SearchExpression {
    private static let byteLimit = 1024
    private static let phraseLimit = 64

    /// Words that must all be there, phrases in quotes, `-` before what must not be there, `or` between alternatives.
    ///
    /// - Throws: `M_INVALID_PARAM` for more than is sensibly typed.
    package init(searchTerm text: String) throws(MatrixError) {
        guard text.utf8.count <= Self.byteLimit else { throw .invalidParam("search_term is too long") }
        var alternatives = [Alternative()]
        var count = 0
        for token in Self.tokens(of: text) {
            switch token {
            case .or:
                if !alternatives[alternatives.count - 1].wanted.isEmpty { alternatives.append(Alternative()) }
            case .phrase(let raw, let isUnwanted):
                guard let phrase = Self.phrase(raw) else { continue }
                count += 1
                if isUnwanted {
                    alternatives[alternatives.count - 1].unwanted.append(phrase)
                } else {
                    alternatives[alternatives.count - 1].wanted.append(phrase)
                }
            }
        }
        guard count <= Self.phraseLimit else { throw .invalidParam("search_term has too many words") }
        self.init(alternatives)
    }

    private enum Token {
        case or
        case phrase(String, isUnwanted: Bool)
    }

    private static func tokens(of text: String) -> [Token] {
        var tokens: [Token] = []
        // Every second part stands between quotes; a last one that is not closed goes to the end.
        let parts = text.unicodeScalars.split(omittingEmptySubsequences: false) { quotes.contains($0) }
        for (index, part) in parts.enumerated() {
            if index % 2 == 1 {
                tokens.append(.phrase(String(part), isUnwanted: parts[index - 1].last == "-"))
                continue
            }
            for word in part.split(whereSeparator: { $0.properties.isWhitespace }) {
                if String(word).lowercased() == "or" {
                    tokens.append(.or)
                } else if word.first == "-" {
                    tokens.append(.phrase(String(word.dropFirst()), isUnwanted: true))
                } else {
                    tokens.append(.phrase(String(word), isUnwanted: false))
                }
            }
        }
        return tokens
    }

    /// Straight ones, and those that keyboards of telephones put in their place.
    private static let quotes: Set<Unicode.Scalar> = ["\"", "\u{201C}", "\u{201D}", "\u{201E}"]

    /// The words of a phrase with one space between them; nil where there is none.
    private static func phrase(_ raw: String) -> String? {
        let words = SearchText.folded(raw).split(whereSeparator: \.isWhitespace).filter { SearchText.hasWord($0) }
        return words.isEmpty ? nil : words.joined(separator: " ")
    }
}
