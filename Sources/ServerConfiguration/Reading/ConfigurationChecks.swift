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
        DelegationChecks.check(configuration, entries, &problems)
        checkLifetimes(configuration, entries, &problems)
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
        for (option, message) in accountProblems(configuration) {
            problems.append(
                ConfigurationProblem(at: location(of: String(option.prefix { $0 != "." })), option: option, message))
        }
    }

    /// What is wrong with how accounts are made, proven and ended: by option.
    private static func accountProblems(_ configuration: ServerConfiguration) -> [(option: String, message: String)] {
        let registration = configuration.registration
        let isVerified = registration.requiresToken || configuration.captcha.isRequired || !registration.requiredMedia.isEmpty
        let asksForConsent = configuration.consent?.blockingError != nil
        let isInviting = configuration.autoJoin.preset != .publicChat && configuration.autoJoin.makesRooms
        let rules: [(isBroken: Bool, option: String, message: String)] = [
            (
                configuration.enableRegistration && !configuration.enableRegistrationWithoutVerification && !isVerified,
                "enable_registration",
                "anyone could register without a check; if that is meant, set enable_registration_without_verification: true"
            ),
            (
                registration.requiredMedia.contains(.email) && configuration.email == nil,
                "registrations_require_3pid", "requires an e-mail address, which cannot be verified without the section email"
            ),
            (
                registration.requiredMedia.contains(.msisdn) && !registration.excludesPhoneNumbers && registration.phoneDelegate == nil,
                "registrations_require_3pid", "requires a phone number, which cannot be verified without account_threepid_delegates.msisdn"
            ),
            (
                configuration.captcha.isRequired && (configuration.captcha.privateKey ?? "").isEmpty,
                "enable_registration_captcha", "needs recaptcha_public_key and recaptcha_private_key"
            ),
            (
                asksForConsent && (configuration.formSecret ?? "").isEmpty,
                "user_consent.block_events_error", "needs form_secret: links to the terms are signed with it"
            ),
            (
                configuration.consent?.notice != nil && (configuration.formSecret ?? "").isEmpty,
                "user_consent.server_notice_content", "needs form_secret: links to the terms are signed with it"
            ),
            (
                configuration.consent?.notice != nil && configuration.serverNotices == nil,
                "user_consent.server_notice_content", "needs the section server_notices: it is sent as a notice of the server"
            ),
            (
                configuration.consent == nil
                    && configuration.listeners.contains { $0.resources.contains(.consent) },
                "listeners", "the resource consent needs the section user_consent"
            ),
            (
                configuration.accountValidity.isEnabled && configuration.accountValidity.period <= .zero,
                "account_validity.period", "is required: found nothing, expected for how long an account is valid"
            ),
            (
                configuration.accountValidity.isEnabled && configuration.accountValidity.notice != nil && configuration.email == nil,
                "account_validity.renew_at", "needs the section email: people are told by mail that their accounts end"
            ),
            (
                configuration.usage.limitsMonthlyUsers && configuration.usage.monthlyUserLimit == 0,
                "limit_usage_by_mau", "needs max_mau_value; without it nobody may use the server"
            ),
            (
                !configuration.autoJoin.rooms.isEmpty && isInviting && configuration.autoJoin.inviter == nil,
                "autocreate_auto_join_room_preset", "needs auto_join_mxid_localpart: somebody has to invite to rooms that are not public"
            ),
        ]
        return rules.filter(\.isBroken).map { ($0.option, $0.message) }
    }

    /// No token is to be promised a longer life than its session has.
    private static func checkLifetimes(
        _ configuration: ServerConfiguration, _ entries: [ConfigNode.Entry], _ problems: inout [ConfigurationProblem]
    ) {
        guard let session = configuration.sessionLifetime else { return }
        for (option, lifetime) in [
            ("refreshable_access_token_lifetime", configuration.refreshableAccessTokenLifetime),
            ("nonrefreshable_access_token_lifetime", configuration.nonrefreshableAccessTokenLifetime),
            ("refresh_token_lifetime", configuration.refreshTokenLifetime),
        ] {
            guard let lifetime, lifetime > session, let entry = entries.first(where: { $0.key == option && !$0.node.isNull }) else {
                continue
            }
            problems.append(ConfigurationProblem(at: entry.keyLocation, option: option, "must not be longer than session_lifetime"))
        }
    }
}
