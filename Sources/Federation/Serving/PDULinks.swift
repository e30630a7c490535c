// The events that a stored event names. Rooms §Event format.

import MatrixCore

/// Reads the links of an event without the rest of it.
enum PDULinks {
    static func authEvents(of pdu: [UInt8], version: RoomVersion) throws(JSONError) -> [EventID] {
        try links("auth_events", of: pdu, version)
    }

    static func prevEvents(of pdu: [UInt8], version: RoomVersion) throws(JSONError) -> [EventID] {
        try links("prev_events", of: pdu, version)
    }

    /// In room versions 1 and 2 each is a pair of ID and hashes.
    private static func links(_ key: String, of pdu: [UInt8], _ version: RoomVersion) throws(JSONError) -> [EventID] {
        guard let list = try JSONDocument(parsing: pdu, limits: .lenientEvent).root[key] else { return [] }
        return list.elements.compactMap { element in
            let id = version.eventFormat == .explicitIDs ? element[0]?.string : element.string
            return id.map { EventID(trusted: $0) }
        }
    }
}
