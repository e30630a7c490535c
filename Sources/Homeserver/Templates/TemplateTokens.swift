// A template's text in pieces, and the words within a tag.

/// The pieces of a template: text, `{{ … }}` and `{% … %}`. Comments are left out.
struct TemplatePieces {
    enum Piece {
        case text(String)
        case output(Substring, line: Int)
        case statement(Substring, line: Int)
    }

    private(set) var pieces: [Piece] = []
    private let name: String

    init(_ text: String, name: String) throws(TemplateError) {
        self.name = name
        var rest = Substring(text)
        // As Jinja does, one newline at the end of a file is not part of it.
        if rest.hasSuffix("\n") { rest = rest.dropLast() }
        var line = 1
        var strips = false
        while !rest.isEmpty {
            guard let start = Self.nextTag(in: rest) else {
                append(rest, stripsStart: strips, stripsEnd: false)
                return
            }
            let opening = rest[start...].prefix(2)
            let before = rest[..<start]
            let inside = rest[start...].dropFirst(2)
            append(before, stripsStart: strips, stripsEnd: inside.first == "-")
            line += Self.lines(in: before)
            let closing = opening == "{{" ? "}}" : opening == "{%" ? "%}" : "#}"
            guard let end = Self.end(of: inside, closing: closing) else {
                throw TemplateError(name, line: line, "\(opening) is not closed")
            }
            var content = inside[..<end]
            let tagLine = line
            line += Self.lines(in: content)
            strips = content.last == "-"
            if content.first == "-" || content.first == "+" { content = content.dropFirst() }
            if content.last == "-" || content.last == "+" { content = content.dropLast() }
            rest = inside[end...].dropFirst(2)
            switch opening {
            case "{{": pieces.append(.output(content, line: tagLine))
            case "{%":
                if Self.isWord("raw", content) {
                    rest = try appendRaw(rest, &line, &strips)
                } else {
                    pieces.append(.statement(content, line: tagLine))
                }
            default: break
            }
        }
    }

    /// Takes what stands up to `{% endraw %}` as text.
    private mutating func appendRaw(_ rest: Substring, _ line: inout Int, _ strips: inout Bool) throws(TemplateError) -> Substring {
        var search = rest
        while let start = Self.nextTag(in: search) {
            let inside = search[start...].dropFirst(2)
            if search[start...].hasPrefix("{%"), let end = Self.end(of: inside, closing: "%}") {
                let content = inside[..<end].drop { $0 == "-" }.prefix { $0 != "-" }
                if Self.isWord("endraw", content) {
                    let raw = rest[..<start]
                    append(raw, stripsStart: strips, stripsEnd: inside.first == "-")
                    line += Self.lines(in: rest[..<end])
                    strips = inside[..<end].last == "-"
                    return inside[end...].dropFirst(2)
                }
            }
            search = inside
        }
        throw TemplateError(name, line: line, "raw is not ended")
    }

    private mutating func append(_ text: Substring, stripsStart: Bool, stripsEnd: Bool) {
        var text = text
        if stripsStart { text = text.drop { $0.isWhitespace } }
        if stripsEnd { while text.last?.isWhitespace == true { text = text.dropLast() } }
        if !text.isEmpty { pieces.append(.text(String(text))) }
    }

    private static func nextTag(in text: Substring) -> Substring.Index? {
        var index = text.startIndex
        while let brace = text[index...].firstIndex(of: "{") {
            let next = text.index(after: brace)
            guard next < text.endIndex else { return nil }
            if text[next] == "{" || text[next] == "%" || text[next] == "#" { return brace }
            index = next
        }
        return nil
    }

    /// Where a tag ends; what stands in quotes does not end it.
    private static func end(of text: Substring, closing: String) -> Substring.Index? {
        var index = text.startIndex
        var quote: Character?
        while index < text.endIndex {
            let character = text[index]
            if let open = quote {
                if character == open { quote = nil }
            } else if closing != "#}", character == "'" || character == "\"" {
                quote = character
            } else if text[index...].hasPrefix(closing) {
                return index
            }
            index = text.index(after: index)
        }
        return nil
    }

    private static func isWord(_ word: String, _ content: Substring) -> Bool {
        content.split(whereSeparator: \.isWhitespace).elementsEqual([Substring(word)])
    }

    private static func lines(in text: Substring) -> Int { text.utf8.count { $0 == UInt8(ascii: "\n") } }
}

/// A word of a tag.
enum TemplateToken: Equatable {
    case name(String)
    case text(String)
    case number(Int64)
    case symbol(String)

    private static let symbols = ["==", "!=", "<=", ">=", "<", ">", "(", ")", "[", "]", "|", ".", ",", ":", "~", "+", "-", "="]

    static func tokens(of content: Substring, template: String, line: Int) throws(TemplateError) -> [TemplateToken] {
        var tokens: [TemplateToken] = []
        var rest = content.drop { $0.isWhitespace }
        while let first = rest.first {
            if first == "'" || first == "\"" {
                let inside = rest.dropFirst()
                guard let end = inside.firstIndex(of: first) else { throw TemplateError(template, line: line, "a text is not closed") }
                tokens.append(.text(String(inside[..<end])))
                rest = inside[end...].dropFirst()
            } else if first.isASCII, first.isNumber {
                let digits = rest.prefix { $0.isASCII && $0.isNumber }
                guard let number = Int64(digits) else { throw TemplateError(template, line: line, "\(digits) is too large") }
                tokens.append(.number(number))
                rest = rest[digits.endIndex...]
            } else if first.isLetter || first == "_" {
                let name = rest.prefix { $0.isLetter || $0.isNumber || $0 == "_" }
                tokens.append(.name(String(name)))
                rest = rest[name.endIndex...]
            } else if let symbol = symbols.first(where: { rest.hasPrefix($0) }) {
                tokens.append(.symbol(symbol))
                rest = rest.dropFirst(symbol.count)
            } else {
                throw TemplateError(template, line: line, "\(first) is not understood")
            }
            rest = rest.drop { $0.isWhitespace }
        }
        return tokens
    }
}
