// How long accounts and their traces last, and how many people may use the server.

/// `account_validity`: accounts that end unless an administrator renews them.
package struct AccountValidityOptions: Sendable, Equatable {
    package var isEnabled = false
    /// How long an account is valid from its registration or its last renewal.
    package var period = Duration.zero

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
    /// `mau_limit_reserved_threepids`: whose accounts always have a place.
    package var reservedThirdPartyIDs: [ReservedThirdPartyID] = []

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
