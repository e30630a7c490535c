// An application service, as far as it is a caller of the client-server API. Application Service API §Registration.

import MatrixCore
import ServerConfiguration

/// One application service: which users and aliases are its own.
///
/// Unchecked, as regular expressions are not marked as `Sendable`: these are made once, and matching does not change them.
package final class ApplicationService: @unchecked Sendable {
    private struct Namespace {
        let expression: Regex<AnyRegexOutput>
        let isExclusive: Bool

        func contains(_ name: String) -> Bool { name.prefixMatch(of: expression) != nil }
    }

    package let id: String
    /// As whom it acts unless it says otherwise.
    package let sender: UserID
    package let isRateLimited: Bool
    /// It makes devices for its users, and does not log in as them.
    package let managesDevices: Bool
    private let users: [Namespace]
    private let aliases: [Namespace]
    private let addresses: [AddressRange]?

    package init(_ configuration: ApplicationServiceConfiguration, serverName: ServerName) {
        id = configuration.id
        sender = UserID(localpart: ByteString(configuration.senderLocalpart), server: serverName)
        isRateLimited = configuration.isRateLimited
        managesDevices = configuration.managesDevices
        users = configuration.users.compactMap(Self.namespace)
        aliases = configuration.aliases.compactMap(Self.namespace)
        addresses = configuration.addresses
    }

    /// Whether it may act as a user of this server.
    package func mayAct(as user: UserID) -> Bool {
        user == sender || user.belongs(to: sender.server) && users.contains { $0.contains(user.string) }
    }

    package func mayMake(_ alias: RoomAlias) -> Bool { aliases.contains { $0.contains(alias.string) } }

    /// Whether nobody else may have this name.
    package func reserves(_ user: UserID) -> Bool {
        user == sender || users.contains { $0.isExclusive && $0.contains(user.string) }
    }

    package func reserves(_ alias: RoomAlias) -> Bool { aliases.contains { $0.isExclusive && $0.contains(alias.string) } }

    package func mayCome(from address: String) -> Bool {
        guard let addresses else { return true }
        guard let address = AddressRange.Address(address) else { return false }
        return addresses.contains { $0.contains(address) }
    }

    /// Patterns were checked when the configuration was read.
    private static func namespace(_ namespace: ApplicationServiceConfiguration.Namespace) -> Namespace? {
        guard let expression = try? Regex(namespace.pattern).matchingSemantics(.unicodeScalar) else { return nil }
        return Namespace(expression: expression, isExclusive: namespace.isExclusive)
    }
}
