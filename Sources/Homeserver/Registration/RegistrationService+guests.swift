// Guests: accounts without a password. Client-Server API §Guest access, §Account registration.

import MatrixCore
import Persistence

extension RegistrationService {
    /// Every guest is on this device, as with Synapse.
    package static let guestDevice = "guest_device"

    /// Makes a guest's account.
    ///
    /// - Throws: `M_FORBIDDEN` where guests are not wanted, `M_LIMIT_EXCEEDED`.
    package func registerGuest(from address: String) async throws -> UserID {
        guard policy.allowsGuests else { throw MatrixError.forbidden("Guest access is disabled") }
        try rateLimits.check(.registration, of: ByteString(address))
        try await usage.checkRegistration(with: [])
        let user = UserID(localpart: ByteString(Self.generatedName()), server: accounts.serverName)
        var account = AccountRow(user: user, passwordHash: nil, created: .now)
        account.isGuest = true
        return try await insert(account, displayName: user.localpart.string)
    }

    /// Whether a guest may become the account that a request names: nobody but the guest itself.
    ///
    /// - Parameter guest: by whose token the request comes.
    /// - Throws: `M_FORBIDDEN`.
    package static func check(_ guest: Requester, mayBecome body: JSON) throws(MatrixError) -> UserID {
        guard guest.isGuest, body["username"]?.string.map({ ByteString($0) }) == guest.user.localpart else {
            throw .forbidden("Cannot register taken user ID without valid guest credentials for that user.")
        }
        return guest.user
    }

    /// Makes the account of a guest a person's.
    func promote(_ guest: UserID, passwordHash: String, by session: InteractiveAuthSession) async throws -> UserID {
        try await database.write { connection in
            if let earlier = try Self.registeredUser(of: session, on: connection) { return earlier }
            guard try AccountStore.promoteGuest(guest, passwordHash: passwordHash, on: connection) else { throw MatrixError.userInUse }
            try Self.finish(session, with: guest, on: connection)
            return guest
        }
    }
}
