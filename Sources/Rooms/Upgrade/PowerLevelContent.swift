// The content of a power levels event on its way from one room to another.

import MatrixCore

/// Power levels as a tree that can be changed. Room versions before 10 let levels be spelled in other ways; these become numbers, and what
/// spells no level is left out.
struct PowerLevelContent: Sendable, Equatable {
    private(set) var object: JSONObject

    /// - Parameter version: of the room that the content comes from.
    init(repairing content: JSONObject, in version: RoomVersion) {
        object = content
        guard let json = try? JSONDocument(parsing: content.canonicalBytes, limits: .lenientEvent).root else { return }
        for property in PowerLevels.Property.allCases {
            object[property.name] = json[property.name].flatMap { PowerLevelContent.level($0, in: version) }
        }
        for name in ["users", "events", "notifications"] {
            guard let levels = json[name] else { continue }
            var repaired: JSONObject = [:]
            for (key, value) in levels.members where name != "users" || UserID(valid: key.string) != nil {
                repaired[key] = PowerLevelContent.level(value, in: version)
            }
            object[name] = .object(repaired)
        }
    }

    /// Old room versions know levels that no canonical JSON holds: they become the nearest that it does.
    private static func level(_ value: JSON, in version: RoomVersion) -> JSONValue? {
        version.level(value).map { .int(min(max($0, -JSONNumber.maxInteger), JSONNumber.maxInteger)) }
    }

    // MARK: Asking

    func level(_ property: PowerLevels.Property) -> Int64 { object[property.name]?.int ?? property.defaultLevel }

    func level(of user: UserID) -> Int64 { object["users"]?.object?[user.text]?.int ?? level(.usersDefault) }

    /// What it takes to set every state event and to ban.
    var levelForEverything: Int64 {
        let events = object["events"]?.object?.compactMap(\.value.int).max() ?? 0
        return max(level(.stateDefault), level(.ban), events)
    }

    // MARK: Changing

    mutating func set(_ level: Int64, for property: PowerLevels.Property) { object[property.name] = .int(level) }

    /// - Parameter level: nil takes the user's own level away.
    mutating func set(_ level: Int64?, of user: UserID) {
        var users = object["users"]?.object ?? [:]
        users[user.text] = level.map { .int($0) }
        object["users"] = .object(users)
    }
}
