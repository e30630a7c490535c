// The little XML that a CAS server answers with. Extensible Markup Language 1.0.

/// An element with what is in it. Names are without their namespaces' prefixes, attributes are passed over.
package struct XMLElement: Sendable, Equatable {
    package let name: String
    /// The text before the first element inside.
    package fileprivate(set) var text = ""
    package fileprivate(set) var children: [XMLElement] = []

    /// The root of a document; nil for what is not well formed, has a document type (which could define what texts stand for), or is
    /// nested too deeply.
    package static func document(_ bytes: [UInt8]) -> XMLElement? {
        guard String(validating: bytes, as: UTF8.self) != nil else { return nil }
        var reader = XMLReader(bytes: bytes)
        return reader.document()
    }
}

private struct XMLReader {
    private static let depthLimit = 32

    let bytes: [UInt8]
    var position = 0

    init(bytes: [UInt8]) {
        self.bytes = bytes
    }

    mutating func document() -> XMLElement? {
        if at([0xEF, 0xBB, 0xBF]) { position += 3 }
        guard skipMisc(), let root = element(depth: 0), skipMisc(), position == bytes.count else { return nil }
        return root
    }

    // MARK: Elements

    private mutating func element(depth: Int) -> XMLElement? {
        guard depth < Self.depthLimit, take("<"), let name = name() else { return nil }
        guard skipAttributes() else { return nil }
        var element = XMLElement(name: Self.local(name))
        if take("/>") { return element }
        guard take(">"), fill(&element, depth: depth), take("</"), self.name() == name else { return nil }
        skipBlanks()
        return take(">") ? element : nil
    }

    /// Reads up to the end tag.
    private mutating func fill(_ element: inout XMLElement, depth: Int) -> Bool {
        while position < bytes.count {
            if at("</") { return true }
            if at("<!--") || at("<?") {
                guard skipComment() else { return false }
            } else if take("<![CDATA[") {
                let begin = position
                guard skip(to: "]]>") else { return false }
                if element.children.isEmpty { element.text += String(decoding: bytes[begin..<(position - 3)], as: UTF8.self) }
            } else if at("<") {
                guard let child = self.element(depth: depth + 1) else { return false }
                element.children.append(child)
            } else {
                guard let text = text() else { return false }
                if element.children.isEmpty { element.text += text }
            }
        }
        return false
    }

    private mutating func skipAttributes() -> Bool {
        while true {
            skipBlanks()
            guard position < bytes.count else { return false }
            if at(">") || at("/>") { return true }
            guard name() != nil else { return false }
            skipBlanks()
            guard take("=") else { return false }
            skipBlanks()
            guard position < bytes.count, let quote = [UInt8(ascii: "'"), UInt8(ascii: "\"")].first(where: { $0 == bytes[position] }) else {
                return false
            }
            position += 1
            while position < bytes.count, bytes[position] != quote {
                guard bytes[position] != UInt8(ascii: "<") else { return false }
                position += 1
            }
            guard position < bytes.count else { return false }
            position += 1
        }
    }

    // MARK: Text

    /// The text up to the next tag, with its references resolved.
    private mutating func text() -> String? {
        var content: [UInt8] = []
        while position < bytes.count, bytes[position] != UInt8(ascii: "<") {
            guard bytes[position] == UInt8(ascii: "&") else {
                content.append(bytes[position])
                position += 1
                continue
            }
            guard let end = bytes[position...].prefix(12).firstIndex(of: UInt8(ascii: ";")),
                let character = Self.reference(String(decoding: bytes[(position + 1)..<end], as: UTF8.self))
            else { return nil }
            content += Array(String(character).utf8)
            position = end + 1
        }
        return String(decoding: content, as: UTF8.self)
    }

    private static func reference(_ name: String) -> Character? {
        switch name {
        case "amp": return "&"
        case "lt": return "<"
        case "gt": return ">"
        case "quot": return "\""
        case "apos": return "'"
        default:
            guard name.hasPrefix("#") else { return nil }
            let number = name.hasPrefix("#x") ? UInt32(name.dropFirst(2), radix: 16) : UInt32(name.dropFirst())
            return number.flatMap { $0 == 0 ? nil : Unicode.Scalar($0) }.map { Character($0) }
        }
    }

    // MARK: Words

    private mutating func name() -> String? {
        let begin = position
        while position < bytes.count, Self.belongsToName(bytes[position]) { position += 1 }
        return position == begin ? nil : String(decoding: bytes[begin..<position], as: UTF8.self)
    }

    private static func belongsToName(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
            UInt8(ascii: ":"), UInt8(ascii: "_"), UInt8(ascii: "-"), UInt8(ascii: "."), 0x80...0xFF:
            true
        default: false
        }
    }

    private static func local(_ name: String) -> String { name.split(separator: ":").last.map { String($0) } ?? name }

    /// Blanks, comments and the declaration around the root. A document type is none of these.
    private mutating func skipMisc() -> Bool {
        while true {
            skipBlanks()
            guard at("<!--") || at("<?") else { return true }
            guard skipComment() else { return false }
        }
    }

    private mutating func skipComment() -> Bool { skip(to: at("<!--") ? "-->" : "?>") }

    private mutating func skip(to end: String) -> Bool {
        let end = Array(end.utf8)
        while position + end.count <= bytes.count {
            if at(end) {
                position += end.count
                return true
            }
            position += 1
        }
        return false
    }

    private mutating func skipBlanks() {
        while position < bytes.count, [0x20, 0x09, 0x0A, 0x0D].contains(bytes[position]) { position += 1 }
    }

    private func at(_ text: String) -> Bool { at(Array(text.utf8)) }
    private func at(_ wanted: [UInt8]) -> Bool { bytes[position...].starts(with: wanted) }

    private mutating func take(_ text: String) -> Bool {
        guard at(text) else { return false }
        position += text.utf8.count
        return true
    }
}
