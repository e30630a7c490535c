// The options about requests to addresses that others choose.

enum OutboundOptions {
    static let all: [ConfigurationOption] = [
        .custom("ip_range_blacklist") { node, option, reading in
            if let ranges = ranges(node, option, &reading) { reading.configuration.outbound.blockedRanges = ranges }
        },
        .custom("ip_range_whitelist") { node, option, reading in
            if let ranges = ranges(node, option, &reading) { reading.configuration.outbound.allowedRanges = ranges }
        },
        .bool("use_insecure_ssl_client_just_for_testing_do_not_use", \.outbound.acceptsAnyCertificate),
        .bool("enable_3pid_lookup", \.outbound.isThirdPartyLookupEnabled),
    ]

    static func ranges(_ node: ConfigNode, _ option: String, _ reading: inout ConfigurationOption.Reading) -> [AddressRange]? {
        guard let texts = node.texts else {
            reading.fail(node, option, expected: "a list of networks such as 10.0.0.0/8")
            return nil
        }
        var ranges: [AddressRange] = []
        for text in texts {
            guard let range = AddressRange(text) else {
                reading.fail(node, option, because: "\(text) is no network such as 10.0.0.0/8 or fe80::/10")
                return nil
            }
            ranges.append(range)
        }
        return ranges
    }
}
