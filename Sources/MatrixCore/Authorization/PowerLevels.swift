// The power levels in force in a room. Client-Server API §m.room.power_levels, with the defaults it names.

/// A room's `m.room.power_levels`, parsed once, or the defaults of a room that has none.
///
/// A class, because one parse is shared by every snapshot and every check until the next power levels event. Values that
/// spell no level (``RoomVersion/level(_:)``) count as absent; no room that has a power levels event accepts another with such.
package final class PowerLevels: Sendable {
    /// Whether the room has an `m.room.power_levels` event. Without one the creator has 100, everybody else 0.
    package let isPresent: Bool
    /// Users above every level (room version 12 and later), else empty.
    package let infiniteUsers: Set<UserID>
    /// The levels that the event spells out, by user id, event type and notification key.
    let users: [ByteString: Int64]
    let events: [ByteString: Int64]
    let notifications: [ByteString: Int64]
    private let properties: [Int64?]
    /// Who has 100 while there is no power levels event. Room versions before 12.
    private let implicitAdministrator: UserID?

    /// The levels which are a property of the content, rather than entries of an object.
    package enum Property: Int, CaseIterable, Sendable {
        case usersDefault, eventsDefault, stateDefault, ban, redact, kick, invite

        package var name: String { Self.table[rawValue].name }
        /// What holds when the content does not name the property.
        package var defaultLevel: Int64 { Self.table[rawValue].level }

        private static let table: [(name: String, level: Int64)] = [
            ("users_default", 0), ("events_default", 0), ("state_default", 50),
            ("ban", 50), ("redact", 50), ("kick", 50), ("invite", 0),
        ]
    }

    /// - Parameters:
    ///   - content: the content of the power levels event; `nil` when the room has none.
    ///   - creators: the room's creators, the create event's sender first (``CreateEvent/creators``).
    package init(content: JSON?, creators: [UserID], version: RoomVersion) {
        isPresent = content != nil
        infiniteUsers = version.creatorsHaveInfinitePower ? Set(creators) : []
        implicitAdministrator = content == nil && !version.creatorsHaveInfinitePower ? creators.first : nil
        users = Self.levels(content?["users"], version)
        events = Self.levels(content?["events"], version)
        notifications = Self.levels(content?["notifications"], version)
        properties = Property.allCases.map { content?[$0.name].flatMap { version.level($0) } }
    }

    private static func levels(_ object: JSON?, _ version: RoomVersion) -> [ByteString: Int64] {
        var levels: [ByteString: Int64] = [:]
        guard let object else { return levels }
        for (key, value) in object.members { levels[key] = version.level(value) }
        return levels
    }
}

// MARK: - Asking

extension PowerLevels {
    /// The level that the event gives `property` explicitly.
    package func explicit(_ property: Property) -> Int64? { properties[property.rawValue] }

    /// The level of `property` in force.
    package func level(_ property: Property) -> PowerLevel {
        .finite(properties[property.rawValue] ?? property.defaultLevel)
    }

    package var ban: PowerLevel { level(.ban) }
    package var kick: PowerLevel { level(.kick) }
    package var invite: PowerLevel { level(.invite) }
    package var redact: PowerLevel { level(.redact) }
    package var usersDefault: PowerLevel { level(.usersDefault) }
    package var eventsDefault: PowerLevel { level(.eventsDefault) }
    package var stateDefault: PowerLevel { level(.stateDefault) }

    /// The power of `user`.
    package func level(of user: UserID) -> PowerLevel {
        if infiniteUsers.contains(user) { return .infinite }
        if let level = users[user.text] { return .finite(level) }
        return user == implicitAdministrator ? 100 : usersDefault
    }

    /// The *required power level* to send an event of `type`.
    package func required(toSend type: ByteString, isState: Bool) -> PowerLevel {
        if let level = events[type] { return .finite(level) }
        return isState ? stateDefault : eventsDefault
    }

    /// What a sender needs to trigger the notification `key`, for example `room`; 50 where the event says nothing.
    package func required(toNotify key: ByteString) -> PowerLevel {
        .finite(notifications[key] ?? 50)
    }
}

// MARK: - A new room

extension PowerLevels {
    /// The power levels a new room starts with, before presets and overrides. Client-Server API §Creation.
    ///
    /// From room version 12 on, creators must not be listed, and `m.room.tombstone` stands above `state_default` even for
    /// administrators.
    package static func defaultContent(creator: UserID, version: RoomVersion) -> JSONObject {
        let users: JSONObject = version.creatorsHaveInfinitePower ? [:] : [creator.string: 100]
        return [
            "users": .object(users),
            "users_default": 0,
            "events": .object([
                "m.room.name": 50,
                "m.room.power_levels": 100,
                "m.room.history_visibility": 100,
                "m.room.canonical_alias": 50,
                "m.room.avatar": 50,
                "m.room.tombstone": version.creatorsHaveInfinitePower ? 150 : 100,
                "m.room.server_acl": 100,
                "m.room.encryption": 100,
            ]),
            "events_default": 0,
            "state_default": 50,
            "ban": 50,
            "kick": 50,
            "redact": 50,
            "invite": 50,
        ]
    }
}
