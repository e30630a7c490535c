// Whose account ends is told so once, in time, and can have it go on.

import Homeserver
import MatrixCore
import Persistence
import ServerConfiguration
import TestSupport
import Testing

@Suite("Renewal of accounts")
struct AccountRenewalTests {
    private static let period = Duration.seconds(90 * 86_400)
    private static let now = Timestamp.now

    private static func days(_ count: Int64) -> Timestamp { now.advanced(byMilliseconds: count * 86_400_000) }

    private func renewal(_ server: AccountsFixture) throws -> AccountRenewal {
        var configuration = ServerConfiguration(serverName: AccountsFixture.server)
        configuration.macaroonSecretKey = "a secret"
        configuration.accountValidity.isEnabled = true
        configuration.accountValidity.period = Self.period
        configuration.accountValidity.notice = .seconds(7 * 86_400)
        return try #require(
            AccountRenewal(
                configuration, database: server.database, sessions: server.sessions, mailer: .recording(to: server.mails),
                rateLimits: server.rateLimits, logger: DatabaseFixture.logger))
    }

    /// An account with an address that ends at a time.
    private func account(_ name: String, ending end: Timestamp, _ server: AccountsFixture) async throws {
        let user = try await server.register(name)
        try await server.database.write { connection in
            let row = ThirdPartyRow(medium: "email", address: "\(name)@example.org", validated: .now, added: .now)
            _ = try ThirdPartyStore.insert(row, of: user, on: connection)
            _ = try AccountStore.setExpiration(end, of: user, on: connection)
        }
    }

    @Test("all whose accounts end soon are told once, also those that end at the same moment", arguments: DatabaseKind.allCases)
    func once(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let server = try await AccountsFixture(database)
            // More than are looked for at once.
            for number in 0..<130 { try await account("same\(number)", ending: Self.days(3), server) }
            try await account("early", ending: Self.days(1), server)
            try await account("late", ending: Self.days(30), server)
            try await account("gone", ending: Self.days(2), server)
            _ = try await database.write { try AccountStore.setDeactivated(true, UserID(trusted: "@gone:test"), on: $0) }
            try await renewal(server).tellThoseWhoseAccountsEnd()
            let told = server.mails.sent.withLock { $0.map(\.to.text) }
            #expect(told.count == 131 && Set(told).count == 131 && told.first == "early@example.org")
            // Not again after a restart; and who is not due yet is not told.
            try await renewal(server).tellThoseWhoseAccountsEnd()
            #expect(server.mails.count == 131)
            try await account("next", ending: Self.days(7).advanced(byMilliseconds: 3_600_000), server)
            try await renewal(server).tellThoseWhoseAccountsEnd()
            #expect(server.mails.count == 131)
        }
    }

    @Test("a mail server that takes nothing is tried again the next time", arguments: DatabaseKind.allCases)
    func failing(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let server = try await AccountsFixture(database)
            try await account("alice", ending: Self.days(3), server)
            server.mails.isBroken.withLock { $0 = true }
            try await renewal(server).tellThoseWhoseAccountsEnd()
            #expect(server.mails.count == 0)
            server.mails.isBroken.withLock { $0 = false }
            try await renewal(server).tellThoseWhoseAccountsEnd()
            #expect(server.mails.count == 1)
        }
    }

    @Test("who was not reached is tried again when others were, and who was reached by one address is not told again for another")
    func unreachable() async throws {
        try await withDatabase(.sqlite) { database in
            let server = try await AccountsFixture(database)
            for name in ["alice", "bob"] { try await account(name, ending: Self.days(3), server) }
            try await database.write { connection in
                let row = ThirdPartyRow(medium: "email", address: "another@example.org", validated: .now, added: .now)
                _ = try ThirdPartyStore.insert(row, of: UserID(trusted: "@alice:test"), on: connection)
            }
            server.mails.unreachable.withLock { $0 = ["another@example.org", "bob@example.org"] }
            try await renewal(server).tellThoseWhoseAccountsEnd()
            #expect(server.mails.sent.withLock { $0.map(\.to.text) } == ["alice@example.org"])
            server.mails.unreachable.withLock { $0 = [] }
            try await renewal(server).tellThoseWhoseAccountsEnd()
            #expect(server.mails.sent.withLock { $0.map(\.to.text) } == ["alice@example.org", "bob@example.org"])
        }
    }

    @Test("an end of which the owner is not to be told stays untold when it nears; the next is told", arguments: DatabaseKind.allCases)
    func silent(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let server = try await AccountsFixture(database, validity: Self.period)
            try await account("alice", ending: Self.days(30), server)
            let alice = UserID(trusted: "@alice:test"), renewal = try renewal(server)
            _ = try await server.moderation.renew(alice, until: Self.days(3), isTold: true)
            try await renewal.tellThoseWhoseAccountsEnd()
            #expect(server.mails.count == 0)
            _ = try await server.moderation.renew(alice, until: Self.days(2), isTold: false)
            try await renewal.tellThoseWhoseAccountsEnd()
            #expect(server.mails.count == 1)
            // A link makes a new end, of which the owner is told when it comes near.
            _ = try await renewal.renew(by: try #require(server.mails.parameter("token")))
            try await renewal.tellThoseWhoseAccountsEnd()
            #expect(server.mails.count == 1)
            let end = try #require(try await database.read { try AccountStore.account(alice, on: $0)?.expiration })
            let untold = try await database.read { try AccountExpiryStore.untold(after: nil, until: end, limit: 10, on: $0) }
            #expect(untold == [AccountEnd(user: alice, end: end)])
        }
    }

    @Test("a link is good for one end of one account")
    func link() async throws {
        try await withDatabase(.sqlite) { database in
            let server = try await AccountsFixture(database)
            try await account("alice", ending: Self.days(3), server)
            let renewal = try renewal(server)
            try await renewal.tellThoseWhoseAccountsEnd()
            let token = try #require(server.mails.parameter("token"))
            guard case .renewed(let end) = try await renewal.renew(by: token) else {
                Issue.record("not renewed")
                return
            }
            #expect(end > Self.days(89) && end < Self.days(91))
            #expect(try await renewal.renew(by: token) == .alreadyRenewed(until: end))
            #expect(try await renewal.renew(by: String(token.dropLast(3))) == .unknownLink)
            #expect(try await self.renewal(server).renew(by: "") == .unknownLink)
        }
    }
}
