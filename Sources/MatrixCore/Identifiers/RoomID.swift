// The identifiers of rooms. Appendices §Room IDs, §Room Aliases.

/// `!opaque:domain`, or `!` and the hash of the create event since room version 12.
package struct RoomID: EventFieldIdentifier {
    package let text: ByteString

    package init(parsing string: String, lengthIn unit: LengthUnit) throws(IdentifierError) {
        let domain = try CommonIdentifier.check(string, sigil: UInt8(ascii: "!"), subject: "room ID", lengthIn: unit)
        guard domain != nil || Self.isHash(string.utf8.dropFirst()) else {
            throw IdentifierError(subject: "room ID", reason: .missingServerName)
        }
        text = ByteString(string)
    }

    package init(trusted string: String) {
        text = ByteString(string)
    }

    package init(localpart: ByteString, server: ServerName) {
        text = ByteString("!\(localpart.string):\(server.string)")
    }

    /// A new ID, for a room whose create event does not decide it.
    package static func random(server: ServerName) -> RoomID {
        RoomID(localpart: CommonIdentifier.randomLocalpart(), server: server)
    }

    /// The room that this create event makes: its event ID with the sigil `!`. Room version 12 and later.
    package init(createEvent: EventID) {
        text = ByteString("!" + createEvent.string.dropFirst())
    }

    /// The create event that this room ID names; `nil` where the ID has a domain. Room version 12 and later.
    package var createEvent: EventID? {
        server == nil ? EventID(trusted: "$" + string.dropFirst()) : nil
    }

    /// Whether these are a SHA-256 hash in URL-safe unpadded Base64.
    private static func isHash(_ text: Substring.UTF8View) -> Bool {
        text.count == 43
            && text.allSatisfy { $0.isASCIIDigit || $0.isASCIILetter || $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: "_") }
    }

    /// The server that made the ID; `nil` without a domain. It says nothing about who is in the room.
    package var server: ServerName? { CommonIdentifier.domain(of: text) }
}

/// `#localpart:domain`.
package struct RoomAlias: MatrixIdentifier {
    package let text: ByteString

    package init(parsing string: String) throws(IdentifierError) {
        guard try CommonIdentifier.check(string, sigil: UInt8(ascii: "#"), subject: "room alias") != nil else {
            throw IdentifierError(subject: "room alias", reason: .missingServerName)
        }
        text = ByteString(string)
    }

    package init(trusted string: String) {
        text = ByteString(string)
    }

    /// Joins parts that are already checked.
    package init(localpart: ByteString, server: ServerName) {
        text = ByteString("#\(localpart.string):\(server.string)")
    }

    package var localpart: ByteString { CommonIdentifier.localpart(of: text) }

    package var server: ServerName { CommonIdentifier.domain(of: text) ?? ServerName(trusted: "") }

    package func belongs(to server: ServerName) -> Bool { CommonIdentifier.domain(of: text, is: server) }
}
