// What cannot be together with `matrix_authentication_service`, and what cannot be without.

enum DelegationChecks {
    static func check(
        _ configuration: ServerConfiguration, _ entries: [ConfigNode.Entry], _ problems: inout [ConfigurationProblem]
    ) {
        let login = configuration.login
        guard login.authenticationService != nil else { return checkRendezvous(login.rendezvous, entries, &problems) }
        func refuse(_ option: String, _ message: String, when isGiven: Bool) {
            guard isGiven, let entry = entries.first(where: { $0.key == option.prefix { $0 != "." } }) else { return }
            problems.append(ConfigurationProblem(at: entry.keyLocation, option: option, message))
        }
        let isTheServices = "cannot be while matrix_authentication_service is enabled: this is the service's business"
        let passwords = entries.first { $0.key == "password_config" }?.node["enabled"]?.value
        let isPasswordWanted =
            switch passwords {
            case .bool(true)?, .string("only_for_reauth")?: true
            default: false
            }
        refuse("password_config.enabled", isTheServices, when: isPasswordWanted)
        refuse("enable_registration", isTheServices, when: configuration.enableRegistration)
        refuse("user_consent", isTheServices, when: configuration.consent != nil)
        refuse("enable_registration_captcha", isTheServices, when: configuration.captcha.isRequired)
        let isChangeWanted =
            if case .bool(true)? = entries.first(where: { $0.key == "enable_3pid_changes" })?.node.value { true } else { false }
        refuse("enable_3pid_changes", isTheServices, when: isChangeWanted)
        refuse("oidc_providers", isTheServices, when: !login.openID.isEmpty)
        refuse("oidc_config", isTheServices, when: !login.openID.isEmpty)
        refuse("cas_config", isTheServices, when: login.cas != nil)
        refuse("jwt_config", isTheServices, when: login.jwt != nil)
        refuse("login_via_existing_session.enabled", isTheServices, when: login.existingSession.isEnabled)
        refuse("refresh_token_lifetime", isTheServices, when: configuration.refreshTokenLifetime != nil)
        refuse("nonrefreshable_access_token_lifetime", isTheServices, when: configuration.nonrefreshableAccessTokenLifetime != nil)
        refuse("session_lifetime", isTheServices, when: configuration.sessionLifetime != nil)
        refuse(
            "experimental_features.msc4108_delegation_endpoint", "cannot be together with msc4108_enabled",
            when: login.rendezvous.isEnabled && login.rendezvous.delegationEndpoint != nil)
    }

    /// A device that is logged in by such a meeting gets its session from the service.
    private static func checkRendezvous(
        _ rendezvous: RendezvousConfiguration, _ entries: [ConfigNode.Entry], _ problems: inout [ConfigurationProblem]
    ) {
        guard let location = entries.first(where: { $0.key == "experimental_features" })?.keyLocation else { return }
        for (name, isGiven) in [
            ("msc4108_enabled", rendezvous.isEnabled), ("msc4108_delegation_endpoint", rendezvous.delegationEndpoint != nil),
            ("msc4388_mode", rendezvous.mode != .off),
        ] where isGiven {
            problems.append(
                ConfigurationProblem(
                    at: location, option: "experimental_features.\(name)", "needs matrix_authentication_service to be enabled"))
        }
    }
}
