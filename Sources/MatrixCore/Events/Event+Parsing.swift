// From bytes to an event. Server-Server API §Checks performed on receipt of a PDU, step 1; Client-Server API §Size limits.

extension Event {
    /// The longest event in the format of federation as canonical JSON, signatures included.
    package static let byteLimit = 65_536
    /// The longest `sender`, `room_id`, `state_key`, `type` and event ID.
    package static let fieldByteLimit = 255
    package static let prevEventsLimit = 20
    package static let authEventsLimit = 10

    /// Reads an event that comes from outside: checks format and sizes, brings it into canonical form, computes its ID.
    ///
    /// `unsigned` is dropped: no hash and no signature covers it, and what it says here is not what it says to our clients.
    /// Any other key the sender wrote is kept, because the hashes cover it. Neither signatures nor content hash are checked
    /// here; see ``hasValidContentHash()`` and ``Event/signedBytes()``.
    package convenience init(parsing json: [UInt8], version: RoomVersion) throws(EventError) {
        let received = try Self.document(json, version.strictJSON ? .strictEvent : .lenientEvent)
        guard received.isObject else { throw .format("it is not an object") }
        guard received.canonicalBytes.count <= Self.byteLimit else { throw .tooLarge("the event") }
        let canonical = received.canonicalBytes(omitting: ["unsigned"])
        let pdu = try Self.document(canonical, .lenientEvent)
        let fields = try PDUFields(pdu, version: version)
        try Self.checkFormat(pdu, fields)
        let id = try Self.id(of: pdu, version: version)
        self.init(json: canonical, version: version, id: id, fields: fields)
    }

    /// An event from our own database, which was parsed or built before it was stored: no hash is computed, nothing is brought
    /// into canonical form.
    package convenience init(trusted json: [UInt8], id: EventID, version: RoomVersion) throws(EventError) {
        let fields = try PDUFields(Self.document(json, .lenientEvent), version: version)
        self.init(json: json, version: version, id: id, fields: fields)
    }

    static func document(_ json: [UInt8], _ limits: JSONLimits) throws(EventError) -> JSON {
        do {
            return try JSONDocument(parsing: json, limits: limits).root
        } catch {
            throw .json(error)
        }
    }

    /// What the event format asks beyond the fields that are kept, and the sizes of fields.
    static func checkFormat(_ pdu: JSON, _ fields: PDUFields) throws(EventError) {
        guard fields.type.count <= fieldByteLimit else { throw .tooLarge("type") }
        guard fields.stateKey.map({ $0.count <= fieldByteLimit }) ?? true else { throw .tooLarge("state_key") }
        guard (0...JSONNumber.maxInteger).contains(fields.depth) else { throw .format("depth is out of range") }
        guard fields.prevEvents.count <= prevEventsLimit else { throw .tooLarge("prev_events") }
        guard fields.authEvents.count <= authEventsLimit else { throw .tooLarge("auth_events") }
        guard let hashes = pdu["hashes"], hashes.isObject, hashes["sha256"]?.isString == true else {
            throw .format("hashes has no sha256")
        }
        guard let signatures = pdu["signatures"], signatures.isObject else { throw .format("signatures is not an object") }
        for (_, keys) in signatures.members {
            guard keys.isObject, keys.members.allSatisfy({ $0.value.isString }) else {
                throw .format("signatures are not strings by key and server")
            }
        }
    }
}
