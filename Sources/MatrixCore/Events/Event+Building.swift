// New events of this server. Server-Server API §Adding hashes and signatures to outgoing events.

/// What a user wants to send; the room adds where it stands in the graph.
package struct EventDraft: Sendable {
    package var type: ByteString
    package var stateKey: ByteString?
    /// A JSON object in any form.
    package var content: [UInt8]
    package var sender: UserID
    /// For `m.room.redaction`: goes into the content since room version 11, beside it before.
    package var redacts: EventID?

    package init(type: ByteString, stateKey: ByteString? = nil, content: [UInt8], sender: UserID, redacts: EventID? = nil) {
        self.type = type
        self.stateKey = stateKey
        self.content = content
        self.sender = sender
        self.redacts = redacts
    }

    package init(type: ByteString, stateKey: ByteString? = nil, content: JSONObject, sender: UserID, redacts: EventID? = nil) {
        self.init(type: type, stateKey: stateKey, content: content.canonicalBytes, sender: sender, redacts: redacts)
    }
}

extension Event {
    /// Makes the event: hashes it, signs it, computes its ID.
    ///
    /// - Parameters:
    ///   - roomID: `nil` for a create event that decides the room ID (room version 12): the room is then the event's ``roomID``.
    ///   - authEvents: in room version 12 without the create event.
    ///   - origin: the name under which `key` signs: this server.
    /// - Throws: `.json` and `.format` when the draft's content is not an object of canonical JSON, `.tooLarge` over a size limit.
    package static func build(
        _ draft: EventDraft, roomID: RoomID?, version: RoomVersion, prevEvents: [EventID], authEvents: [EventID], depth: Int64,
        originServerTimestamp: Timestamp, origin: ServerName, key: SigningKey
    ) throws(EventError) -> Event {
        guard version.eventFormat != .explicitIDs else {
            throw .unsupported("Events of room version \(version.id) are not made by this server")
        }
        // PostgreSQL keeps no NUL in text; events of other servers that have one are their business.
        guard !draft.type.string.utf8.contains(0) else { throw .format("type holds a NUL character") }
        guard draft.stateKey?.string.utf8.contains(0) != true else { throw .format("state_key holds a NUL character") }
        let pdu = UnsignedPDU(
            draft: draft, content: try content(of: draft, version: version), roomID: roomID, version: version, prevEvents: prevEvents,
            authEvents: authEvents, depth: min(depth, JSONNumber.maxInteger), originServerTimestamp: originServerTimestamp)

        let contentHash = SHA256Hash.base64(pdu.bytes(contentHash: nil, signature: nil))
        let hashed = try document(pdu.bytes(contentHash: contentHash, signature: nil), .lenientEvent)
        let signedBytes = signedBytes(of: hashed, version: version)
        let signature: String
        do {
            signature = try key.sign(signedBytes)
        } catch {
            throw .format("it could not be signed")
        }
        let json = pdu.bytes(contentHash: contentHash, signature: (origin, key.keyID, signature))
        guard json.count <= byteLimit else { throw .tooLarge("the event") }

        let signed = try document(json, .lenientEvent)
        let fields = try PDUFields(signed, version: version)
        try checkFormat(signed, fields)
        let alphabet: Base64.Alphabet = version.eventFormat == .referenceHash ? .standard : .urlSafe
        // The reference hash covers the very bytes that were signed.
        let id = EventID(trusted: "$" + SHA256Hash.base64(signedBytes, alphabet))
        return Event(json: json, version: version, id: id, fields: fields)
    }

    /// The draft's content as canonical JSON, with `redacts` in it where the room version wants it there.
    private static func content(of draft: EventDraft, version: RoomVersion) throws(EventError) -> [UInt8] {
        let content = try document(draft.content, version.strictJSON ? .strictEvent : .lenientEvent)
        guard content.isObject else { throw .format("content is not an object") }
        guard version.redactsInContent, let redacts = draft.redacts else { return content.canonicalBytes }
        var object = JSONObject(content)
        object["redacts"] = .string(redacts.string)
        return object.canonicalBytes
    }
}

/// The keys of a new event. They are written in canonical order, so that no tree has to be sorted.
private struct UnsignedPDU {
    let draft: EventDraft
    let content: [UInt8]
    let roomID: RoomID?
    let version: RoomVersion
    let prevEvents: [EventID]
    let authEvents: [EventID]
    let depth: Int64
    let originServerTimestamp: Timestamp

    func bytes(contentHash: String?, signature: (entity: ServerName, keyID: String, signature: String)?) -> [UInt8] {
        var writer = JSONWriter(capacity: content.count + 1024)
        writer.object { writer in
            writer.member("auth_events", authEvents)
            writer.member("content", raw: content)
            writer.member("depth", depth)
            if let contentHash {
                writer.member("hashes", object: { $0.member("sha256", contentHash) })
            }
            writer.member("origin_server_ts", originServerTimestamp)
            writer.member("prev_events", prevEvents)
            if let redacts = draft.redacts, !version.redactsInContent {
                writer.member("redacts", redacts)
            }
            if let roomID {
                writer.member("room_id", roomID)
            }
            writer.member("sender", draft.sender)
            if let (entity, keyID, signature) = signature {
                writer.member("signatures", object: { $0.member(entity.string, object: { $0.member(keyID, signature) }) })
            }
            if let stateKey = draft.stateKey {
                writer.member("state_key", stateKey)
            }
            writer.member("type", draft.type)
        }
        return writer.bytes
    }
}
