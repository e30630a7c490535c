// The `listeners` section.

enum ListenerReader {
    static func read(_ node: ConfigNode, _ option: String, _ reading: inout ConfigurationOption.Reading) {
        guard let nodes = node.list else { return reading.fail(node, option, expected: "a list of listeners") }
        var listeners: [Listener] = []
        for (index, node) in nodes.enumerated() {
            if let listener = readOne(node, "\(option)[\(index)]", &reading) { listeners.append(listener) }
        }
        reading.configuration.listeners = listeners
    }

    private static let known: Set<String> = [
        "port", "bind_address", "bind_addresses", "type", "tls", "x_forwarded", "resources", "additional_resources", "tag",
        "request_id_header",
        "path", "mode",
    ]

    private static func readOne(_ node: ConfigNode, _ option: String, _ reading: inout ConfigurationOption.Reading) -> Listener? {
        guard let entries = node.entries else {
            reading.fail(node, option, expected: "a mapping with port, type and resources")
            return nil
        }
        for entry in entries where !known.contains(entry.key) {
            let nearest = NearestName.nearest(to: entry.key, among: known)
            reading.warn(
                entry.keyLocation, "\(option).\(entry.key)", "is not a known option" + (nearest.map { "; did you mean \($0)?" } ?? ""))
        }
        for name in ["additional_resources", "request_id_header"] where !(node[name]?.isNull ?? true) {
            reading.notBuilt.append("\(option).\(name)")
        }

        let type = node["type"]?.textValue ?? "http"
        guard type == "http" || type == "metrics" else {
            if type == "manhole" {
                reading.notBuilt.append("\(option) (type: manhole)")
            } else {
                reading.fail(node["type"] ?? node, "\(option).type", because: "found \(type), expected http, metrics or manhole")
            }
            return nil
        }
        // The rest is checked also where the port is wrong, so that all errors are told at once.
        let binding = binding(node, option, &reading)
        var listener = Listener(binding ?? .tcp(addresses: [], port: 0), tag: node["tag"]?.textValue)
        listener.tls = flag("tls", node, option, &reading)
        listener.forwarded = flag("x_forwarded", node, option, &reading)
        if type == "metrics" {
            listener.resources = [.metrics]
        } else if let resources = node["resources"], !resources.isNull {
            (listener.resources, listener.compressed) = readResources(resources, "\(option).resources", &reading)
        } else {
            listener.resources = []
        }
        return binding == nil ? nil : listener
    }

    private static func binding(_ node: ConfigNode, _ option: String, _ reading: inout ConfigurationOption.Reading) -> Listener.Binding? {
        if let path = node["path"]?.textValue {
            guard case .int(let mode) = (node["mode"] ?? ConfigNode(.int(0o666), at: node.location)).value, (0...0o777).contains(mode)
            else {
                reading.fail(node["mode"] ?? node, "\(option).mode", expected: "permission bits such as 0o666")
                return nil
            }
            return .unix(path: path, mode: UInt32(mode))
        }
        guard let portNode = node["port"], !portNode.isNull else {
            reading.fail(node, "\(option).port", because: "found nothing, expected a port number")
            return nil
        }
        guard case .int(let port) = portNode.value, (1...65_535).contains(port) else {
            reading.fail(portNode, "\(option).port", expected: "a port number from 1 to 65535")
            return nil
        }
        var addresses = Listener.defaultAddresses
        if let node = node["bind_addresses"], !node.isNull {
            guard let texts = node.texts else {
                reading.fail(node, "\(option).bind_addresses", expected: "a list of addresses, e.g. ['127.0.0.1']")
                return nil
            }
            addresses = texts
        } else if let node = node["bind_address"], !node.isNull {
            guard let text = node.textValue else {
                reading.fail(node, "\(option).bind_address", expected: "an address, e.g. 127.0.0.1")
                return nil
            }
            addresses = text.isEmpty ? Listener.defaultAddresses : [text]
        }
        if addresses.isEmpty { addresses = Listener.defaultAddresses }
        return .tcp(addresses: addresses, port: port)
    }

    private static func flag(_ name: String, _ node: ConfigNode, _ option: String, _ reading: inout ConfigurationOption.Reading) -> Bool {
        guard let node = node[name], !node.isNull else { return false }
        guard case .bool(let value) = node.value else {
            reading.fail(node, "\(option).\(name)", expected: "true or false")
            return false
        }
        return value
    }

    private static func readResources(
        _ node: ConfigNode, _ option: String, _ reading: inout ConfigurationOption.Reading
    ) -> (Set<Listener.Resource>, compressed: Set<Listener.Resource>) {
        var resources: Set<Listener.Resource> = []
        var compressed: Set<Listener.Resource> = []
        guard let list = node.list else {
            reading.fail(node, option, expected: "a list of mappings with names")
            return ([], [])
        }
        for (index, element) in list.enumerated() {
            let path = "\(option)[\(index)]"
            guard element.entries != nil else {
                reading.fail(element, path, expected: "a mapping with names")
                continue
            }
            // Synapse takes one name without a list as well.
            let names = element["names"].flatMap { node in node.textValue.map { _ in [node] } ?? node.list }
            guard let names else {
                reading.fail(element["names"] ?? element, "\(path).names", expected: "a list such as [client, federation]")
                continue
            }
            let compress = flag("compress", element, path, &reading)
            for name in names {
                guard let text = name.textValue, let resource = Listener.Resource(rawValue: text) else {
                    let found = name.textValue ?? name.kindInWords
                    let all = Listener.Resource.allCases.map(\.rawValue).joined(separator: ", ")
                    reading.fail(name, "\(path).names", because: "found \(found), expected one of \(all)")
                    continue
                }
                if resource == .replication || resource == .consent { reading.notBuilt.append("\(path).names: \(text)") }
                resources.insert(resource)
                if compress { compressed.insert(resource) }
            }
        }
        return (resources, compressed)
    }
}
