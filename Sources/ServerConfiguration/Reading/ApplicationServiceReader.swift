// `app_service_config_files`: a file for each application service.

enum ApplicationServiceReader {
    static let option = ConfigurationOption.custom("app_service_config_files", read)

    private static func read(_ node: ConfigNode, _ option: String, _ reading: inout ConfigurationOption.Reading) {
        guard let list = node.list else { return reading.fail(node, option, expected: "a list of files") }
        for (index, element) in list.enumerated() {
            guard let path = element.textValue else {
                reading.fail(element, "\(option)[\(index)]", expected: "the path of a file")
                continue
            }
            do throws(ConfigurationProblem) {
                guard let service = read(try YAMLFile.read(path), option, &reading) else { continue }
                let others = reading.configuration.applicationServices
                for (name, isTaken) in [
                    ("id", others.contains { $0.id == service.id }), ("as_token", others.contains { $0.token == service.token }),
                ] where isTaken {
                    reading.fail(element, "\(option)[\(index)]", because: "the \(name) of \(path) is another service's as well")
                }
                reading.configuration.applicationServices.append(service)
            } catch {
                reading.fail(element, "\(option)[\(index)]", because: "\(path) \(error.message)")
            }
        }
    }

    private static func read(
        _ file: ConfigNode, _ option: String, _ reading: inout ConfigurationOption.Reading
    ) -> ApplicationServiceConfiguration? {
        guard var mapping = MappingReader(file, option, expected: "a mapping with id, as_token and others", &reading) else { return nil }
        let id = mapping.requiredString("id"), token = mapping.requiredString("as_token")
        let sender = mapping.requiredString("sender_localpart")
        if let token, token.isEmpty, let node = mapping.node("as_token") { mapping.fail(node, "as_token", because: "is empty") }
        // What the service is sent, and what it is asked.
        for name in ["hs_token", "protocols", "receive_ephemeral", "de.sorunome.msc2409.push_ephemeral", "push_ephemeral"] {
            _ = mapping.node(name)
        }
        if mapping.node("url") != nil { mapping.notBuilt("url") }
        if mapping.node("org.matrix.msc3202") != nil { mapping.notBuilt("org.matrix.msc3202") }
        let isRateLimited = mapping.bool("rate_limited"), managesDevices = mapping.bool("io.element.msc4190")
        let addresses = mapping.strings("ip_range_whitelist").map { texts in
            texts.compactMap { text in
                let range = AddressRange(text)
                if range == nil { mapping.fail(because: "ip_range_whitelist: \(text) is no network") }
                return range
            }
        }
        var namespaces: [String: [ApplicationServiceConfiguration.Namespace]] = [:]
        if let node = mapping.node("namespaces") {
            var inner = MappingReader(within: node, "\(option).namespaces")
            for kind in ["users", "aliases", "rooms"] { namespaces[kind] = read(kind, &inner) }
            mapping.adopt(inner)
        } else {
            mapping.missing("namespaces", "a mapping with users, aliases and rooms")
        }
        guard mapping.finish(&reading), let id, let token, let sender else { return nil }
        var service = ApplicationServiceConfiguration(id: id, token: token, senderLocalpart: sender)
        service.users = namespaces["users"] ?? []
        service.aliases = namespaces["aliases"] ?? []
        service.isRateLimited = isRateLimited ?? true
        service.managesDevices = managesDevices ?? false
        service.addresses = addresses
        return service
    }

    private static func read(_ kind: String, _ mapping: inout MappingReader) -> [ApplicationServiceConfiguration.Namespace] {
        (mapping.nodes(kind, expected: "a list of mappings with regex and exclusive") ?? []).compactMap { element in
            guard let pattern = element["regex"]?.textValue, case .bool(let isExclusive)? = element["exclusive"]?.value else {
                mapping.fail(element, kind, expected: "a mapping with regex and exclusive")
                return nil
            }
            guard ThirdPartyRule.expression(pattern) != nil else {
                mapping.fail(element, kind, because: "\(pattern) is no regular expression")
                return nil
            }
            return .init(pattern: pattern, isExclusive: isExclusive)
        }
    }
}
