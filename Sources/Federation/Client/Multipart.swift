// The bodies in which servers hand media to each other. Server-Server API §Content Repository, RFC 2046 §5.1.

import Glibc
import MatrixCore

/// Reads a `multipart/mixed` body as it comes, in bounded memory: only the heads of parts are gathered.
package struct MultipartReader: Sendable {
    package enum Element: Sendable, Equatable {
        /// A part begins.
        case head([Header])
        /// Some of its content.
        case content([UInt8])
        /// It ends.
        case end
        /// That was the last part.
        case finished
    }

    package struct Header: Sendable, Equatable {
        /// In lower case.
        package let name: String
        package let value: String

        package init(_ name: String, _ value: String) {
            self.name = name
            self.value = value
        }
    }

    package struct Malformed: Error, Sendable, Equatable {
        package let reason: String
    }

    private enum Place {
        case before, afterDelimiter, head, content, after
    }

    /// Bytes: what comes before the first part, and the head of a part.
    private static let headLimit = 16 * 1024
    private static let longestBoundary = 200

    private let delimiter: [UInt8]
    private var place = Place.before
    /// What has come and is not understood yet. The first delimiter may stand at the very beginning.
    private var buffer = Array("\r\n".utf8)

    /// - Parameter contentType: the header of the body.
    /// - Returns: nil where it names no boundary.
    package init?(contentType: String) {
        let parameters = HeaderParameters(contentType)
        guard parameters.value.hasPrefix("multipart/"), let boundary = parameters["boundary"],
            (1...Self.longestBoundary).contains(boundary.utf8.count), boundary.utf8.allSatisfy({ (0x20...0x7E).contains($0) })
        else { return nil }
        delimiter = Array("\r\n--\(boundary)".utf8)
    }

    /// Whether the last part has ended.
    package var isFinished: Bool { place == .after }

    package mutating func take(_ bytes: [UInt8]) throws(Malformed) -> [Element] {
        buffer += bytes
        var elements: [Element] = []
        while try step(&elements) {}
        return elements
    }

    /// - Returns: false where more bytes are needed.
    private mutating func step(_ elements: inout [Element]) throws(Malformed) -> Bool {
        switch place {
        case .before:
            guard let start = Self.find(delimiter, in: buffer) else {
                guard buffer.count <= Self.headLimit else { throw Malformed(reason: "no part begins") }
                return false
            }
            drop(start + delimiter.count)
            place = .afterDelimiter
        case .afterDelimiter:
            guard buffer.count >= 2 else { return false }
            if buffer.starts(with: Array("--".utf8)) {
                place = .after
                elements.append(.finished)
                return false
            }
            guard let end = buffer.firstIndex(where: { $0 != UInt8(ascii: " ") && $0 != UInt8(ascii: "\t") }) else {
                guard buffer.count <= Self.headLimit else { throw Malformed(reason: "a boundary without an end") }
                return false
            }
            guard buffer[end] == UInt8(ascii: "\r") else { throw Malformed(reason: "a boundary goes on") }
            drop(end)
            place = .head
        case .head:
            // The line break of the delimiter is still there, so that a part without a head ends as others do.
            guard let end = Self.find(Array("\r\n\r\n".utf8), in: buffer) else {
                guard buffer.count <= Self.headLimit else { throw Malformed(reason: "the head of a part is too long") }
                return false
            }
            guard end <= Self.headLimit else { throw Malformed(reason: "the head of a part is too long") }
            elements.append(.head(Self.headers(buffer[..<end])))
            drop(end + 4)
            place = .content
        case .content:
            if let end = Self.find(delimiter, in: buffer) {
                if end > 0 { elements.append(.content(Array(buffer[..<end]))) }
                elements.append(.end)
                drop(end + delimiter.count)
                place = .afterDelimiter
                return true
            }
            let sure = buffer.count - delimiter.count + 1
            guard sure > 0 else { return false }
            elements.append(.content(Array(buffer[..<sure])))
            drop(sure)
            return false
        case .after:
            buffer = []
            return false
        }
        return true
    }

    private mutating func drop(_ count: Int) { buffer.removeFirst(count) }

    private static func headers(_ bytes: ArraySlice<UInt8>) -> [Header] {
        let lines = String(decoding: bytes, as: UTF8.self).split(separator: "\r\n")
        return lines.compactMap { line in
            guard let colon = line.firstIndex(of: ":") else { return nil }
            let value = line[line.index(after: colon)...].drop { $0 == " " || $0 == "\t" }
            return Header(line[..<colon].lowercased(), String(value))
        }
    }

    /// Where `wanted`, which begins with a line break, stands first.
    private static func find(_ wanted: [UInt8], in bytes: [UInt8]) -> Int? {
        bytes.withUnsafeBytes { (bytes: UnsafeRawBufferPointer) -> Int? in
            guard let start = bytes.baseAddress else { return nil }
            var index = 0
            while bytes.count - index >= wanted.count {
                let rest = start + index
                guard let found = memchr(rest, Int32(UInt8(ascii: "\r")), bytes.count - index - wanted.count + 1) else { return nil }
                let candidate = start.distance(to: UnsafeRawPointer(found))
                if memcmp(found, wanted, wanted.count) == 0 { return candidate }
                index = candidate + 1
            }
            return nil
        }
    }
}

/// What stands around the content of a medium that another server is given.
package struct MultipartEnvelope: Sendable {
    package let contentType: String
    /// Before the content, and after it.
    package let prefix: [UInt8]
    package let suffix: [UInt8]

    /// - Parameters:
    ///   - headers: of the part with the content.
    ///   - boundary: letters and digits that the content does not hold: random ones.
    package init(headers: [(name: String, value: String)], boundary: String) {
        contentType = "multipart/mixed; boundary=\(boundary)"
        var head = "\r\n--\(boundary)\r\nContent-Type: application/json\r\n\r\n{}\r\n--\(boundary)\r\n"
        for (name, value) in headers { head += "\(name): \(value.filter { $0 != "\r" && $0 != "\n" && $0 != "\r\n" })\r\n" }
        prefix = Array("\(head)\r\n".utf8)
        suffix = Array("\r\n--\(boundary)--\r\n".utf8)
    }
}

/// A header field with parameters: `value; name=text; name="quoted text"`. RFC 9110 §5.6.6.
package struct HeaderParameters: Sendable {
    /// What stands first, in lower case.
    package let value: String
    private let parameters: [(name: String, value: String)]

    package init(_ field: String) {
        var parts = Self.split(field)
        value = parts.isEmpty ? "" : Self.trimmed(parts.removeFirst()).lowercased()
        parameters = parts.compactMap { part in
            guard let equals = part.firstIndex(of: "=") else { return nil }
            return (Self.trimmed(part[..<equals]).lowercased(), Self.unquoted(Self.trimmed(part[part.index(after: equals)...])))
        }
    }

    package subscript(name: String) -> String? { parameters.first { $0.name == name }?.value }

    /// At the semicolons that stand in no quotes.
    private static func split(_ field: String) -> [Substring] {
        var parts: [Substring] = []
        var start = field.startIndex
        var isQuoted = false
        var isEscaped = false
        for index in field.indices {
            let character = field[index]
            if isEscaped {
                isEscaped = false
            } else if character == "\\" && isQuoted {
                isEscaped = true
            } else if character == "\"" {
                isQuoted.toggle()
            } else if character == ";" && !isQuoted {
                parts.append(field[start..<index])
                start = field.index(after: index)
            }
        }
        parts.append(field[start...])
        return parts
    }

    private static func unquoted(_ text: String) -> String {
        guard text.utf8.count >= 2, text.first == "\"", text.last == "\"" else { return text }
        var result = ""
        var isEscaped = false
        for character in text.dropFirst().dropLast() {
            if character == "\\" && !isEscaped {
                isEscaped = true
                continue
            }
            isEscaped = false
            result.append(character)
        }
        return result
    }

    private static func trimmed(_ text: Substring) -> String {
        var text = text.drop { $0 == " " || $0 == "\t" }
        while text.last == " " || text.last == "\t" { text.removeLast() }
        return String(text)
    }
}
