// How long accounts and their traces last, and how many people may use the server.

/// `account_validity`: accounts that end unless their owners or an administrator renew them.
package struct AccountValidityOptions: Sendable, Equatable {
    package var isEnabled = false
    /// How long an account is valid from its registration or its last renewal.
    package var period = Duration.zero
    /// `renew_at`: how long before the end its owner is told by mail how to go on; nil: nobody is.
    package var notice: Duration?
    /// `renew_email_subject`.
    package var mailSubject = "Renew your %(app)s account"
    /// `template_dir`.
    package var templateDirectory: String?
    /// `account_renewed_html_path` and `invalid_token_html_path`: names of templates.
    package var renewedPage = "account_renewed.html"
    package var unknownLinkPage = "invalid_token.html"

    package init() {}
}

/// `hs_disabled`, `limit_usage_by_mau` and what belongs to them.
package struct UsageOptions: Sendable {
    /// `admin_contact`: told to those who are turned away.
    package var adminContact: String?
    /// `hs_disabled` and `hs_disabled_message`.
    package var isServerDisabled = false
    package var disabledMessage = ""
    /// `limit_usage_by_mau` and `max_mau_value`: how many people may be active in 30 days.
    package var limitsMonthlyUsers = false
    package var monthlyUserLimit = 0
    /// `mau_stats_only`: who is active is counted, and nobody turned away.
    package var countsMonthlyUsers = false
    /// `mau_trial_days`: a new account does not count for so long.
    package var trialDays = 0
    /// `mau_appservice_trial_days`: the same for the users of some application services, by the services' ids.
    package var trialDaysOfServices: [String: Int] = [:]
    /// `mau_limit_alerting`: who is here is told when there is no place for others, where the server sends notices.
    package var tellsOfLimit = true
    /// `mau_limit_reserved_threepids`: whose accounts always have a place.
    package var reservedThirdPartyIDs: [ReservedThirdPartyID] = []

    /// `track_appservice_user_ips`: users of application services count as people do, and from where they are used is noted.
    package var tracksServices = false

    package struct ReservedThirdPartyID: Sendable, Hashable {
        package var medium: String
        package var address: String

        package init(medium: String, address: String) {
            self.medium = medium
            self.address = address
        }
    }

    package init() {}

    /// Whether it is noted who is active.
    package var tracksMonthlyUsers: Bool { limitsMonthlyUsers || countsMonthlyUsers }
}
