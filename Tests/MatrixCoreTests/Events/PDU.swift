import MatrixCore

/// A well-formed event of any room version, of which tests change one thing at a time.
enum PDU {
    static let room = RoomID(trusted: "!x:domain")

    static func object(_ version: RoomVersion) -> JSONObject {
        var object: JSONObject = [
            "type": "m.room.message", "sender": "@a:domain", "room_id": .string(room.string),
            "content": ["body": "x", "msgtype": "m.text"], "depth": 3, "origin_server_ts": 1_000_000,
            "prev_events": [link(version)], "auth_events": [link(version)], "hashes": ["sha256": "AAAA"],
            "signatures": ["domain": ["ed25519:1": "AAAA"]],
        ]
        if version.eventFormat == .explicitIDs { object["event_id"] = "$e:domain" }
        return object
    }

    /// The event that the event follows.
    static func previous(_ version: RoomVersion) -> EventID {
        EventID(trusted: version.eventFormat == .explicitIDs ? "$p:domain" : "$47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU")
    }

    /// How an event of the version names another.
    static func link(_ version: RoomVersion) -> JSONValue {
        let id = JSONValue.string(previous(version).string)
        return version.eventFormat == .explicitIDs ? [id, ["sha256": "AAAA"]] : id
    }

    static func parse(_ object: JSONObject, _ version: RoomVersion) throws -> Event {
        try Event(parsing: object.canonicalBytes, version: version)
    }
}
