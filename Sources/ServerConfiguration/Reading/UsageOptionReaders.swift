// The options about how many may use the server, and how long accounts and their traces last.

extension ConfigurationOptions {
    private static let dayRange = 0...36_500

    static let usage: [ConfigurationOption] = [
        .string("admin_contact", \.usage.adminContact),
        .bool("hs_disabled", \.usage.isServerDisabled),
        .string("hs_disabled_message", \.usage.disabledMessage),
        .bool("limit_usage_by_mau", \.usage.limitsMonthlyUsers),
        .int("max_mau_value", \.usage.monthlyUserLimit),
        .bool("mau_stats_only", \.usage.countsMonthlyUsers),
        .int("mau_trial_days", \.usage.trialDays, in: dayRange),
        .custom("mau_appservice_trial_days") { node, option, reading in
            guard let entries = node.entries else {
                return reading.fail(node, option, expected: "a mapping from ids of application services to days")
            }
            for entry in entries {
                guard case .int(let days) = entry.node.value, dayRange.contains(days) else {
                    let expected = "a number from \(dayRange.lowerBound) to \(dayRange.upperBound)"
                    reading.fail(entry.node, "\(option).\(entry.key)", expected: expected)
                    continue
                }
                reading.configuration.usage.trialDaysOfServices[entry.key] = days
            }
        },
        .bool("mau_limit_alerting", \.usage.tellsOfLimit),
        .bool("track_appservice_user_ips", \.usage.tracksServices),
        .custom("mau_limit_reserved_threepids") { node, option, reading in
            guard let list = node.list else { return reading.fail(node, option, expected: "a list of mappings with medium and address") }
            for (index, element) in list.enumerated() {
                guard let medium = element["medium"]?.textValue, let address = element["address"]?.textValue else {
                    reading.fail(element, "\(option)[\(index)]", expected: "a mapping with medium and address")
                    continue
                }
                reading.configuration.usage.reservedThirdPartyIDs.append(.init(medium: medium, address: address))
            }
        },
        .custom("user_ips_max_age") { node, option, reading in
            guard let age = Units.duration(node), age > .zero else {
                return reading.fail(node, option, expected: ConfigurationOption.durationInWords)
            }
            reading.configuration.userIPsMaxAge = age
        },
        .custom("delete_stale_devices_after") { node, option, reading in
            guard let age = Units.duration(node) else { return reading.fail(node, option, expected: ConfigurationOption.durationInWords) }
            reading.configuration.staleDeviceAge = age > .zero ? age : nil
        },
        .section(
            "account_validity",
            [
                .bool("enabled", \.accountValidity.isEnabled),
                .duration("period", \.accountValidity.period),
                .duration("renew_at", \.accountValidity.notice), .string("renew_email_subject", \.accountValidity.mailSubject),
                .string("template_dir", \.accountValidity.templateDirectory),
                .string("account_renewed_html_path", \.accountValidity.renewedPage),
                .string("invalid_token_html_path", \.accountValidity.unknownLinkPage),
            ]),
        .section("ui_auth", [.duration("session_timeout", \.interactiveAuthTimeout)]),
    ]
}
