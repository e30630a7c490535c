// The `Authorization` header between servers. Server-Server API §Request Authentication.

import MatrixCore

/// `X-Matrix origin="…",destination="…",key="…",sig="…"`.
package struct XMatrix: Sendable, Hashable {
    package let origin: ServerName
    /// Older servers do not name it.
    package let destination: ByteString?
    package let keyID: ByteString
    package let signature: String

    /// No header that means anything is longer, in bytes.
    private static let limit = 4096

    package init(origin: ServerName, destination: ServerName, keyID: String, signature: String) {
        self.origin = origin
        self.destination = destination.text
        self.keyID = ByteString(keyID)
        self.signature = signature
    }

    package static func isScheme(of header: String) -> Bool {
        header.utf8.prefix(8).map { $0 | 0x20 }.elementsEqual("x-matrix".utf8.map { $0 | 0x20 })
    }

    /// Reads a header; nil where it is not well formed. Names in any case, values quoted or not (RFC 9110 §11.4).
    package init?(_ header: String) {
        guard header.utf8.count <= Self.limit, Self.isScheme(of: header) else { return nil }
        let rest = header.utf8.dropFirst(8)
        guard rest.first == UInt8(ascii: " ") else { return nil }
        var parser = Parameters(rest: rest[...])
        guard let values = parser.all(), let origin = values["origin"].flatMap({ ServerName(valid: $0.string) }), let key = values["key"],
            let signature = values["sig"]
        else { return nil }
        self.origin = origin
        destination = values["destination"]
        keyID = key
        self.signature = signature.string
    }

    /// The header as it is sent. None of its values can hold a quote.
    package var header: String {
        let destination = destination.map { "destination=\"\($0)\"," } ?? ""
        return "X-Matrix origin=\"\(origin)\",\(destination)key=\"\(keyID)\",sig=\"\(signature)\""
    }

    /// What is signed: the canonical JSON of the request.
    ///
    /// - Parameter content: the body, already canonical; nil where there is none.
    package static func signedBytes(
        method: String, uri: String, origin: ServerName, destination: ServerName, content: [UInt8]?
    ) -> [UInt8] {
        // The keys stand in canonical order.
        var writer = JSONWriter(capacity: 256 + uri.utf8.count + (content?.count ?? 0))
        writer.object { writer in
            if let content { writer.member("content", raw: content) }
            writer.member("destination", destination)
            writer.member("method", method)
            writer.member("origin", origin)
            writer.member("uri", uri)
        }
        return writer.bytes
    }
}

/// `name=value, name="value"`.
private struct Parameters {
    var rest: String.UTF8View.SubSequence

    mutating func all() -> [ByteString: ByteString]? {
        var values: [ByteString: ByteString] = [:]
        while true {
            skip(" \t,")
            guard !rest.isEmpty else { return values }
            let name = rest.prefix { $0 != UInt8(ascii: "=") && $0 != UInt8(ascii: " ") }
            rest = rest[name.endIndex...]
            skip(" \t")
            guard !name.isEmpty, rest.popFirst() == UInt8(ascii: "=") else { return nil }
            skip(" \t")
            guard let value = value() else { return nil }
            let key = ByteString(String(Substring(name)).lowercased())
            // Two of a name could be read as either by two readers.
            guard values.updateValue(value, forKey: key) == nil else { return nil }
            skip(" \t")
            guard rest.isEmpty || rest.first == UInt8(ascii: ",") else { return nil }
        }
    }

    private mutating func value() -> ByteString? {
        guard rest.first == UInt8(ascii: "\"") else {
            let token = rest.prefix { !" \t,\"".utf8.contains($0) }
            rest = rest[token.endIndex...]
            return token.isEmpty ? nil : ByteString(String(Substring(token)))
        }
        rest = rest.dropFirst()
        var bytes: [UInt8] = []
        while let byte = rest.popFirst() {
            switch byte {
            case UInt8(ascii: "\""): return ByteString(utf8: bytes)
            case UInt8(ascii: "\\"):
                guard let escaped = rest.popFirst() else { return nil }
                bytes.append(escaped)
            default: bytes.append(byte)
            }
        }
        return nil
    }

    private mutating func skip(_ characters: StaticString) {
        rest = rest.drop { byte in characters.withUTF8Buffer { $0.contains(byte) } }
    }
}
