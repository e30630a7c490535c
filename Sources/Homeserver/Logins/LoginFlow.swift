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
        // Nobody but a session of the user gives such tokens out: without that, clients would offer what cannot be done.
        if configuration.existingSession.isEnabled { flows.append(LoginFlow("m.login.token", details: ["get_login_token": true])) }
        return flows
    }
}
