// What the operator says of application services. Application Service API §Registration.

/// One of the files of `app_service_config_files`, as far as it is about who an application service is and what it may do.
package struct ApplicationServiceConfiguration: Sendable, Equatable {
    package var id: String
    /// `as_token`: by which it shows who it is.
    package var token: String
    /// Of the user as whom it acts unless it says otherwise.
    package var senderLocalpart: String
    package var users: [Namespace] = []
    package var aliases: [Namespace] = []
    /// `rate_limited`.
    package var isRateLimited = true
    /// `io.element.msc4190`: it makes devices for its users, and does not log in as them.
    package var managesDevices = false
    /// `ip_range_whitelist`: from where it may come; nil: from everywhere.
    package var addresses: [AddressRange]?

    /// Names of which an application service has a say.
    package struct Namespace: Sendable, Equatable {
        /// A regular expression that the beginning of a name matches.
        package var pattern: String
        /// Nobody else may have such names.
        package var isExclusive: Bool

        package init(pattern: String, isExclusive: Bool) {
            self.pattern = pattern
            self.isExclusive = isExclusive
        }
    }

    package init(id: String, token: String, senderLocalpart: String) {
        self.id = id
        self.token = token
        self.senderLocalpart = senderLocalpart
    }
}
