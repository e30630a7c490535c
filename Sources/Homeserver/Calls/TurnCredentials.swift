// Who may use the relay for calls, and by which password. Client-Server API §Voice over IP, /voip/turnServer.

import Crypto
import MatrixCore
import ServerConfiguration

/// What a client needs to use a TURN server.
package struct TurnCredentials: Sendable, Hashable {
    package let username: String
    package let password: String
    package let uris: [String]
    /// Seconds for which they hold.
    package let lifetime: Int64

    /// - Returns: nil where no relay is set up.
    package init?(for user: UserID, options: TurnOptions, now: Timestamp) {
        lifetime = options.userLifetime.components.seconds
        uris = options.uris
        guard !uris.isEmpty, lifetime > 0 else { return nil }
        if let secret = options.sharedSecret, !secret.isEmpty {
            // The time-limited long-term credentials that TURN servers check: the name says until when, the password proves it.
            username = "\(now.milliseconds / 1000 + lifetime):\(user)"
            let code = HMAC<Insecure.SHA1>.authenticationCode(for: Array(username.utf8), using: SymmetricKey(data: Array(secret.utf8)))
            // Twenty bytes are one short of a multiple of three. TURN servers want the padding.
            password = Base64.encode(Array(code)) + "="
        } else if let username = options.username, let password = options.password, !username.isEmpty, !password.isEmpty {
            (self.username, self.password) = (username, password)
        } else {
            return nil
        }
    }
}
