// Who makes a request.

import MatrixCore
import Persistence

/// The account and device behind an access token. Client-Server API §Using access tokens.
package struct Requester: Sendable, Hashable {
    package let user: UserID
    /// The device of the session; nil for tokens that an administrator or application service made.
    package let device: DeviceID?
    package let isAdmin: Bool
    package let isGuest: Bool
    /// Client-Server API §Account suspension.
    package var isSuspended = false
    /// Synapse's user type, e.g. `bot` or `support`; nil for a person.
    package var userType: String?
    /// The version of the terms that the user has agreed to.
    package var consentVersion: String?
    /// An application service registered the account.
    package var isUserOfService = false
    /// The id of the application service that acts as the user; nil: the user does.
    package var service: String?
    /// Whether limits hold for the requester: not for the application services that the operator spares.
    package var isRateLimited = true
    /// The row of the access token.
    package let tokenID: Int64

    package init(user: UserID, device: DeviceID?, isAdmin: Bool = false, isGuest: Bool = false, tokenID: Int64 = 0) {
        self.user = user
        self.device = device
        self.isAdmin = isAdmin
        self.isGuest = isGuest
        self.tokenID = tokenID
    }

    /// Takes over how an account stands.
    mutating func take(_ account: AccountRow) {
        isSuspended = account.isSuspended
        userType = account.userType
        consentVersion = account.consentVersion
        isUserOfService = account.service != nil
    }
}
