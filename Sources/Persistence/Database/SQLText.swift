// From the one text of a statement to what a database understands.

/// Writes a statement for one of the databases: replaces the tokens in braces (see `SQL`), and on SQLite `$1` by `?1`, since
/// SQLite takes `$2` for a name and binds names in the order in which they appear.
package enum SQLText {
    package static func render(_ sql: SQL, for dialect: SQLDialect) throws(DatabaseError) -> String {
        let source = Array(sql.text.utf8)
        var output: [UInt8] = []
        output.reserveCapacity(source.count + 16)
        var index = 0
        while index < source.count {
            let byte = source[index]
            switch byte {
            case UInt8(ascii: "'"), UInt8(ascii: "\""):
                let end = endOfQuoted(source, from: index)
                output += source[index..<end]
                index = end
            case UInt8(ascii: "-") where index + 1 < source.count && source[index + 1] == byte:
                let end = source[index...].firstIndex(of: UInt8(ascii: "\n")) ?? source.count
                output += source[index..<end]
                index = end
            case UInt8(ascii: "$") where dialect == .sqlite && index + 1 < source.count && isDigit(source[index + 1]):
                output.append(UInt8(ascii: "?"))
                index += 1
            case UInt8(ascii: "{"):
                guard let end = source[index...].firstIndex(of: UInt8(ascii: "}")) else {
                    throw DatabaseError(.syntax, "a brace is not closed", sql: sql.text)
                }
                let token = String(decoding: source[(index + 1)..<end], as: UTF8.self)
                guard let replacement = replacement(for: token, dialect) else {
                    throw DatabaseError(.syntax, "unknown token {\(token)}", sql: sql.text)
                }
                output += replacement.utf8
                index = end + 1
            default:
                output.append(byte)
                index += 1
            }
        }
        return String(decoding: output, as: UTF8.self)
    }

    private static func isDigit(_ byte: UInt8) -> Bool { byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9") }

    /// The index behind the closing quote. A doubled quote inside reads as two quoted pieces, which comes to the same.
    private static func endOfQuoted(_ source: [UInt8], from start: Int) -> Int {
        let close = source[(start + 1)...].firstIndex(of: source[start])
        return close.map { $0 + 1 } ?? source.count
    }

    private static func replacement(for token: String, _ dialect: SQLDialect) -> String? {
        switch token {
        case "BLOB": return dialect.blob
        case "GREATEST": return dialect == .postgres ? "GREATEST" : "max"
        case "LEAST": return dialect == .postgres ? "LEAST" : "min"
        case "LIST": return dialect == .postgres ? "array_agg" : "json_group_array"
        default: break
        }
        if token.hasPrefix("FOR UPDATE") { return dialect == .postgres ? token : "" }
        return membership(token, dialect) ?? elements(token, dialect)
    }

    /// `EACH $1 AS name`: the list as a table, whose column is `value`.
    private static func elements(_ token: String, _ dialect: SQLDialect) -> String? {
        let words = token.split(separator: " ")
        guard words.count == 4, words[0] == "EACH", words[2] == "AS", words[1].first == "$", let number = Int(words[1].dropFirst())
        else { return nil }
        return dialect == .postgres ? "unnest($\(number)) AS \(words[3]) (value)" : "json_each(?\(number)) AS \(words[3])"
    }

    /// `column IN $1` and `column NOT IN $1`.
    private static func membership(_ token: String, _ dialect: SQLDialect) -> String? {
        let words = token.split(separator: " ")
        guard words.count >= 3, let parameter = words.last, parameter.first == "$", let number = Int(parameter.dropFirst()),
            words[words.count - 2] == "IN"
        else { return nil }
        let isNegated = words.count >= 4 && words[words.count - 3] == "NOT"
        let column = words.dropLast(isNegated ? 3 : 2).joined(separator: " ")
        switch dialect {
        case .postgres: return isNegated ? "\(column) <> ALL($\(number))" : "\(column) = ANY($\(number))"
        case .sqlite: return "\(column)\(isNegated ? " NOT" : "") IN (SELECT value FROM json_each(?\(number)))"
        }
    }
}
