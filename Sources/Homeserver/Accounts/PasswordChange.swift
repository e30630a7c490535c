// A new password. Client-Server API §Password management.

import MatrixCore
import Persistence
import ServerConfiguration

/// Sets passwords, within the policy of the configuration.
package struct PasswordChange: Sendable {
    private let database: any Database
    private let passwords: PasswordHasher
    private let sessions: SessionService
    package let policy: PasswordPolicy

    package init(database: any Database, passwords: PasswordHasher, sessions: SessionService, policy: PasswordPolicy) {
        self.database = database
        self.passwords = passwords
        self.sessions = sessions
        self.policy = policy
    }

    /// Gives a user the password of `hash`.
    ///
    /// - Parameters:
    ///   - endsOtherSessions: whether the devices other than `device`, and tokens other than its own, end.
    /// - Throws: `M_NOT_FOUND` for an unknown user.
    package func set(_ hash: String, of user: UserID, endsOtherSessions: Bool, keeping device: DeviceID?) async throws {
        let isDone = try await database.write { try AccountStore.setPasswordHash(hash, of: user, on: $0) }
        guard isDone else { throw MatrixError.notFound("Unknown user") }
        if endsOtherSessions { try await sessions.endAll(of: user, except: device) }
    }
}

extension PasswordPolicy {
    /// Checks a new password.
    ///
    /// - Throws: one of the `M_PASSWORD_…` errors, or `M_INVALID_PARAM` for a password that cannot be hashed.
    package func check(_ password: String) throws(MatrixError) {
        guard PasswordHasher.isAcceptable(password) else { throw .invalidParam("Invalid password") }
        if let (errcode, message) = refusal(of: password) { throw MatrixError(status: 400, errcode: errcode, message: message) }
    }
}
