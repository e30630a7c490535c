// The options about other servers.

import MatrixCore

enum FederationOptions {
    static let all: [ConfigurationOption] = [
        .bool("federation_verify_certificates", \.federation.verifiesCertificates),
        .custom("federation_client_minimum_tls_version") { node, option, reading in
            guard let version = node.textValue.flatMap({ FederationConfiguration.TLSVersion(rawValue: $0) }) else {
                return reading.fail(node, option, expected: "1, 1.1, 1.2 or 1.3")
            }
            reading.configuration.federation.minimumTLSVersion = version
        },
        .custom("federation_certificate_verification_whitelist") { node, option, reading in
            if case .null = node.value { return }
            guard let hosts = node.texts else { return reading.fail(node, option, expected: "a list of hosts such as *.example.com") }
            reading.configuration.federation.unverifiedHosts = hosts.map { Glob($0) }
        },
        .custom("federation_custom_ca_list") { node, option, reading in
            if case .null = node.value { return }
            guard let files = node.texts, !files.isEmpty else {
                return reading.fail(node, option, expected: "a list of PEM files, one at least")
            }
            for file in files where !FileText.exists(file) {
                return reading.fail(node, option, because: "the file \(file) cannot be read")
            }
            reading.configuration.federation.certificateAuthorities = files
        },
        .custom("federation_ip_range_blacklist") { node, option, reading in
            if let ranges = OutboundOptions.ranges(node, option, &reading) { reading.configuration.federation.blockedRanges = ranges }
        },
        .custom("federation_domain_whitelist", readAllowedServers),
        .custom("trusted_key_servers", readKeyServers),
        .bool("allow_profile_lookup_over_federation", \.federation.allowsProfileLookup),
        .bool("allow_device_name_lookup_over_federation", \.federation.allowsDeviceNameLookup),
        .int(
            "federation_rr_transactions_per_room_per_second", \.federation.receiptTransactionsPerSecond, in: 1...1_000_000),
        .section(
            "federation",
            [
                .duration("client_timeout", \.federation.retries.clientTimeout),
                .duration("max_short_retry_delay", \.federation.retries.longestShortDelay),
                .duration("max_long_retry_delay", \.federation.retries.longestLongDelay),
                .int("max_short_retries", \.federation.retries.shortRetryCount, in: 0...1000),
                .int("max_long_retries", \.federation.retries.longRetryCount, in: 0...1000),
                .duration("destination_min_retry_interval", \.federation.retries.destinationMinimum),
                .int("destination_retry_multiplier", \.federation.retries.destinationMultiplier, in: 1...1000),
                .duration("destination_max_retry_interval", \.federation.retries.destinationMaximum),
            ]),
    ]

    private static func readAllowedServers(_ node: ConfigNode, _ option: String, _ reading: inout ConfigurationOption.Reading) {
        if case .null = node.value { return }
        guard let list = node.list else { return reading.fail(node, option, expected: "a list of server names") }
        var servers: Set<ServerName> = []
        for (index, element) in list.enumerated() {
            guard let server = ServerName(valid: element.textValue ?? "") else {
                reading.fail(element, "\(option)[\(index)]", expected: "the name of a server")
                continue
            }
            servers.insert(server)
        }
        reading.configuration.federation.allowedServers = servers
    }

    private static func readKeyServers(_ node: ConfigNode, _ option: String, _ reading: inout ConfigurationOption.Reading) {
        if case .null = node.value { return reading.configuration.federation.keyServers = [] }
        guard let list = node.list else { return reading.fail(node, option, expected: "a list of mappings with server_name") }
        reading.configuration.federation.keyServers = []
        for (index, element) in list.enumerated() {
            let path = "\(option)[\(index)]"
            guard let name = element["server_name"]?.textValue.flatMap({ ServerName(valid: $0) }) else {
                reading.fail(element["server_name"] ?? element, "\(path).server_name", expected: "the name of a server")
                continue
            }
            var server = FederationConfiguration.KeyServer(name: name)
            for entry in element["verify_keys"]?.entries ?? [] {
                guard KeyID(valid: entry.key)?.isServerKey == true, let key = entry.node.textValue.flatMap({ VerifyKey(base64: $0) }) else {
                    reading.fail(entry.node, "\(path).verify_keys.\(entry.key)", expected: "an ed25519 key in base64")
                    continue
                }
                server.verifyKeys[ByteString(entry.key)] = key
            }
            if let flag = element["accept_keys_insecurely"] {
                guard case .bool(let accepts) = flag.value else {
                    reading.fail(flag, "\(path).accept_keys_insecurely", expected: "true or false")
                    continue
                }
                server.acceptsKeysInsecurely = accepts
            }
            reading.configuration.federation.keyServers.append(server)
        }
    }
}
