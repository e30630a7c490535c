// Accounts of people whom somebody else vouches for: single sign-on, signed tokens, an authentication service.

import MatrixCore
import Persistence

extension RegistrationService {
    /// Makes an account without a password.
    ///
    /// - Parameters:
    ///   - name: the localpart, as it is to be.
    ///   - termsVersion: the version of the terms that were agreed to.
    ///   - alongside: what is stored together with the account.
    /// - Throws: `M_INVALID_USERNAME`, `M_EXCLUSIVE`, `M_USER_IN_USE`, `M_RESOURCE_LIMIT_EXCEEDED`.
    package func register(
        externalName name: String, displayName: String?, termsVersion: String? = nil,
        alongside: @escaping @Sendable (UserID, any SQLConnection) throws -> Void = { _, _ in }
    ) async throws -> UserID {
        try Localpart.check(name, server: accounts.serverName)
        let user = UserID(localpart: ByteString(name), server: accounts.serverName)
        try services.check(user)
        if try await accounts.isTaken(user) { throw MatrixError.userInUse }
        try await usage.checkRegistration(with: [])
        var account = AccountRow(user: user, passwordHash: nil, created: .now)
        account.consentVersion = termsVersion
        return try await insert(account, displayName: displayName ?? name) { try alongside(user, $0) }
    }
}
