// Names of files and whether browsers may show them. Client-Server API §Serving inline content; RFC 6266, RFC 8187.

import Federation
import MatrixCore

package enum ContentDisposition {
    /// What a browser may show on its own: nothing that runs scripts.
    private static let inlineTypes: Set<String> = [
        "text/css", "text/plain", "text/csv", "application/json", "application/ld+json", "image/jpeg", "image/gif", "image/png",
        "image/apng", "image/webp", "image/avif", "video/mp4", "video/webm", "video/ogg", "video/quicktime", "audio/mp4", "audio/webm",
        "audio/aac", "audio/mpeg", "audio/ogg", "audio/wave", "audio/wav", "audio/x-wav", "audio/x-pn-wav", "audio/flac", "audio/x-flac",
    ]

    /// Texts are in UTF-8 where they do not say.
    private static let textTypes: Set<String> = [
        "text/css", "text/csv", "text/html", "text/calendar", "text/plain", "text/javascript", "application/json", "application/ld+json",
        "application/rtf", "image/svg+xml", "text/xml",
    ]

    /// Bytes of a name that is kept.
    private static let longestName = 1024
    private static let longestType = 255

    /// The value of `Content-Disposition`.
    package static func header(contentType: String, name: String?) -> String {
        let disposition = inlineTypes.contains(essence(of: contentType)) ? "inline" : "attachment"
        guard let name, !name.isEmpty else { return disposition }
        if name.utf8.allSatisfy(isTokenByte) { return "\(disposition); filename=\(name)" }
        return "\(disposition); filename*=utf-8''\(PercentEncoding.encode(name))"
    }

    /// The value of `Content-Type` for what was uploaded as `contentType`.
    package static func contentType(_ contentType: String) -> String {
        textTypes.contains(contentType.lowercased()) ? "\(contentType); charset=UTF-8" : contentType
    }

    /// `image/png` of `Image/PNG; charset=…`.
    package static func essence(of contentType: String) -> String {
        let type = contentType.prefix { $0 != ";" }.lowercased()
        return String(type.drop { $0 == " " }.prefix { $0 != " " })
    }

    /// The name in the header of another server.
    package static func name(in header: String) -> String? {
        let parameters = HeaderParameters(header)
        if let extended = parameters["filename*"], extended.lowercased().hasPrefix("utf-8''"),
            let name = PercentDecoding.decode(extended.dropFirst(7).utf8)
        {
            return acceptable(name: name)
        }
        return parameters["filename"].flatMap { $0.utf8.allSatisfy { $0 < 0x80 } ? acceptable(name: $0) : nil }
    }

    /// A name as it is kept: nil for none, and for one that no file has.
    package static func acceptable(name: String?) -> String? {
        guard let name, (1...longestName).contains(name.utf8.count), name.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7F }) else { return nil }
        return name
    }

    /// A type as it is kept.
    package static func acceptable(contentType: String?) -> String {
        guard let contentType, (1...longestType).contains(contentType.utf8.count),
            contentType.utf8.allSatisfy({ (0x20...0x7E).contains($0) })
        else { return "application/octet-stream" }
        return contentType
    }

    /// RFC 9110 §5.6.2.
    private static func isTokenByte(_ byte: UInt8) -> Bool {
        byte.isASCIILetter || byte.isASCIIDigit || "!#$%&'*+-.^_`|~".utf8.contains(byte)
    }
}
