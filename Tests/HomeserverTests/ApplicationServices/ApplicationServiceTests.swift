// Which names are an application service's.

import Homeserver
import MatrixCore
import ServerConfiguration
import Testing

@Suite("Application services")
struct ApplicationServiceTests {
    private static let service: ApplicationService = {
        var configuration = ApplicationServiceConfiguration(id: "irc", token: "secret", senderLocalpart: "_irc_bot")
        configuration.users = [.init(pattern: "@_irc_.*", isExclusive: true), .init(pattern: "@.*:test", isExclusive: false)]
        configuration.aliases = [.init(pattern: "#_irc_[a-z]+:test", isExclusive: true)]
        configuration.addresses = [AddressRange("10.0.0.0/8"), AddressRange("::1")].compactMap { $0 }
        return ApplicationService(configuration, serverName: ServerName(trusted: "test"))
    }()

    @Test(
        "it may act as all users of its namespaces, and keeps those that are exclusive",
        arguments: [
            ("@_irc_bot:test", true, true), ("@_irc_ghost:test", true, true), ("@alice:test", true, false),
            // Not of this server; not at the beginning of the name.
            ("@_irc_ghost:elsewhere", false, true), ("@alice_@_irc_:test", true, false),
        ] as [(String, Bool, Bool)])
    func users(user: String, mayAct: Bool, isReserved: Bool) {
        let user = UserID(trusted: user)
        #expect(Self.service.mayAct(as: user) == mayAct)
        #expect(Self.service.reserves(user) == isReserved)
    }

    @Test(
        "an alias is its own where the beginning matches",
        arguments: [("#_irc_den:test", true), ("#den:test", false), ("#_irc_1:test", false)])
    func aliases(alias: String, isOwn: Bool) {
        let alias = RoomAlias(trusted: alias)
        #expect(Self.service.mayMake(alias) == isOwn && Self.service.reserves(alias) == isOwn)
    }

    @Test(
        "it comes only from where the operator says",
        arguments: [("10.1.2.3", true), ("::1", true), ("192.168.0.1", false), ("-", false)])
    func addresses(address: String, isLet: Bool) {
        #expect(Self.service.mayCome(from: address) == isLet)
    }
}
