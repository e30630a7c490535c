// Accounts of people whom somebody else vouches for: single sign-on, signed tokens, an authentication service.

import MatrixCore
import Persistence

extension RegistrationService {
    /// Makes an account without a password.
    ///
    /// - Parameter name: the localpart, as it is to be.
    /// - Throws: `M_INVALID_USERNAME`, `M_USER_IN_USE`, `M_RESOURCE_LIMIT_EXCEEDED`.
    package func register(externalName name: String, displayName: String?) async throws -> UserID {
        try Localpart.check(name, server: accounts.serverName)
        let user = UserID(localpart: ByteString(name), server: accounts.serverName)
        if try await accounts.isTaken(user) { throw MatrixError.userInUse }
        try await usage.checkRegistration(with: nil)
        return try await insert(AccountRow(user: user, passwordHash: nil, created: .now), displayName: displayName ?? name)
    }
}
