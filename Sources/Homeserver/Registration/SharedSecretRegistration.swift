// Registration by those who know the server's shared secret, as Synapse's `register_new_matrix_user` does it:
// `GET` and `POST /_synapse/admin/v1/register`.

import Crypto
import MatrixCore
import Persistence
import Synchronization

/// Gives out nonces and checks the requests that use them. A nonce is good once, for a minute.
package final class SharedSecretRegistration: Sendable {
    /// Milliseconds.
    private static let nonceLifetime: Int64 = 60_000
    /// Anyone can ask for nonces: beyond this number the oldest go.
    private static let nonceLimit = 10_000

    /// What a request asks for; the MAC covers all of it but the display name.
    package struct Request: Sendable, Equatable {
        package var nonce: String
        package var username: String
        package var password: String
        package var isAdmin: Bool
        package var userType: String?

        package init(nonce: String, username: String, password: String, isAdmin: Bool, userType: String? = nil) {
            self.nonce = nonce
            self.username = username
            self.password = password
            self.isAdmin = isAdmin
            self.userType = userType
        }

        /// Nonce, name, password, `admin` or `notadmin`, and the user type if there is one, with a NUL between them.
        package var authenticated: [UInt8] {
            var parts = [nonce, username, password, isAdmin ? "admin" : "notadmin"]
            if let userType, !userType.isEmpty { parts.append(userType) }
            return Array(parts.map { Array($0.utf8) }.joined(separator: [0]))
        }
    }

    private let secret: String?
    /// The nonces that were given out, with the time of it.
    private let nonces = Mutex<[ByteString: Timestamp]>([:])

    /// - Parameter secret: `registration_shared_secret`; nil or empty closes this way.
    package init(secret: String?) {
        self.secret = secret
    }

    /// A fresh nonce: 128 hexadecimal digits.
    package func makeNonce() -> String {
        var generator = SystemRandomNumberGenerator()
        let nonce = (0..<64).map { _ in UInt8.random(in: .min ... .max, using: &generator) }.hexadecimal
        let now = Timestamp.now
        nonces.withLock { nonces in
            nonces = nonces.filter { now.milliseconds - $0.value.milliseconds <= Self.nonceLifetime }
            if nonces.count >= Self.nonceLimit, let oldest = nonces.min(by: { $0.value < $1.value })?.key { nonces[oldest] = nil }
            nonces[ByteString(nonce)] = now
        }
        return nonce
    }

    /// Whether this way is open.
    ///
    /// - Throws: `M_UNKNOWN` with status 400 where no secret is configured.
    package func checkEnabled() throws(MatrixError) {
        guard let secret, !secret.isEmpty else { throw .unknown("Shared secret registration is not enabled", status: 400) }
    }

    /// Uses up a nonce, whatever becomes of the request.
    ///
    /// - Throws: `M_UNKNOWN` with status 400 for a nonce that was not given out, was used, or is too old.
    package func consume(nonce: String) throws(MatrixError) {
        let given = nonces.withLock { $0.removeValue(forKey: ByteString(nonce)) }
        guard let given, Timestamp.now.milliseconds - given.milliseconds <= Self.nonceLifetime else {
            throw .unknown("unrecognised nonce", status: 400)
        }
    }

    /// Checks that the sender of the request knows the secret.
    ///
    /// - Parameter mac: the HMAC-SHA1 in lowercase hexadecimal digits.
    /// - Throws: `M_UNKNOWN` with status 403.
    package func check(_ request: Request, mac: String) throws(MatrixError) {
        try checkEnabled()
        let expected = Self.mac(of: request, secret: secret ?? "")
        guard PasswordHasher.isEqual(Array(expected.utf8), Array(mac.utf8)) else { throw .unknown("HMAC incorrect", status: 403) }
    }

    /// The MAC that proves knowledge of `secret`.
    package static func mac(of request: Request, secret: String) -> String {
        let key = SymmetricKey(data: Array(secret.utf8))
        return HMAC<Insecure.SHA1>.authenticationCode(for: request.authenticated, using: key).hexadecimal
    }
}
