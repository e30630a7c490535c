// The identifiers of events. Appendices §Event IDs; Rooms §Event IDs.

/// `$` and the event's reference hash since room version 3, `$opaque:domain` before. Opaque to all but the room version.
package struct EventID: EventFieldIdentifier {
    package let text: ByteString

    package init(parsing string: String, lengthIn unit: LengthUnit) throws(IdentifierError) {
        let bytes = string.utf8
        guard bytes.count > 1 else { throw IdentifierError(subject: "event ID", reason: .empty) }
        guard bytes.first == UInt8(ascii: "$") else { throw IdentifierError(subject: "event ID", reason: .wrongSigil) }
        guard !CommonIdentifier.isTooLong(string, unit) else { throw IdentifierError(subject: "event ID", reason: .tooLong) }
        guard !bytes.contains(0) else { throw IdentifierError(subject: "event ID", reason: .invalidCharacter) }
        text = ByteString(string)
    }

    package init(trusted string: String) {
        text = ByteString(string)
    }

    /// An ID as servers chose them in room versions 1 and 2.
    package init(localpart: ByteString, server: ServerName) {
        text = ByteString("$\(localpart.string):\(server.string)")
    }

    /// A new one.
    static func random(server: ServerName) -> EventID {
        EventID(localpart: CommonIdentifier.randomLocalpart(), server: server)
    }

    /// The ID that a reference hash is in a room version.
    init(referenceHash: [UInt8], _ alphabet: Base64.Alphabet) {
        text = ByteString("$" + Base64.encode(referenceHash, alphabet))
    }

    /// Checks what room versions 1 and 2 ask besides: `$opaque:domain`.
    static func checkDomain(_ string: String, lengthIn unit: LengthUnit) throws(IdentifierError) {
        guard try CommonIdentifier.check(string, sigil: UInt8(ascii: "$"), subject: "event ID", lengthIn: unit) != nil else {
            throw IdentifierError(subject: "event ID", reason: .missingServerName)
        }
    }

    /// The server that chose the ID, in room versions 1 and 2; `nil` without a domain.
    package var server: ServerName? { CommonIdentifier.domain(of: text) }
}
