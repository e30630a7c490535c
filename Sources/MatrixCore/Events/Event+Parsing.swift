// From bytes to an event. Server-Server API §Checks performed on receipt of a PDU, step 1; Client-Server API §Size limits.

extension Event {
    /// The longest event in the format of federation as canonical JSON, signatures included, `unsigned` not.
    /// Client-Server API §Size limits.
    package static let byteLimit = 65_536
    /// The longest `sender`, `room_id`, `state_key`, `type` and event ID. Client-Server API §Size limits.
    package static let fieldByteLimit = 255
    /// The most `prev_events`. Rooms §Event format.
    package static let prevEventsLimit = 20
    /// The most `auth_events`. Rooms §Event format.
    package static let authEventsLimit = 10
    /// The greatest depth. Texts of room versions before 6 allow up to 2^63 − 1; no server accepts it any more, because such
    /// depths were made to break rooms, and to follow one would shut this server out of the room.
    package static let depthLimit = JSONNumber.maxInteger

    /// Reads an event that comes from outside: checks format and sizes, brings it into canonical form, computes its ID.
    ///
    /// `unsigned` is dropped: no hash and no signature covers it, and what it says here is not what it says to our clients.
    /// Any other key the sender wrote is kept, because the hashes cover it. Neither signatures nor content hash are checked
    /// here; see ``hasValidContentHash()`` and ``isSigned(by:keys:)``.
    package convenience init(parsing json: [UInt8], version: RoomVersion) throws(EventError) {
        let received = try Self.received(json, version: version)
        guard received.isObject else { throw .format("it is not an object") }
        guard received["unsigned"]?.isObject ?? true else { throw .format("unsigned is not an object") }
        let canonical = received.canonicalBytes(omitting: ["unsigned"])
        guard canonical.count <= Self.byteLimit else { throw .tooLarge("the event") }
        let pdu = try canonical == json ? received : Self.document(canonical, .lenientEvent)
        let fields = try PDUFields(pdu, version: version)
        try Self.checkFormat(pdu, fields, version: version)
        let id = try Self.id(
            of: fields, referenceHash: SHA256Hash.hash(Self.signedBytes(of: pdu, version: version)), version: version)
        self.init(json: canonical, version: version, id: id, fields: fields)
    }

    /// An event from our own database, which was parsed or built before it was stored: no hash is computed, nothing is brought
    /// into canonical form.
    package convenience init(trusted json: [UInt8], id: EventID, version: RoomVersion) throws(EventError) {
        let fields = try PDUFields(Self.document(json, .lenientEvent), version: version)
        self.init(json: json, version: version, id: id, fields: fields)
    }

    /// The event as it came in. `unsigned` is not held to canonical JSON: other servers look away from it too, and must not be
    /// the only ones who have the event.
    private static func received(_ json: [UInt8], version: RoomVersion) throws(EventError) -> JSON {
        guard version.strictJSON else { return try document(json, .lenientEvent) }
        do {
            return try document(json, .strictEvent)
        } catch {
            guard case .json(let reason) = error, reason.isValidJSON else { throw error }
            let event = try document(json, .lenientEvent)
            guard event["unsigned"]?.isObject == true else { throw error }
            return try document(event.canonicalBytes(omitting: ["unsigned"]), .strictEvent)
        }
    }

    static func document(_ json: [UInt8], _ limits: JSONLimits) throws(EventError) -> JSON {
        do {
            return try JSONDocument(parsing: json, limits: limits).root
        } catch {
            throw .json(error)
        }
    }

    /// What the event format asks beyond the fields that are kept, and the sizes of fields.
    static func checkFormat(_ pdu: JSON, _ fields: PDUFields, version: RoomVersion) throws(EventError) {
        let unit: LengthUnit = version.measuresFieldsInBytes ? .bytes : .codePoints
        guard unit.length(of: fields.type.string) <= fieldByteLimit else { throw .tooLarge("type") }
        guard fields.stateKey.map({ unit.length(of: $0.string) <= fieldByteLimit }) ?? true else { throw .tooLarge("state_key") }
        guard (0...depthLimit).contains(fields.depth) else { throw .format("depth is out of range") }
        guard fields.prevEvents.count <= prevEventsLimit else { throw .tooLarge("prev_events") }
        guard fields.authEvents.count <= authEventsLimit else { throw .tooLarge("auth_events") }
        guard let hashes = pdu["hashes"], hashes.isObject, hashes["sha256"]?.isString == true else {
            throw .format("hashes has no sha256")
        }
        guard hashes.members.allSatisfy({ $0.value.isString }) else { throw .format("hashes are not strings") }
        guard let signatures = pdu["signatures"], signatures.isObject else { throw .format("signatures is not an object") }
        for (_, keys) in signatures.members {
            guard keys.isObject, keys.members.allSatisfy({ $0.value.isString }) else {
                throw .format("signatures are not strings by key and server")
            }
        }
    }
}

extension PDUFields {
    /// The field that is longer than the specification allows. Events of room versions before 11 that have one are read, since
    /// servers always did, and then refused by the rules (``checkFieldSizes(of:)``).
    var fieldOverByteLimit: String? {
        Event.fieldOverByteLimit(type: type, stateKey: stateKey, sender: sender, roomID: roomID, id: eventID)
    }
}

extension Event {
    static func fieldOverByteLimit(
        type: ByteString, stateKey: ByteString?, sender: UserID, roomID: RoomID?, id: EventID?
    ) -> String? {
        let fields: [(String, ByteString?)] = [
            ("sender", sender.text), ("room_id", roomID?.text), ("state_key", stateKey), ("type", type), ("event_id", id?.text),
        ]
        return fields.first { _, text in (text?.count ?? 0) > fieldByteLimit }?.0
    }
}
