// What a full-text search looks for, and how each database is asked for it.

import MatrixCore

/// Words and phrases with "and", "or" and "not" between them.
package struct SearchExpression: Sendable, Equatable {
    /// Everything of `wanted` and nothing of `unwanted`. A phrase is one word, or several with a space between.
    package struct Alternative: Sendable, Equatable {
        package var wanted: [String]
        package var unwanted: [String]

        package init(wanted: [String] = [], unwanted: [String] = []) {
            self.wanted = wanted
            self.unwanted = unwanted
        }
    }

    /// A text is found by any of them. Each wants something.
    package let alternatives: [Alternative]

    /// Alternatives that want nothing are left out: they would find nearly everything.
    package init(_ alternatives: [Alternative]) {
        self.alternatives = alternatives.filter { !$0.wanted.isEmpty }
    }

    /// Finds nothing.
    package var isEmpty: Bool { alternatives.isEmpty }
}

// Every phrase is quoted, and no phrase holds a quote: nothing of it is taken for an operator.
extension SearchExpression {
    /// For PostgreSQL's `websearch_to_tsquery`.
    var webSearch: String {
        alternatives.map { alternative in
            (alternative.wanted.map(Self.quoted) + alternative.unwanted.map { "-" + Self.quoted($0) }).joined(separator: " ")
        }.joined(separator: " or ")
    }

    /// For `MATCH` of SQLite's FTS5, on the table of migration 7.
    ///
    /// - Parameter rooms: the rooms that are looked at; nil for all.
    func match(in rooms: [RoomNID]?) -> String {
        let either = alternatives.map { alternative in
            let wanted = alternative.wanted.map(Self.quoted).joined(separator: " AND ")
            guard !alternative.unwanted.isEmpty else { return "(\(wanted))" }
            return "((\(wanted)) NOT (\(alternative.unwanted.map(Self.quoted).joined(separator: " OR "))))"
        }
        let words = "words : (\(either.joined(separator: " OR ")))"
        guard let rooms else { return words }
        return "(\(words)) AND room : (\(rooms.map { Self.quoted(Self.word(for: $0)) }.joined(separator: " OR ")))"
    }

    /// The word that stands for a room in the index of SQLite.
    static func word(for room: RoomNID) -> String { "r\(room.value)" }

    private static func quoted(_ phrase: String) -> String {
        "\"" + phrase.split(separator: "\"").joined(separator: " ") + "\""
    }
}
