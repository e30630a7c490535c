// The hashes of an event. Server-Server API §Calculating the content hash for an event, §Calculating the reference hash for an event.

extension Event {
    /// The event ID by the rules of its room version. Rooms §Event IDs.
    static func id(of pdu: JSON, version: RoomVersion) throws(EventError) -> EventID {
        switch version.eventFormat {
        case .explicitIDs:
            guard let id = pdu["event_id"]?.string, let id = try? EventID(parsing: id) else {
                throw .format("event_id is not an event ID")
            }
            return id
        case .referenceHash:
            return EventID(trusted: "$" + SHA256Hash.base64(signedBytes(of: pdu, version: version), .standard))
        case .urlSafeReferenceHash:
            return EventID(trusted: "$" + SHA256Hash.base64(signedBytes(of: pdu, version: version), .urlSafe))
        }
    }

    /// What signatures cover, and the reference hash too: the redacted event without `signatures` and `unsigned`.
    package static func signedBytes(of pdu: JSON, version: RoomVersion) -> [UInt8] {
        Redaction.redact(pdu, rules: version.redactionRules, omitting: "signatures")
    }

    /// The SHA-256 hash over all of the event but `unsigned`, `signatures` and `hashes`, in unpadded Base64.
    package static func contentHash(of pdu: JSON) -> String {
        SHA256Hash.base64(pdu.canonicalBytes(omitting: ["unsigned", "signatures", "hashes"]))
    }

    /// What the signatures of this event cover.
    package func signedBytes() throws(EventError) -> [UInt8] {
        Self.signedBytes(of: try document(), version: version)
    }

    /// Whether the content is what its sender hashed. If not, the event is to be treated as redacted.
    package func hasValidContentHash() throws(EventError) -> Bool {
        let pdu = try document()
        guard let claimed = pdu["hashes"]?["sha256"]?.string.flatMap({ Base64.decode($0) }) else { return false }
        return claimed == Base64.decode(Self.contentHash(of: pdu))
    }

    /// The signatures that `server` put on this event: signature in Base64 by signing key identifier.
    package func signatures(of server: ServerName) throws(EventError) -> [(keyID: ByteString, signature: String)] {
        let signatures = try document()["signatures"]?[server.text]
        return signatures?.members.compactMap { member in member.value.string.map { (member.key, $0) } } ?? []
    }
}
