// `matrix_authentication_service`: a service of its own that keeps accounts' passwords and sessions.

package struct AuthenticationServiceConfiguration: Sendable {
    /// Without a slash at the end.
    package var endpoint: String
    /// What this server and the service know of each other by.
    package var secret: String

    package init(endpoint: String, secret: String) {
        self.endpoint = endpoint
        self.secret = secret
    }
}

/// The experiments `msc4108_…` and `msc4388_mode`: where two devices meet of which one logs the other in.
package struct RendezvousConfiguration: Sendable {
    package enum Mode: String, Sendable, CaseIterable {
        case off, open, authenticated
    }

    /// MSC4108, by this server.
    package var isEnabled = false
    /// MSC4108, by another server.
    package var delegationEndpoint: String?
    /// MSC4388.
    package var mode = Mode.off

    package init() {}
}
