// The section `server_notices`.

import MatrixCore

enum ServerNoticeReader {
    static let option = ConfigurationOption.custom("server_notices") { node, option, reading in
        guard let entries = node.entries else { return reading.fail(node, option, expected: "a mapping with system_mxid_localpart") }
        let sender = node["system_mxid_localpart"]
        guard let localpart = sender?.textValue, !localpart.isEmpty,
            UserID(valid: "@\(localpart):\(reading.configuration.serverName)")?.localpart.string == localpart
        else {
            return reading.fail(sender ?? node, "\(option).system_mxid_localpart", expected: "a localpart such as notices")
        }
        var options = ServerNoticeOptions(senderLocalpart: localpart)
        for entry in entries where !entry.node.isNull {
            let path = "\(option).\(entry.key)"
            func text(_ set: (String) -> Void) {
                if let text = entry.node.textValue { set(text) } else { reading.fail(entry.node, path, expected: "text") }
            }
            switch entry.key {
            case "system_mxid_localpart": break
            case "system_mxid_display_name": text { options.senderName = $0 }
            case "system_mxid_avatar_url": text { options.senderAvatarURL = $0 }
            case "room_name": text { options.roomName = $0.isEmpty ? nil : $0 }
            case "room_avatar_url": text { options.roomAvatarURL = $0 }
            case "room_topic": text { options.roomTopic = $0 }
            case "auto_join":
                guard case .bool(let joins) = entry.node.value else {
                    reading.fail(entry.node, path, expected: "true or false")
                    continue
                }
                options.joinsUsers = joins
            default: reading.warn(entry.keyLocation, path, "is not a known option")
            }
        }
        reading.configuration.serverNotices = options
    }
}
