// New events of this server. Server-Server API §Adding hashes and signatures to outgoing events.

extension Event {
    /// The longest event that this server makes. Less than ``byteLimit``, because others count what they put into `unsigned`
    /// themselves, and an event that only some servers accept splits a room.
    package static let outgoingByteLimit = byteLimit - 64

    /// Makes the event: hashes it, signs it, computes its ID.
    ///
    /// - Parameters:
    ///   - roomID: `nil` for a create event that decides the room ID (room version 12): the room is then the event's ``roomID``.
    ///   - authEvents: in room version 12 without the create event.
    ///   - referenceHashes: of all previous and auth events, in room versions 1 and 2.
    ///   - origin: the name under which `key` signs: this server.
    /// - Throws: `.json` and `.format` when the draft's content is not an object of canonical JSON, `.tooLarge` over a size limit,
    ///   `.missingReferenceHash`.
    package static func build(
        _ draft: EventDraft, roomID: RoomID?, version: RoomVersion, prevEvents: [EventID], authEvents: [EventID],
        referenceHashes: ReferenceHashes = [:], depth: Int64, originServerTimestamp: Timestamp, origin: ServerName, key: SigningKey
    ) throws(EventError) -> Event {
        // PostgreSQL keeps no NUL in text; events of other servers that have one are their business.
        guard !draft.type.string.utf8.contains(0) else { throw .format("type holds a NUL character") }
        guard draft.stateKey?.string.utf8.contains(0) != true else { throw .format("state_key holds a NUL character") }
        let choosesID = version.eventFormat == .explicitIDs
        if choosesID, let unknown = (prevEvents + authEvents).first(where: { referenceHashes[$0] == nil }) {
            throw .missingReferenceHash(unknown)
        }
        let pdu = UnsignedPDU(
            draft: draft, content: try content(of: draft, version: version), roomID: roomID, version: version,
            eventID: choosesID ? .random(server: origin) : nil, prevEvents: prevEvents,
            authEvents: authEvents, referenceHashes: referenceHashes, depth: min(max(depth, 0), depthLimit),
            originServerTimestamp: originServerTimestamp)
        return try seal(version: version, origin: origin, key: key) { pdu.bytes(contentHash: $0, signature: $1) }
    }

    /// Makes an event of the template that another server answered a `make_join`, `make_leave` or `make_knock` with. The
    /// template says where the event stands in the graph; what this server must decide itself is replaced. Server-Server API
    /// §Joining Rooms.
    ///
    /// The caller checks that it says what it should: type, room, sender, state key, membership.
    package static func build(
        template: JSONObject, version: RoomVersion, originServerTimestamp: Timestamp, origin: ServerName, key: SigningKey
    ) throws(EventError) -> Event {
        var pdu = template
        for name in ["event_id", "hashes", "origin", "signatures", "unsigned"] { pdu[name] = nil }
        pdu["origin_server_ts"] = .int(originServerTimestamp.milliseconds)
        if version.eventFormat == .explicitIDs {
            pdu["event_id"] = .string(EventID.random(server: origin).string)
        }
        let unsigned = pdu
        return try seal(version: version, origin: origin, key: key) { hash, signature in
            var pdu = unsigned
            if let hash { pdu["hashes"] = ["sha256": .string(hash)] }
            guard let signature else { return pdu.canonicalBytes }
            return JSONSigning.adding(
                signature.signature, by: signature.server.string, keyID: signature.keyID, to: pdu
            ).canonicalBytes
        }
    }

    /// Hashes and signs what `write` writes as canonical JSON, first without either, then with the hash, then with both.
    private static func seal(
        version: RoomVersion, origin: ServerName, key: SigningKey, write: (_ contentHash: String?, EventSignature?) -> [UInt8]
    ) throws(EventError) -> Event {
        let limits: JSONLimits = version.strictJSON ? .strictEvent : .lenientEvent
        let contentHash = SHA256Hash.base64(write(nil, nil))
        let signedBytes = signedBytes(of: try document(write(contentHash, nil), limits), version: version)
        let signature = try sign(signedBytes, with: key)
        let json = write(contentHash, EventSignature(server: origin, keyID: key.keyID, signature: signature))
        guard json.count <= outgoingByteLimit else { throw .tooLarge("the event") }

        let signed = try document(json, .lenientEvent)
        let fields = try PDUFields(signed, version: version)
        try checkFormat(signed, fields, version: version)
        // No event of ours is longer than any server allows, whatever the room version lets pass.
        if let field = fields.fieldOverByteLimit { throw .tooLarge(field) }
        // The reference hash covers the very bytes that were signed.
        let id = try id(of: fields, referenceHash: SHA256Hash.hash(signedBytes), version: version)
        return Event(json: json, version: version, id: id, fields: fields)
    }

    private static func sign(_ bytes: [UInt8], with key: SigningKey) throws(EventError) -> String {
        do {
            return try key.sign(bytes)
        } catch {
            throw .format("it could not be signed")
        }
    }

    /// The event with this server's signature beside those it has: a join that this server authorises, an invite that its user
    /// accepts to get.
    package func signed(as server: ServerName, key: SigningKey) throws(EventError) -> Event {
        try adding(try Self.sign(signedBytes(), with: key), by: server, keyID: ByteString(key.keyID))
    }

    /// The event with a signature in Base64 that `server` has made, beside those it has. Nothing is checked.
    package func adding(_ signature: String, by server: ServerName, keyID: ByteString) throws(EventError) -> Event {
        let signed = JSONSigning.adding(signature, by: server.string, keyID: keyID.string, to: JSONObject(try document()))
        return try Event(trusted: signed.canonicalBytes, id: id, version: version)
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
