// The options about presence, and those that list rooms.

import MatrixCore

enum PresenceOptions {
    static let all: [ConfigurationOption] = [
        .section(
            "presence",
            [
                .custom("enabled") { node, option, reading in
                    switch node.value {
                    case .bool(let enabled): reading.configuration.presence.setting = enabled ? .enabled : .disabled
                    case .string("untracked"): reading.configuration.presence.setting = .untracked
                    default: reading.fail(node, option, expected: "true, false or untracked")
                    }
                },
                .bool("include_offline_users_on_sync", \.presence.includesOfflineUsersOnSync),
                positive("last_active_granularity", \.presence.lastActiveGranularity),
                positive("sync_online_timeout", \.presence.syncOnlineTimeout),
                positive("idle_timeout", \.presence.idleTimeout),
                .notBuilt("presence_router"),
            ]),
        .custom("use_presence") { node, option, reading in
            guard case .bool(let isUsed) = node.value else { return reading.fail(node, option, expected: "true or false") }
            reading.configuration.presence.olderSetting = isUsed
        },
        rooms("exclude_rooms_from_presence", \.presence.excludedRooms),
        rooms("exclude_rooms_from_sync", \.roomsExcludedFromSync),
    ]

    private static func positive(_ name: String, _ path: ConfigurationOption.Path<Duration>) -> ConfigurationOption {
        .custom(name) { node, option, reading in
            guard let duration = Units.duration(node), duration >= .milliseconds(1) else {
                return reading.fail(node, option, expected: ConfigurationOption.durationInWords)
            }
            reading.configuration[keyPath: path] = duration
        }
    }

    private static func rooms(_ name: String, _ path: ConfigurationOption.Path<Set<RoomID>>) -> ConfigurationOption {
        .custom(name) { node, option, reading in
            if case .null = node.value { return }
            guard let list = node.list else { return reading.fail(node, option, expected: "a list of room ids") }
            for (index, element) in list.enumerated() {
                do {
                    reading.configuration[keyPath: path].insert(try RoomID(parsing: element.textValue ?? ""))
                } catch {
                    reading.fail(
                        element, "\(option)[\(index)]", because: "found \(element.textValue ?? element.kindInWords), expected !id:server")
                }
            }
        }
    }
}
