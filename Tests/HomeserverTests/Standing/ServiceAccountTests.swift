// The standing of accounts that application services registered.

import Homeserver
import MatrixCore
import Persistence
import ServerConfiguration
import TestSupport
import Testing

@Suite("Accounts of application services")
struct ServiceAccountTests {
    private static func user(_ index: Int) -> UserID { UserID(trusted: "@u\(index):test") }
    private static let hour: Int64 = 3_600_000

    @Test("users of application services need a place to come in, and take none from others")
    func placesOfServices() {
        var users = MonthlyUsers(limit: 1)
        let start = Timestamp(milliseconds: 1_000_000)
        let noted = [(1, true), (2, false), (3, true)].map { users.note(Self.user($0.0), isUserOfService: $0.1, at: start) }
        #expect(noted == [true, true, false] && users.count == 1 && !users.hasRoom)
        let gone = users.reap(at: start, keeping: [])
        #expect(gone.isEmpty && users.contains(Self.user(1)) && users.contains(Self.user(2)))
        let all = users.reap(at: start.advanced(byMilliseconds: 31 * 24 * Self.hour), keeping: [])
        #expect(Set(all) == [Self.user(1), Self.user(2)] && users.count == 0)
    }

    @Test("users of an application service are on trial for as long as is said of it", arguments: DatabaseKind.allCases)
    func trialOfServices(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            var options = UsageOptions()
            options.limitsMonthlyUsers = true
            options.tracksServices = true
            options.monthlyUserLimit = 1
            options.trialDays = 2
            options.trialDaysOfServices = ["irc": 10, "sms": 0]
            let server = try await AccountsFixture(database, usage: options)
            func account(_ name: String, of service: String?, daysAgo days: Int64) async throws -> UserID {
                let created = Timestamp.now.advanced(byMilliseconds: -days * 24 * Self.hour)
                var account = AccountRow(user: UserID(trusted: "@\(name):test"), passwordHash: nil, created: created)
                account.service = service
                let row = account
                _ = try await database.write { try AccountStore.insert(row, on: $0) }
                return row.user
            }
            let alice = try await account("alice", of: nil, daysAgo: 3)
            try await server.usage.note([alice])
            let trials = [
                try await account("old", of: "irc", daysAgo: 5), try await account("new", of: "email", daysAgo: 1),
                try await account("person", of: nil, daysAgo: 1),
            ]
            let others = [
                try await account("gone", of: "irc", daysAgo: 11), try await account("other", of: "sms", daysAgo: 1),
                try await account("former", of: "email", daysAgo: 3), try await account("late", of: nil, daysAgo: 3),
            ]
            for user in trials { #expect(try await errorCode { try await server.usage.check(user) } == nil, "\(user)") }
            for user in others {
                #expect(try await errorCode { try await server.usage.check(user) } == "M_RESOURCE_LIMIT_EXCEEDED", "\(user)")
            }

            // Where there is room, those whose trial is over are noted, and only people take a place; also after a restart.
            options.monthlyUserLimit = 3
            let roomy = try await AccountsFixture(database, usage: options)
            try await roomy.usage.restore()
            try await roomy.usage.note(Set(trials + others))
            let again = try await AccountsFixture(database, usage: options)
            try await again.usage.restore()
            #expect(roomy.usage.monthlyUserCount == 2 && again.usage.monthlyUserCount == 2)
            #expect(try await Set(database.read { try MonthlyUserStore.users(on: $0).map(\.user) }) == Set(others + [alice]))
        }
    }

    @Test("it stays known who was registered by an application service", arguments: DatabaseKind.allCases)
    func accountsOfServices(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let server = try await AccountsFixture(database)
            var irc = ApplicationServiceConfiguration(id: "irc", token: "t", senderLocalpart: "bot")
            irc.users = [.init(pattern: "@irc_.*", isExclusive: true)]
            let service = ApplicationService(irc, serverName: AccountsFixture.server)
            let (ghost, alice) = (try await server.registration.register("irc_ghost", for: service), try await server.register("alice"))
            var isUserOfService: [Bool] = []
            for user in [ghost, alice] {
                let token = try await server.sessions.open(user, device: nil, displayName: nil, withRefreshToken: false).accessToken
                isUserOfService.append(try await server.sessions.authenticate(token: token).isUserOfService)
            }
            #expect(isUserOfService == [true, false])
        }
    }
}
