// What a login comes to, and the ways that lead there. Client-Server API §Login.

import MatrixCore
import Persistence

/// Who a login has turned out to be.
package struct LoginIdentity: Sendable {
    package let user: UserID
    /// The session at a provider of single sign-on that stands behind it.
    package var provider: ProviderSession?
    /// Further members of the answer: a JSON object.
    package var attributes: [UInt8]?

    package init(user: UserID, provider: ProviderSession? = nil, attributes: [UInt8]? = nil) {
        self.user = user
        self.provider = provider
        self.attributes = attributes
    }
}

/// A way to log in besides a password.
package protocol LoginMethod: Sendable {
    /// What logins of this way have as their `type`.
    var type: String { get }

    /// The user whom a submission stands for, who has an account here.
    ///
    /// - Throws: `M_FORBIDDEN`, or what is wrong with the submission.
    func identify(_ submission: JSON) async throws -> LoginIdentity
}

/// Compares what an attacker must not find out piece by piece.
package enum SecretComparison {
    package static func isEqual(_ left: String, _ right: String) -> Bool {
        PasswordHasher.isEqual(Array(left.utf8), Array(right.utf8))
    }
}
