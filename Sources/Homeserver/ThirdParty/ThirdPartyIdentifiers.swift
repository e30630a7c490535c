// The third-party identifiers of accounts: listed, added, removed, and published at identity servers.
// Client-Server API §Adding Account Administrative Contact Information.

import Logging
import MatrixCore
import Persistence

/// Keeps which addresses belong to which account, here and at the identity servers that this server has told of it.
package struct ThirdPartyIdentifiers: Sendable {
    private let database: any Database
    /// Those that there are: of addresses first, which asks nobody.
    private let validations: [any ThirdPartyValidation]
    private let identityServers: IdentityAssociations
    private let logger: Logger

    package init(
        database: any Database, validation: EmailValidation?, phones: PhoneValidation? = nil, identityServers: IdentityAssociations,
        logger: Logger
    ) {
        self.database = database
        let validations: [(any ThirdPartyValidation)?] = [validation, phones]
        self.validations = validations.compactMap { $0 }
        self.identityServers = identityServers
        self.logger = logger
    }

    package func identifiers(of user: UserID) async throws -> [ThirdPartyRow] {
        try await database.read { try ThirdPartyStore.identifiers(of: user, on: $0) }
    }

    /// Whose address it is.
    package func user(_ medium: String, _ address: String) async throws -> UserID? {
        guard !address.utf8.contains(0), !medium.utf8.contains(0) else { return nil }
        return try await database.read { try ThirdPartyStore.user(medium, address, on: $0) }
    }

    /// Adds an address that a session has shown to be the user's.
    ///
    /// - Throws: `M_THREEPID_AUTH_FAILED` (400) where the session has shown nothing, `M_THREEPID_IN_USE`.
    package func add(session id: String, secret: ClientSecret, to user: UserID) async throws {
        for validation in validations {
            guard let proven = try await validation.validated(id, secret: secret, for: .addition) else { continue }
            let row = ThirdPartyRow(medium: proven.medium, address: proven.address, validated: proven.validated, added: .now)
            let kind = type(of: validation)
            return try await database.write { connection in
                guard try kind.consume(id, on: connection) else { throw Self.noSession }
                guard try ThirdPartyStore.insert(row, of: user, on: connection) else { throw MatrixError.threePIDInUse }
            }
        }
        throw Self.noSession
    }

    /// Removes an address from the account and from the identity servers that know it.
    ///
    /// - Parameter server: the identity server to be told; nil: those that this server has told of it.
    /// - Returns: whether every identity server has forgotten it; false also where there is none to tell.
    package func remove(_ medium: String, _ address: String, from user: UserID, at server: String?) async throws -> Bool {
        let address = Self.canonical(medium, address)
        let isForgotten = try await unbind(medium, address, from: user, at: server)
        try await database.write { try ThirdPartyStore.delete(medium, address, of: user, on: $0) }
        return isForgotten
    }

    // MARK: Identity servers

    /// Publishes at an identity server that an address, which was shown to that server, is the user's.
    package func bind(_ association: IdentityAssociation, to user: UserID) async throws {
        let binding = try await identityServers.bind(association, to: user)
        try await database.write { try ThirdPartyStore.bind(binding, to: user, on: $0) }
    }

    /// - Returns: whether every identity server has forgotten the address; false also where there is none to tell.
    package func unbind(_ medium: String, _ address: String, from user: UserID, at server: String?) async throws -> Bool {
        let address = Self.canonical(medium, address)
        let known = try await database.read { try ThirdPartyStore.bindings(of: user, on: $0) }
            .filter { $0.medium == medium && $0.address == address }
        return try await unbind(
            server.map { [ThirdPartyStore.Binding(medium: medium, address: address, server: $0)] } ?? known, from: user)
    }

    /// Before an account ends: identity servers forget its addresses.
    ///
    /// - Returns: whether all of them did.
    /// - Throws: when one does not answer: the account can then still be ended later.
    package func unbindAll(from user: UserID, at server: String?) async throws -> Bool {
        let known = try await database.read { try ThirdPartyStore.bindings(of: user, on: $0) }
        guard !known.isEmpty else { return true }
        return try await unbind(
            known.map { ThirdPartyStore.Binding(medium: $0.medium, address: $0.address, server: server ?? $0.server) }, from: user)
    }

    private func unbind(_ bindings: [ThirdPartyStore.Binding], from user: UserID) async throws -> Bool {
        var isForgotten = !bindings.isEmpty
        for binding in bindings {
            if try await !identityServers.unbind(binding, from: user) { isForgotten = false }
            try await database.write { try ThirdPartyStore.unbind(binding, from: user, on: $0) }
        }
        return isForgotten
    }

    /// The form in which an address is stored; what is no address is left as it is, and found nowhere.
    package static func canonical(_ medium: String, _ address: String) -> String {
        guard medium == EmailAddress.medium else { return address }
        do throws(MatrixError) { return try EmailAddress(address).text } catch { return address }
    }

    private static let noSession = MatrixError(
        status: 400, errcode: "M_THREEPID_AUTH_FAILED", message: "No validated 3pid session found")
}
