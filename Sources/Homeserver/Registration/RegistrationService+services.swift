// The users of application services. Application Service API §Server admin style permissions.

import MatrixCore
import Persistence

extension RegistrationService {
    /// Makes an account for a user of an application service: without a password, and with whatever name is a user's at all.
    ///
    /// - Throws: `M_INVALID_USERNAME`; `M_EXCLUSIVE` for a name that is not the service's; `M_USER_IN_USE`.
    package func register(_ name: String, for service: ApplicationService) async throws -> UserID {
        guard let user = UserID(valid: "@\(name):\(accounts.serverName)"), user.belongs(to: accounts.serverName) else {
            throw MatrixError.invalidUsername
        }
        guard service.mayAct(as: user) else { throw MatrixError.exclusive("Invalid user localpart for this application service.") }
        try services.check(user, for: service)
        if try await accounts.isTaken(user) { throw MatrixError.userInUse }
        var account = AccountRow(user: user, passwordHash: nil, created: .now)
        account.service = service.id
        let row = account
        let isNew = try await database.write { try AccountService.insert(row, displayName: user.localpart.string, on: $0) }
        guard isNew else { throw MatrixError.userInUse }
        return user
    }
}
