// What no option can see alone: options that need each other.

enum ConfigurationChecks {
    static func check(
        _ configuration: ServerConfiguration, _ entries: [ConfigNode.Entry], file: String, _ problems: inout [ConfigurationProblem]
    ) {
        func location(of option: String) -> SourceLocation {
            entries.first { $0.key == option }?.keyLocation ?? SourceLocation(file: file, line: 0)
        }
        if !entries.contains(where: { $0.key == "database" }) {
            problems.append(
                ConfigurationProblem(
                    at: SourceLocation(file: file, line: 0), option: "database",
                    "is required: found nothing, expected name: sqlite3 or name: psycopg2 with args"))
        }
        if configuration.presence.idleTimeout <= configuration.presence.lastActiveGranularity {
            problems.append(
                ConfigurationProblem(
                    at: location(of: "presence"), option: "presence.idle_timeout", "must be longer than presence.last_active_granularity"))
        }
        for (option, reason) in RetentionOptions.contradictions(in: configuration.retention) {
            problems.append(ConfigurationProblem(at: location(of: "retention"), option: option, reason))
        }
        if configuration.listeners.contains(where: \.tls) {
            for (option, path) in [
                ("tls_certificate_path", configuration.tlsCertificatePath), ("tls_private_key_path", configuration.tlsPrivateKeyPath),
            ] {
                guard let path else {
                    problems.append(
                        ConfigurationProblem(
                            at: location(of: "listeners"), option: option, "found nothing, expected a file, as a listener has tls: true"))
                    continue
                }
                if !FileText.exists(path) {
                    problems.append(ConfigurationProblem(at: location(of: option), option: option, "the file \(path) cannot be read"))
                }
            }
        }
        let federation = configuration.federation
        if !federation.verifiesCertificates,
            let server = federation.keyServers.first(where: { $0.verifyKeys.isEmpty && !$0.acceptsKeysInsecurely })
        {
            problems.append(
                ConfigurationProblem(
                    at: location(of: "federation_verify_certificates"), option: "trusted_key_servers",
                    "as certificates are not verified, \(server.name) needs verify_keys (or accept_keys_insecurely: true)"))
        }
        if configuration.enableRegistration, !configuration.enableRegistrationWithoutVerification,
            !entries.contains(where: {
                ["registrations_require_3pid", "registration_requires_token", "enable_registration_captcha"].contains($0.key)
            })
        {
            problems.append(
                ConfigurationProblem(
                    at: location(of: "enable_registration"), option: "enable_registration",
                    "anyone could register without a check; if that is meant, set enable_registration_without_verification: true"))
        }
    }
}
