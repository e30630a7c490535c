// The options of the directories, of calls and of discovery, as the table of options has them.

import MatrixCore

extension ConfigurationOptions {
    static let directories: [ConfigurationOption] = [
        .bool("enable_room_list_search", \.enableRoomListSearch),
        .custom("alias_creation_rules") { node, option, reading in
            if let rules = DirectoryRuleReader.read(node, option, &reading) { reading.configuration.aliasCreationRules = rules }
        },
        .custom("room_list_publication_rules") { node, option, reading in
            if let rules = DirectoryRuleReader.read(node, option, &reading) { reading.configuration.roomListPublicationRules = rules }
        },
        .section(
            "user_directory",
            [
                .bool("enabled", \.userDirectory.isEnabled),
                .bool("search_all_users", \.userDirectory.searchesAllUsers),
                .bool("exclude_remote_users", \.userDirectory.excludesRemoteUsers),
                .bool("prefer_local_users", \.userDirectory.prefersLocalUsers),
                .bool("show_locked_users", \.userDirectory.showsLockedUsers),
            ]),
    ]

    static let calls: [ConfigurationOption] =
        [
            .custom("turn_uris") { node, option, reading in
                guard let uris = node.texts else { return reading.fail(node, option, expected: "a list of turn: and turns: addresses") }
                reading.configuration.turn.uris = uris
            },
            .string("turn_username", \.turn.username),
            .string("turn_password", \.turn.password),
            .duration("turn_user_lifetime", \.turn.userLifetime),
            .bool("turn_allow_guests", \.turn.allowsGuests),
        ] + ConfigurationOption.secret("turn_shared_secret", \.turn.sharedSecret)

    static let discovery: [ConfigurationOption] = [
        .bool("serve_server_wellknown", \.wellKnown.isServerServed),
        .string("default_identity_server", \.wellKnown.identityServer),
        .custom("extra_well_known_client_content") { node, option, reading in
            guard case .object(let content)? = JSONValue(node) else { return reading.fail(node, option, expected: "a mapping") }
            for name in ["m.homeserver", "m.identity_server"] where content[name] != nil {
                let instead = name == "m.homeserver" ? "public_baseurl" : "default_identity_server"
                return reading.fail(node, option, because: "\(name) does not belong here; set \(instead)")
            }
            reading.configuration.wellKnown.extraClientContent = content
        },
    ]
}

/// `alias_creation_rules` and `room_list_publication_rules`: lists of `{action, user_id, room_id, alias}`.
enum DirectoryRuleReader {
    private static let names = ["action", "user_id", "room_id", "alias"]

    static func read(
        _ node: ConfigNode, _ option: String, _ reading: inout ConfigurationOption.Reading
    ) -> [DirectoryRule]? {
        guard let list = node.list else {
            reading.fail(node, option, expected: "a list of rules")
            return nil
        }
        return list.enumerated().compactMap { index, element in rule(element, "\(option)[\(index)]", &reading) }
    }

    private static func rule(_ node: ConfigNode, _ option: String, _ reading: inout ConfigurationOption.Reading) -> DirectoryRule? {
        guard let entries = node.entries else {
            reading.fail(node, option, expected: "a mapping with \(names.joined(separator: ", "))")
            return nil
        }
        for entry in entries where !names.contains(where: { $0.utf8.elementsEqual(entry.key.utf8) }) {
            reading.warn(entry.keyLocation, "\(option).\(entry.key)", "is not a known option; known are \(names.joined(separator: ", "))")
        }
        let action = node["action"]
        guard let action, let text = action.textValue, text == "allow" || text == "deny" else {
            reading.fail(action ?? node, "\(option).action", expected: "allow or deny")
            return nil
        }
        func glob(_ name: String) -> String { node[name]?.textValue ?? "*" }
        return DirectoryRule(isAllowing: text == "allow", user: glob("user_id"), room: glob("room_id"), alias: glob("alias"))
    }
}

extension JSONValue {
    /// What a YAML value is in JSON; nil for a number that JSON cannot write.
    init?(_ node: ConfigNode) {
        switch node.value {
        case .null: self = .null
        case .bool(let value): self = .bool(value)
        case .int(let value): self = .int(Int64(value))
        case .double(let value):
            guard value.isFinite else { return nil }
            self = .double(value)
        case .string(let text): self = .string(text)
        case .list(let nodes):
            let values = nodes.compactMap { JSONValue($0) }
            guard values.count == nodes.count else { return nil }
            self = .array(values)
        case .map(let entries):
            let members = entries.compactMap { entry in JSONValue(entry.node).map { (ByteString(entry.key), $0) } }
            guard members.count == entries.count else { return nil }
            self = .object(JSONObject(members))
        }
    }
}
