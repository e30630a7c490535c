// What the authentication service does with the accounts of this server: Synapse's `/_synapse/mas/…`.

import MatrixCore
import Persistence

/// Makes, changes and ends accounts and devices at the word of the service.
package struct AccountProvisioning: Sendable {
    private let database: any Database
    private let accounts: AccountService
    private let registration: RegistrationService
    private let profiles: ProfileService
    private let sessions: SessionService
    private let devices: DeviceService
    private let deactivation: AccountDeactivation
    private let thirdPartyIdentifiers: ThirdPartyIdentifiers

    package init(
        database: any Database, accounts: AccountService, registration: RegistrationService, profiles: ProfileService,
        sessions: SessionService, devices: DeviceService, deactivation: AccountDeactivation,
        thirdPartyIdentifiers: ThirdPartyIdentifiers
    ) {
        self.database = database
        self.accounts = accounts
        self.registration = registration
        self.profiles = profiles
        self.sessions = sessions
        self.devices = devices
        self.deactivation = deactivation
        self.thirdPartyIdentifiers = thirdPartyIdentifiers
    }

    // MARK: Accounts

    /// The account of this name.
    ///
    /// - Throws: `M_NOT_FOUND`.
    package func account(_ localpart: String) async throws -> AccountRow {
        guard let account = try await accounts.account(user(localpart)) else { throw MatrixError.notFound("User not found") }
        return account
    }

    /// Whether an account of this name could be made.
    ///
    /// - Throws: `M_INVALID_USERNAME`, `M_USER_IN_USE`.
    package func checkAvailable(_ localpart: String) async throws {
        try Localpart.check(localpart, server: accounts.serverName)
        if try await accounts.isTaken(user(localpart)) { throw MatrixError.userInUse }
    }

    /// What is to be with a field of a profile.
    package enum FieldChange: Sendable, Equatable {
        case set(String)
        case remove
    }

    /// Makes the account, or changes the one that is there.
    ///
    /// - Parameters:
    ///   - emails: the addresses that are the user's, and no others; nil: as they were.
    ///   - isLocked: nil: as it was.
    /// - Returns: whether it was made.
    package func provision(
        _ localpart: String, displayName: FieldChange?, avatarURL: FieldChange?, emails: [String]?, isLocked: Bool?
    ) async throws -> Bool {
        let user = user(localpart)
        let isNew = try await accounts.account(user) == nil
        if isNew {
            let name: String? = if case .set(let name)? = displayName { name } else { nil }
            _ = try await registration.register(externalName: localpart, displayName: name)
        } else if let displayName {
            try await change(ProfileField.displayName, displayName, of: user)
        }
        if let emails { try await setEmails(emails, of: user) }
        if let isLocked {
            _ = try await database.write { try AccountStore.setLocked(isLocked, user, on: $0) }
            sessions.forget(user)
        }
        if let avatarURL { try await change(ProfileField.avatarURL, avatarURL, of: user) }
        return isNew
    }

    /// What the service says counts, also of an address that was somebody else's until now.
    private func setEmails(_ emails: [String], of user: UserID) async throws {
        let medium = EmailAddress.medium
        let wanted = Set(emails.map { ThirdPartyIdentifiers.canonical(medium, $0) })
        let present = Set(try await thirdPartyIdentifiers.identifiers(of: user).filter { $0.medium == medium }.map(\.address))
        for address in present.subtracting(wanted) { _ = try await thirdPartyIdentifiers.remove(medium, address, from: user, at: nil) }
        let now = Timestamp.now
        let added = wanted.subtracting(present).sorted().map { ThirdPartyRow(medium: medium, address: $0, validated: now, added: now) }
        guard !added.isEmpty else { return }
        try await database.write { connection in
            for row in added {
                if let owner = try ThirdPartyStore.user(medium, row.address, on: connection) {
                    try ThirdPartyStore.delete(medium, row.address, of: owner, on: connection)
                }
                _ = try ThirdPartyStore.insert(row, of: user, on: connection)
            }
        }
    }

    package func setDisplayName(_ change: FieldChange, of localpart: String) async throws {
        try await self.change(ProfileField.displayName, change, of: try await account(localpart).user)
    }

    package func deactivate(_ localpart: String, erases: Bool) async throws {
        try await deactivation.deactivate(try await account(localpart).user, erases: erases)
    }

    package func reactivate(_ localpart: String) async throws {
        try await deactivation.reactivate(try await account(localpart).user)
    }

    private func user(_ localpart: String) -> UserID { UserID(localpart: ByteString(localpart), server: accounts.serverName) }

    private func change(_ field: ByteString, _ change: FieldChange, of user: UserID) async throws {
        let service = Requester(user: user, device: nil, isAdmin: true)
        switch change {
        case .set(let text):
            let value = try JSONDocument(parsing: JSONValue.string(text).canonicalBytes).root
            try await profiles.set(field, to: value, of: user, by: service)
        case .remove: try await profiles.remove(field, of: user, by: service)
        }
    }

    // MARK: Devices

    /// Makes a device, or renames the one that is there.
    ///
    /// - Returns: whether it was made.
    package func putDevice(_ device: String, of localpart: String, displayName: String?) async throws -> Bool {
        let user = try await account(localpart).user
        try SessionService.checkDevice(device, displayName: displayName)
        let id = DeviceID(trusted: device)
        if try await sessions.addDevice(id, of: user, displayName: displayName) { return true }
        try await devices.rename(id, of: user, to: displayName)
        return false
    }

    package func rename(_ device: String, of localpart: String, to displayName: String) async throws {
        try await devices.rename(DeviceID(trusted: device), of: try await account(localpart).user, to: displayName)
    }

    package func deleteDevice(_ device: String, of localpart: String) async throws {
        try await devices.delete([DeviceID(trusted: device)], of: try await account(localpart).user)
    }

    /// Lets a user have these devices, and no others. A dehydrated device has no session anywhere, and stays.
    package func setDevices(_ names: [String], of localpart: String) async throws {
        let user = try await account(localpart).user
        for name in names { try SessionService.checkDevice(name, displayName: nil) }
        let wanted = Set(names.map { DeviceID(trusted: $0) })
        let (present, dehydrated) = try await database.read { connection in
            (
                Set(try DeviceStore.devices(of: user, on: connection).map(\.device)),
                try DehydratedDeviceStore.device(of: user, on: connection)?.device
            )
        }
        let superfluous = present.subtracting(wanted).filter { $0 != dehydrated }
        if !superfluous.isEmpty { try await devices.delete(superfluous.sorted(), of: user) }
        for device in wanted.subtracting(present).sorted() { _ = try await sessions.addDevice(device, of: user, displayName: nil) }
    }
}
