// The fields of a PDU, read and checked against the event format. Rooms §Event format; Client-Server API §Size limits.

/// What an ``Event`` keeps beside its bytes.
struct PDUFields {
    /// `nil` where the ID is a hash: in room version 3 and later.
    let eventID: EventID?
    /// `nil` only for the create event of a room version in which it decides the room ID.
    let roomID: RoomID?
    let type: ByteString
    let stateKey: ByteString?
    let sender: UserID
    let originServerTimestamp: Timestamp
    let depth: Int64
    let prevEvents: [EventID]
    let authEvents: [EventID]
    let redacts: EventID?
    let membership: Membership?
    let contentRange: Range<Int>

    static let createType: ByteString = "m.room.create"
    static let redactionType: ByteString = "m.room.redaction"

    /// Reads the fields of an event of this room version. What is checked is what reading needs, no more, because a stored
    /// event that was redacted passes here too.
    init(_ pdu: JSON, version: RoomVersion) throws(EventError) {
        guard pdu.isObject else { throw .format("it is not an object") }
        type = ByteString(try Self.string("type", of: pdu))
        stateKey = try Self.optionalString("state_key", of: pdu).map { ByteString($0) }
        let unit: LengthUnit = version.measuresFieldsInBytes ? .bytes : .codePoints
        sender = try Self.identifier("sender", of: pdu, lengthIn: unit)
        originServerTimestamp = Timestamp(milliseconds: try Self.integer("origin_server_ts", of: pdu))
        depth = try Self.integer("depth", of: pdu)
        prevEvents = try Self.eventIDs("prev_events", of: pdu, format: version.eventFormat)
        authEvents = try Self.eventIDs("auth_events", of: pdu, format: version.eventFormat)
        eventID = try Self.eventID(of: pdu, version: version, lengthIn: unit)
        roomID = try Self.roomID(of: pdu, type: type, stateKey: stateKey, version: version, lengthIn: unit)

        guard let content = pdu["content"], content.isObject else { throw .format("content is not an object") }
        contentRange = content.byteRange
        membership = type == StateKey.memberType ? content["membership"]?.string.flatMap { Membership(rawValue: $0) } : nil
        // Of a redaction that names no event ID nothing is redacted; the event itself stands.
        redacts = type == Self.redactionType ? Self.redacts(pdu, content, version).flatMap { try? EventID(parsing: $0) } : nil
    }

    private static func redacts(_ pdu: JSON, _ content: JSON, _ version: RoomVersion) -> String? {
        (version.redactsInContent ? content["redacts"] : pdu["redacts"])?.string
    }

    /// Room versions 1 and 2 spell the event ID out, later ones must not.
    private static func eventID(of pdu: JSON, version: RoomVersion, lengthIn unit: LengthUnit) throws(EventError) -> EventID? {
        guard version.eventFormat == .explicitIDs else {
            guard pdu["event_id"] == nil else { throw .format("an event of this room version has no event_id") }
            return nil
        }
        let id: EventID = try identifier("event_id", of: pdu, lengthIn: unit)
        do {
            try EventID.checkDomain(id.string, lengthIn: unit)
        } catch {
            throw .format("event_id is \(error)")
        }
        return id
    }

    private static func roomID(
        of pdu: JSON, type: ByteString, stateKey: ByteString?, version: RoomVersion, lengthIn unit: LengthUnit
    ) throws(EventError) -> RoomID? {
        guard version.createEventDecidesRoomID else {
            let roomID: RoomID = try identifier("room_id", of: pdu, lengthIn: unit)
            guard roomID.server != nil else { throw .format("room_id has no server name") }
            return roomID
        }
        guard type == createType, stateKey?.isEmpty == true else {
            return try identifier("room_id", of: pdu, lengthIn: unit)
        }
        // Authorization rules of room version 12, rule 1.2.
        guard pdu["room_id"] == nil else { throw .format("a create event of this room version has no room_id") }
        return nil
    }

    // MARK: Fields by type

    private static func string(_ key: String, of pdu: JSON) throws(EventError) -> String {
        guard let text = pdu[key]?.string else { throw .format("\(key) is not a string") }
        return text
    }

    private static func optionalString(_ key: String, of pdu: JSON) throws(EventError) -> String? {
        guard let value = pdu[key] else { return nil }
        guard let text = value.string else { throw .format("\(key) is not a string") }
        return text
    }

    private static func integer(_ key: String, of pdu: JSON) throws(EventError) -> Int64 {
        guard let value = pdu[key]?.int else { throw .format("\(key) is not an integer") }
        return value
    }

    private static func identifier<ID: EventFieldIdentifier>(
        _ key: String, of pdu: JSON, lengthIn unit: LengthUnit
    ) throws(EventError) -> ID {
        let text = try string(key, of: pdu)
        do {
            return try ID(parsing: text, lengthIn: unit)
        } catch {
            throw error.reason == .tooLong ? .tooLarge(key) : .format("\(key) is \(error)")
        }
    }

    /// A list of event IDs; in room versions 1 and 2 of pairs of an event ID and hashes.
    private static func eventIDs(
        _ key: String, of pdu: JSON, format: RoomVersion.EventFormat
    ) throws(EventError) -> [EventID] {
        guard let list = pdu[key], list.isArray else { throw .format("\(key) is not a list") }
        var ids: [EventID] = []
        ids.reserveCapacity(list.count)
        for element in list.elements {
            let text = format == .explicitIDs ? idOfPair(element) : element.string
            guard let text else { throw .format("\(key) is not a list of event IDs") }
            do {
                ids.append(try EventID(parsing: text, lengthIn: format == .explicitIDs ? .codePoints : .bytes))
            } catch {
                throw .format("\(key) holds what is \(error)")
            }
        }
        return ids
    }

    /// The ID in `[id, {algorithm: hash}]`. The hashes say nothing that the ID does not, and no server looks at them.
    private static func idOfPair(_ pair: JSON) -> String? {
        guard pair.isArray, pair.count == 2, let hashes = pair[1], hashes.isObject else { return nil }
        guard hashes.members.allSatisfy({ $0.value.isString }) else { return nil }
        return pair[0]?.string
    }
}
