// The options that turn single features on or off.

import MatrixCore

enum FeatureOptions {
    static let all: [ConfigurationOption] = [
        .bool("enable_search", \.enableSearch),
        .section("matrix_rtc", [.custom("transports", transports)]),
        .custom("experimental_features", experiments),
    ]

    /// MSC4143: a list of mappings with `type`; those of type `livekit` say where the service is.
    private static func transports(_ node: ConfigNode, _ option: String, _ reading: inout ConfigurationOption.Reading) {
        guard let list = node.list else { return reading.fail(node, option, expected: "a list of transports") }
        for (index, element) in list.enumerated() {
            let path = "\(option)[\(index)]"
            guard let transport = JSONValue(element), let type = transport["type"]?.string else {
                reading.fail(element, path, expected: "a mapping with type")
                continue
            }
            if type.utf8.elementsEqual("livekit".utf8), transport["livekit_service_url"]?.string?.isEmpty ?? true {
                reading.fail(element, path, because: "a transport of type livekit needs livekit_service_url")
            }
            reading.configuration.rtcTransports.append(transport)
        }
    }

    /// The experiments of Synapse that this server has, and that are not always on.
    private static let switches: [(name: String, path: ConfigurationOption.Path<Bool>)] = [
        ("msc3720_enabled", \.tellsAccountStatus),
        ("msc1763_enabled", \.retention.isTold),
        ("msc4306_enabled", \.hasThreadSubscriptions),
    ]

    /// MSC4108 and MSC4388.
    ///
    /// - Returns: whether the entry is about these.
    private static func readRendezvous(
        _ entry: ConfigNode.Entry, _ path: String, _ reading: inout ConfigurationOption.Reading
    ) -> Bool {
        switch entry.key {
        case "msc4108_enabled":
            guard case .bool(let isEnabled) = entry.node.value else {
                reading.fail(entry.node, path, expected: "true or false")
                return true
            }
            reading.configuration.login.rendezvous.isEnabled = isEnabled
        case "msc4108_delegation_endpoint":
            guard let endpoint = entry.node.textValue, endpoint.hasPrefix("https://") || endpoint.hasPrefix("http://") else {
                reading.fail(entry.node, path, expected: "an address that begins with https:// or http://")
                return true
            }
            reading.configuration.login.rendezvous.delegationEndpoint = endpoint
        case "msc4388_mode":
            // Without quotes, `off` is a boolean in YAML.
            let text = if case .bool(false) = entry.node.value { "off" } else { entry.node.textValue ?? "" }
            guard let mode = RendezvousConfiguration.Mode(rawValue: text) else {
                reading.fail(entry.node, path, expected: "off, open or authenticated")
                return true
            }
            reading.configuration.login.rendezvous.mode = mode
        default: return false
        }
        return true
    }

    private static func experiments(_ node: ConfigNode, _ option: String, _ reading: inout ConfigurationOption.Reading) {
        guard let entries = node.entries else { return reading.fail(node, option, expected: "a mapping") }
        for entry in entries {
            let path = "\(option).\(entry.key)"
            if readRendezvous(entry, path, &reading) { continue }
            guard let (_, setting) = switches.first(where: { $0.name.utf8.elementsEqual(entry.key.utf8) }) else {
                // What is off in the file is off here.
                if case .bool(false) = entry.node.value { continue }
                reading.notBuilt.append(path)
                continue
            }
            guard case .bool(let isOn) = entry.node.value else {
                reading.fail(entry.node, path, expected: "true or false")
                continue
            }
            reading.configuration[keyPath: setting] = isOn
        }
    }
}
