// The hashes of an event. Server-Server API §Calculating the content hash for an event, §Calculating the reference hash for an event.

extension Event {
    /// The event ID by the rules of a room version. Rooms §Event IDs.
    ///
    /// - Parameter referenceHash: asked for where the ID is one.
    static func id(
        of fields: PDUFields, referenceHash: @autoclosure () -> [UInt8], version: RoomVersion
    ) throws(EventError) -> EventID {
        switch version.eventFormat {
        case .explicitIDs:
            guard let id = fields.eventID else { throw .format("event_id is missing") }
            return id
        case .referenceHash: return EventID(referenceHash: referenceHash(), .standard)
        case .urlSafeReferenceHash: return EventID(referenceHash: referenceHash(), .urlSafe)
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

    /// The hash by which events of room versions 1 and 2 name this one beside its ID, in unpadded Base64.
    package func referenceHash() throws(EventError) -> String {
        SHA256Hash.base64(try signedBytes())
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

    /// Whether one of `keys`, which are `server`'s by their identifiers, signed this event.
    ///
    /// Which servers must have signed is ``requiredSigners(of:)``'s business, and whether a key was valid at the event's time
    /// (``RoomVersion/enforcesKeyValidity``) the caller's.
    package func isSigned(by server: ServerName, keys: [ByteString: VerifyKey]) throws(EventError) -> Bool {
        let signatures = try signatures(of: server).filter { keys[$0.keyID] != nil }
        guard !signatures.isEmpty else { return false }
        let bytes = try signedBytes()
        return signatures.contains { keys[$0.keyID]?.verify($0.signature, of: bytes) == true }
    }
}
