// The accounts of this server.

import MatrixCore
import Persistence

/// Finds, makes and changes accounts.
package struct AccountService: Sendable {
    private let database: any Database
    package let serverName: ServerName

    package init(database: any Database, serverName: ServerName) {
        self.database = database
        self.serverName = serverName
    }

    package func account(_ user: UserID) async throws -> AccountRow? {
        try await database.read { try AccountStore.account(user, on: $0) }
    }

    /// Whether `user` has an account here.
    package func exists(_ user: UserID) async throws -> Bool {
        guard user.server == serverName else { return false }
        return try await database.read { try AccountStore.exists(user, on: $0) }
    }

    /// Those of `users`, all of this server, that have an account, and whether it is deactivated.
    package func deactivations(of users: [UserID]) async throws -> [UserID: Bool] {
        try await database.read { try AccountStore.deactivations(of: users, on: $0) }
    }

    /// The account that somebody means who types `user`: this very id, or else the only one that differs in the case of
    /// letters alone.
    package func accountIgnoringCase(_ user: UserID) async throws -> AccountRow? {
        let candidates = try await database.read { try AccountStore.accountsIgnoringCase(user, on: $0) }
        return candidates.count == 1 ? candidates.first : candidates.first { $0.user == user }
    }

    /// The account that an address belongs to.
    ///
    /// - Parameter address: in canonical form.
    package func account(medium: String, address: String) async throws -> AccountRow? {
        guard !medium.utf8.contains(0), !address.utf8.contains(0) else { return nil }
        return try await database.read { connection in
            try ThirdPartyStore.user(medium, address, on: connection).flatMap { try AccountStore.account($0, on: connection) }
        }
    }

    /// Whether an id is taken, also by an account that differs only in the case of letters.
    package func isTaken(_ user: UserID) async throws -> Bool {
        try await database.read { try !AccountStore.accountsIgnoringCase(user, on: $0).isEmpty }
    }

    /// Adds an account with its display name, in a transaction; false if the id is taken.
    package static func insert(_ account: AccountRow, displayName: String?, on connection: any SQLConnection) throws -> Bool {
        guard try AccountStore.insert(account, on: connection) else { return false }
        if let displayName {
            try ProfileStore.set(
                ProfileField.displayName, to: JSONValue.string(displayName).canonicalBytes, of: account.user, on: connection)
        }
        try UserDirectoryEntry.refresh(account.user, on: connection)
        return true
    }

    package func setAdmin(_ isAdmin: Bool, _ user: UserID) async throws -> Bool {
        try await database.write { try AccountStore.setAdmin(isAdmin, user, on: $0) }
    }
}
