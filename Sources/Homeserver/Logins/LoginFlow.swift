// What `GET /login` tells of. Client-Server API §Login.

import MatrixCore
import ServerConfiguration

/// One of the ways to log in that a client may choose from.
package struct LoginFlow: Sendable, Equatable {
    package let type: String
    /// Members besides the type.
    package let details: JSONObject

    package init(_ type: String, details: JSONObject = [:]) {
        self.type = type
        self.details = details
    }

    /// The flows of the configuration besides passwords, in Synapse's order.
    package static func flows(_ configuration: LoginConfiguration) -> [LoginFlow] {
        var flows: [LoginFlow] = []
        if configuration.jwt != nil { flows.append(LoginFlow("org.matrix.login.jwt")) }
        // The older name, by which some clients know CAS.
        if configuration.cas != nil { flows.append(LoginFlow("m.login.cas")) }
        let providers = configuration.providers
        if !providers.isEmpty {
            flows.append(LoginFlow("m.login.sso", details: ["identity_providers": .array(providers.map(\.flowValue))]))
        }
        // Nothing else gives such tokens out: without it, clients would offer what cannot be done.
        if !providers.isEmpty || configuration.existingSession.isEnabled {
            flows.append(LoginFlow("m.login.token", details: configuration.existingSession.isEnabled ? ["get_login_token": true] : [:]))
        }
        return flows
    }
}

extension ProviderAppearance {
    /// What clients are told of a provider. Client-Server API §SSO client login: `identity_providers`.
    fileprivate var flowValue: JSONValue {
        var value: JSONObject = ["id": .string(id), "name": .string(name)]
        value["icon"] = icon.map { .string($0) }
        value["brand"] = brand.map { .string($0) }
        return .object(value)
    }
}
