// The options about the room directory, the user directory, calls, and how clients find the server.

import MatrixCore

/// `user_directory`.
package struct UserDirectoryOptions: Sendable {
    package var isEnabled = true
    /// Searches find everyone, not only those with whom the searcher shares a room and those in public rooms.
    package var searchesAllUsers = false
    package var excludesRemoteUsers = false
    package var prefersLocalUsers = false
    package var showsLockedUsers = false

    package init() {}
}

/// `turn_*`: the relay that calls may use.
package struct TurnOptions: Sendable {
    package var uris: [String] = []
    /// By which passwords are made that hold for `userLifetime`.
    package var sharedSecret: String?
    /// The account that everyone uses where there is no secret.
    package var username: String?
    package var password: String?
    package var userLifetime: Duration = .seconds(3600)
    package var allowsGuests = true

    package init() {}
}

/// What is told under `/.well-known/matrix/`.
package struct WellKnownOptions: Sendable {
    /// `public_baseurl` is given, and clients are told of it.
    package var isClientServed = false
    /// `serve_server_wellknown`: other servers are sent to port 443.
    package var isServerServed = false
    /// `extra_well_known_client_content`.
    package var extraClientContent: JSONObject = [:]
    /// `default_identity_server`.
    package var identityServer: String?

    package init() {}
}
