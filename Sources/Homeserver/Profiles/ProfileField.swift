// The fields of a profile, and what they may hold. Client-Server API §Profiles, PUT /profile/{userId}/{keyName};
// Appendices §Common Namespaced Identifier Grammar.

import MatrixCore
import ServerConfiguration

/// The names and limits of profile fields.
package enum ProfileField {
    package static let displayName: ByteString = "displayname"
    package static let avatarURL: ByteString = "avatar_url"
    package static let timeZone: ByteString = "m.tz"

    /// Bytes of a field's name.
    private static let nameLimit = 255
    /// Characters.
    private static let displayNameLimit = 256
    private static let avatarURLLimit = 1000
    private static let timeZoneLimit = 64
    /// Bytes of the whole profile as JSON.
    package static let profileLimit = 65_536

    /// Which fields people may change once they are set: `enable_set_displayname`, `enable_set_avatar_url`.
    package static func mayChange(_ configuration: ServerConfiguration) -> @Sendable (ByteString) -> Bool {
        let (name, avatar) = (configuration.enableSetDisplayName, configuration.enableSetAvatarURL)
        return { $0 == displayName ? name : $0 == avatarURL ? avatar : true }
    }

    /// Reads a field's name from a path.
    ///
    /// - Throws: `M_INVALID_PARAM`, `M_KEY_TOO_LARGE`.
    package static func name(_ text: String) throws(MatrixError) -> ByteString {
        guard text.utf8.count <= nameLimit else {
            throw MatrixError(status: 400, errcode: "M_KEY_TOO_LARGE", message: "Field name too long")
        }
        guard let first = text.utf8.first else { throw .invalidParam("Field name too short") }
        let isNamespaced =
            (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(first)
            && text.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"),
                    UInt8(ascii: "-"):
                    true
                default: false
                }
            }
        guard isNamespaced else { throw .invalidParam("Field name does not follow Common Namespaced Identifier Grammar") }
        return ByteString(text)
    }

    /// What is stored for a value that a client sets: its JSON; nil where the field is cleared.
    ///
    /// - Throws: `M_INVALID_PARAM` for a value that the field cannot hold.
    package static func stored(_ value: JSON, in field: ByteString) throws(MatrixError) -> [UInt8]? {
        switch field {
        case displayName:
            let name = try text(value, of: field, limit: displayNameLimit)
            let trimmed = trim(name)
            return name.isEmpty ? nil : JSONValue.string(trimmed).canonicalBytes
        case avatarURL:
            let url = try text(value, of: field, limit: avatarURLLimit)
            return url.isEmpty ? nil : JSONValue.string(url).canonicalBytes
        case timeZone:
            let zone = try text(value, of: field, limit: timeZoneLimit)
            guard zone.utf8.allSatisfy(isOfTimeZone) else { throw .invalidParam("'m.tz' must be a name of the IANA Time Zone Database") }
            return zone.isEmpty ? nil : JSONValue.string(zone).canonicalBytes
        default:
            return value.value.canonicalBytes
        }
    }

    /// The names of zones have these bytes; which zones there are changes with the years.
    private static func isOfTimeZone(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
            UInt8(ascii: "_"), UInt8(ascii: "-"), UInt8(ascii: "+"), UInt8(ascii: "/"):
            true
        default: false
        }
    }

    private static func text(_ value: JSON, of field: ByteString, limit: Int) throws(MatrixError) -> String {
        // Clients have always cleared these two with null as well.
        if value.isNull { return "" }
        guard let text = value.string else { throw .invalidParam("'\(field)' must be a string") }
        guard text.unicodeScalars.count <= limit else { throw .invalidParam("'\(field)' is too long (max \(limit))") }
        return text
    }

    private static func trim(_ text: String) -> String {
        let isSpace: (Character) -> Bool = { $0.isWhitespace }
        guard let first = text.firstIndex(where: { !isSpace($0) }), let last = text.lastIndex(where: { !isSpace($0) }) else { return "" }
        return String(text[first...last])
    }
}
