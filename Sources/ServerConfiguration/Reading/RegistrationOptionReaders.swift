// The options about registration, third-party identifiers, captchas and terms.

import MatrixCore

extension ConfigurationOptions {
    static let registration: [ConfigurationOption] =
        [
            .bool("registration_requires_token", \.registration.requiresToken),
            .bool("enable_registration_token_3pid_bypass", \.registration.takesTokenForThirdPartyID),
            .custom("registrations_require_3pid") { node, option, reading in
                guard let texts = node.texts else { return reading.fail(node, option, expected: "a list of email and msisdn") }
                for text in texts {
                    guard let medium = RegistrationOptions.Medium(rawValue: text) else {
                        return reading.fail(node, option, because: "found \(text), expected email or msisdn")
                    }
                    reading.configuration.registration.requiredMedia.insert(medium)
                }
            },
            .bool("disable_msisdn_registration", \.registration.excludesPhoneNumbers),
            .section(
                "account_threepid_delegates",
                [
                    .custom("msisdn") { node, option, reading in
                        guard let url = node.textValue, url.hasPrefix("https://") || url.hasPrefix("http://") else {
                            return reading.fail(node, option, expected: "the address of an identity server, such as https://example.org")
                        }
                        reading.configuration.registration.phoneDelegate = String(url.reversed().drop { $0 == "/" }.reversed())
                    },
                    .custom("email") { node, option, reading in
                        reading.fail(node, option, because: "is no longer supported: mail is sent by this server, see the section email")
                    },
                ]),
            .custom("allowed_local_3pids") { node, option, reading in
                guard let list = node.list else {
                    return reading.fail(node, option, expected: "a list of mappings with medium and pattern")
                }
                for (index, element) in list.enumerated() {
                    guard let medium = element["medium"]?.textValue, let pattern = element["pattern"]?.textValue else {
                        reading.fail(element, "\(option)[\(index)]", expected: "a mapping with medium and pattern")
                        continue
                    }
                    guard ThirdPartyRule.expression(pattern) != nil else {
                        reading.fail(element, "\(option)[\(index)].pattern", because: "\(pattern) is no regular expression")
                        continue
                    }
                    reading.configuration.registration.allowedThirdPartyIDs.append(ThirdPartyRule(medium: medium, pattern: pattern))
                }
            },
            .bool("enable_3pid_changes", \.registration.allowsThirdPartyChanges),
            .bool("allow_underscore_prefixed_registration", \.registration.allowsUnderscore),
            // What Synapse's manual calls the above, its code calls so.
            .bool("allow_underscore_prefixed_localpart", \.registration.allowsUnderscore),
            .bool("request_token_inhibit_3pid_errors", \.registration.hidesThirdPartyIDs),
            .custom("next_link_domain_whitelist") { node, option, reading in
                guard let hosts = node.texts ?? node.textValue.map({ [$0] }) else {
                    return reading.fail(node, option, expected: "a list of host names")
                }
                reading.configuration.registration.nextLinkHosts = hosts.map { $0.lowercased() }
            },
            .bool("enable_registration_captcha", \.captcha.isRequired),
            .string("recaptcha_siteverify_api", \.captcha.verificationURL),
            .custom("user_consent", consent),
            .section("templates", [.string("custom_template_directory", \.customTemplateDirectory)]),
        ]
        + ConfigurationOption.secret("recaptcha_public_key", \.captcha.publicKey)
        + ConfigurationOption.secret("recaptcha_private_key", \.captcha.privateKey)

    private static func consent(_ node: ConfigNode, _ option: String, _ reading: inout ConfigurationOption.Reading) {
        guard let entries = node.entries else { return reading.fail(node, option, expected: "a mapping with version and template_dir") }
        guard let version = node["version"]?.textValue, isFileName(version) else {
            return reading.fail(node["version"] ?? node, "\(option).version", expected: "a version such as 1.0")
        }
        guard let directory = node["template_dir"]?.textValue, FileText.isDirectory(directory) else {
            return reading.fail(node["template_dir"] ?? node, "\(option).template_dir", expected: "a folder that exists")
        }
        var consent = ConsentOptions(version: version, templateDirectory: directory)
        for entry in entries where !entry.node.isNull {
            let path = "\(option).\(entry.key)"
            switch entry.key {
            case "version", "template_dir": break
            case "block_events_error":
                guard let text = entry.node.textValue else { reading.fail(entry.node, path, expected: "text"); continue }
                consent.blockingError = text
            case "require_at_registration":
                guard case .bool(let isAsked) = entry.node.value else {
                    reading.fail(entry.node, path, expected: "true or false"); continue
                }
                consent.isAskedAtRegistration = isAsked
            case "policy_name":
                guard let text = entry.node.textValue else { reading.fail(entry.node, path, expected: "text"); continue }
                consent.policyName = text
            case "server_notice_content":
                guard case .object(var content)? = JSONValue(entry.node), content["body"]?.string != nil,
                    content["msgtype"].map({ $0.string != nil }) ?? true
                else {
                    reading.fail(entry.node, path, expected: "a mapping with msgtype and body"); continue
                }
                if content["msgtype"] == nil { content["msgtype"] = "m.text" }
                consent.notice = content
            case "send_server_notice_to_guests":
                guard case .bool(let tellsGuests) = entry.node.value else {
                    reading.fail(entry.node, path, expected: "true or false"); continue
                }
                consent.tellsGuests = tellsGuests
            default: reading.warn(entry.keyLocation, path, "is not a known option")
            }
        }
        reading.configuration.consent = consent
    }

    /// A version becomes part of a path.
    private static func isFileName(_ text: String) -> Bool {
        !text.isEmpty && !text.hasPrefix(".") && text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "/") }
    }
}
