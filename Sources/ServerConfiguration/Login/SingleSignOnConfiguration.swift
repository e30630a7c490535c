// Single sign-on: who else may say who somebody is.

/// `sso`: what holds for all providers.
package struct SingleSignOnConfiguration: Sendable {
    /// `client_whitelist`: clients that get their token without being shown to the user first.
    package var trustedClients: [String] = []
    /// `update_profile_information`: names follow what the provider says, at each login.
    package var updatesProfile = false
    /// `template_dir`.
    package var templateDirectory: String?

    package init() {}
}

/// How a provider is shown to people.
package struct ProviderAppearance: Sendable {
    /// Known to clients, and in the database.
    package var id: String
    package var name: String
    /// An `mxc:` address.
    package var icon: String?
    package var brand: String?

    package init(id: String, name: String, icon: String? = nil, brand: String? = nil) {
        self.id = id
        self.name = name
        self.icon = icon
        self.brand = brand
    }
}

/// What a provider must say of somebody who is let in.
package struct AttributeRequirement: Sendable, Equatable {
    package var attribute: String
    /// One of which the attribute must be; none: it must be there.
    package var values: [String]

    package init(attribute: String, values: [String]) {
        self.attribute = attribute
        self.values = values
    }
}

/// `cas_config`.
package struct CASConfiguration: Sendable {
    package var appearance = ProviderAppearance(id: "cas", name: "CAS")
    /// Without a slash at the end.
    package var serverURL: String
    package var protocolVersion = 2
    package var displayNameAttribute: String?
    package var requirements: [AttributeRequirement] = []
    package var isRegistrationEnabled = true
    /// What goes before names of digits only, which are not for people; nil: such names are refused.
    package var numericPrefix: String?

    package init(serverURL: String) {
        self.serverURL = serverURL
    }
}
