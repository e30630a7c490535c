// The identifier of a user. Appendices §User Identifiers.

/// `@localpart:domain`.
///
/// Parsing accepts historical user IDs (any localpart without `:` and NUL, the empty one too), because servers must. Whether
/// a localpart may be given to a new account, ``isAllowed(localpart:)`` says.
package struct UserID: EventFieldIdentifier {
    package let text: ByteString

    package init(parsing string: String, lengthIn unit: LengthUnit) throws(IdentifierError) {
        guard try CommonIdentifier.check(string, sigil: UInt8(ascii: "@"), subject: "user ID", lengthIn: unit) != nil else {
            throw IdentifierError(subject: "user ID", reason: .missingServerName)
        }
        text = ByteString(string)
    }

    package init(trusted string: String) {
        text = ByteString(string)
    }

    /// Joins parts that are already checked.
    package init(localpart: ByteString, server: ServerName) {
        text = ByteString("@\(localpart.string):\(server.string)")
    }

    package var localpart: ByteString { CommonIdentifier.localpart(of: text) }

    package var server: ServerName { CommonIdentifier.domain(of: text) ?? ServerName(trusted: "") }

    /// Whether the account belongs to `server`; cheaper than comparing ``server``.
    package func belongs(to server: ServerName) -> Bool { CommonIdentifier.domain(of: text, is: server) }

    /// Whether a new account may have this localpart: `a-z`, `0-9` and `._=-/+`, not empty.
    package static func isAllowed(localpart: String) -> Bool {
        !localpart.isEmpty
            && localpart.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
                    UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "="), UInt8(ascii: "-"), UInt8(ascii: "/"), UInt8(ascii: "+"):
                    true
                default:
                    false
                }
            }
    }

    /// Whether the localpart is of the present or the historical visible set (U+0021 to U+007E); other users are not shown
    /// to clients outside of events. Appendices §Historical User IDs.
    package var isCompliant: Bool {
        let localpart = localpart
        return !localpart.isEmpty && localpart.string.utf8.allSatisfy { (0x21...0x7E).contains($0) }
    }
}
