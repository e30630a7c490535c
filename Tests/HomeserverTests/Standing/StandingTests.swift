// What suspended users may do, who has a place, and who is stopped.

import Homeserver
import MatrixCore
import Persistence
import ServerConfiguration
import TestSupport
import Testing

@Suite("Standing of accounts")
struct StandingTests {
    @Test(
        "suspended users read, tidy up and leave, and do nothing else",
        arguments: [
            (AccountDeed.sync, true), (.leave, true), (.redact(own: true), true), (.redact(own: false), false), (.send, false),
            (.join, false), (.knock, false), (.invite, false), (.moderate, false), (.createRoom, false), (.changeProfile, false),
            (.publish, false),
        ])
    func suspension(deed: AccountDeed, isAllowed: Bool) async throws {
        #expect(deed.isAllowedWhileSuspended == isAllowed)
        try await withDatabase(.sqlite) { database in
            let server = try await AccountsFixture(database)
            let gate = AccountGate(usage: server.usage, consent: nil)
            var alice = Requester(user: AccountsFixture.alice, device: nil)
            try await gate.check(deed, by: alice)
            alice.isSuspended = true
            let stopped = try await errorCode { try await gate.check(deed, by: alice) }
            #expect(stopped == (isAllowed ? nil : "M_USER_SUSPENDED"))
        }
    }

    // MARK: Locked, suspended, expired

    @Test("a locked account's tokens are of no use until it is opened again", arguments: DatabaseKind.allCases)
    func lock(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let server = try await AccountsFixture(database)
            let (alice, admin) = (try await server.register("alice"), try await server.register("admin", isAdmin: true))
            let session = try await server.sessions.open(alice, device: nil, displayName: nil, withRefreshToken: true)
            let administrator = Requester(user: admin, device: nil, isAdmin: true)
            #expect(try await server.isValid(session.accessToken))
            try await server.moderation.setLocked(true, alice, by: administrator)
            let refusal = await #expect(throws: MatrixError.self) { _ = try await server.sessions.authenticate(token: session.accessToken) }
            #expect(refusal?.errcode == "M_USER_LOCKED" && refusal?.status == 401 && refusal?.extra["soft_logout"] == true)
            let refresh = session.refreshToken ?? ""
            #expect(try await errorCode { _ = try await server.sessions.refresh(refresh) } == "M_USER_LOCKED")
            let login = #"{"type":"m.login.password","user":"alice","password":"wonderland"}"#
            #expect(try await errorCode { _ = try await server.login.logIn(json(login), from: "x") } == "M_USER_LOCKED")
            try await server.moderation.setLocked(false, alice, by: administrator)
            #expect(try await server.isValid(session.accessToken))
            try await server.moderation.setLocked(true, alice, by: administrator)
            try await server.sessions.logOut(token: session.accessToken)
        }
    }

    @Test("administrators lock and suspend neither themselves nor each other, and nobody who is not here", arguments: DatabaseKind.allCases)
    func subjects(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let server = try await AccountsFixture(database)
            let (alice, admin, other) = (
                try await server.register("alice"), try await server.register("admin", isAdmin: true),
                try await server.register("other", isAdmin: true)
            )
            let administrator = Requester(user: admin, device: nil, isAdmin: true)
            for (user, expected) in [
                (alice, nil), (admin, "M_FORBIDDEN"), (other, "M_FORBIDDEN"), (UserID(trusted: "@nobody:test"), "M_NOT_FOUND"),
                (UserID(trusted: "@alice:elsewhere"), "M_INVALID_PARAM"),
            ] as [(UserID, String?)] {
                #expect(try await errorCode { try await server.moderation.setSuspended(true, user, by: administrator) } == expected)
                #expect(try await errorCode { try await server.moderation.setLocked(true, user, by: administrator) } == expected)
            }
            let account = try await server.moderation.subject(alice, of: administrator)
            #expect(account.isSuspended && account.isLocked)
            _ = try await database.write { try AccountStore.setDeactivated(true, alice, on: $0) }
            #expect(try await errorCode { try await server.moderation.setLocked(true, alice, by: administrator) } == "M_NOT_FOUND")
        }
    }

    @Test("an account ends at its time, and goes on when it is renewed", arguments: DatabaseKind.allCases)
    func validity(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            var lifetimes = SessionLifetimes()
            lifetimes.endsAccounts = true
            var policy = RegistrationPolicy(isEnabled: true)
            policy.validity = .seconds(3600)
            let server = try await AccountsFixture(database, lifetimes: lifetimes, policy: policy, validity: .seconds(3600))
            let alice = try await server.register("alice")
            let token = try await server.sessions.open(alice, device: nil, displayName: nil, withRefreshToken: false).accessToken
            #expect(try await server.isValid(token))
            _ = try await server.moderation.renew(alice, until: Timestamp(milliseconds: 1))
            #expect(try await errorCode { _ = try await server.sessions.authenticate(token: token) } == "ORG_MATRIX_EXPIRED_ACCOUNT")
            let end = try await server.moderation.renew(alice, until: nil)
            #expect(end > .now && end < Timestamp.now.advanced(byMilliseconds: 3_601_000))
            #expect(try await server.isValid(token))
            #expect(try await errorCode { _ = try await server.moderation.renew(AccountsFixture.bob, until: nil) } == "M_NOT_FOUND")
            // Where accounts do not end, the time means nothing.
            _ = try await server.moderation.renew(alice, until: Timestamp(milliseconds: 1))
            #expect(try await AccountsFixture(database).isValid(token))
        }
    }

    // MARK: Places

    private static func user(_ index: Int) -> UserID { UserID(trusted: "@u\(index):test") }
    private static let hour: Int64 = 3_600_000

    @Test("there are as many places as the limit says, and who has one keeps it for a month")
    func places() {
        var users = MonthlyUsers(limit: 2)
        let start = Timestamp(milliseconds: 1_000_000)
        var noted = [1, 2, 3].map { users.note(Self.user($0), at: start) }
        #expect(noted == [true, true, false] && !users.hasRoom && !users.contains(Self.user(3)))
        // Within the hour nothing new is to be stored.
        let (hour, later) = (start.advanced(byMilliseconds: Self.hour), start.advanced(byMilliseconds: 20 * 24 * Self.hour))
        noted = [hour, later].map { users.note(Self.user(1), at: $0) }
        #expect(noted == [false, true])
        let month = start.advanced(byMilliseconds: 30 * 24 * Self.hour + 1)
        let gone = [later, month].map { users.reap(at: $0, keeping: []) }
        #expect(gone == [[], [Self.user(2)]])
        let isNoted = users.note(Self.user(3), at: month)
        #expect(isNoted)
    }

    @Test("where the limit was lowered those who were here last stay, and those with a reserved place")
    func lowered() {
        let seen = (1...5).map {
            MonthlyUserStore.Row(user: Self.user($0), lastActive: Timestamp(milliseconds: Int64($0)), isUserOfService: false)
        }
        var users = MonthlyUsers(limit: 3, seen)
        let gone = users.reap(at: Timestamp(milliseconds: 10), keeping: [Self.user(1)])
        #expect(Set(gone) == [Self.user(2), Self.user(3)])
        #expect(users.contains(Self.user(1)) && users.contains(Self.user(4)) && users.contains(Self.user(5)))
    }

    @Test(
        "without a place nobody gets in, but new accounts on trial, support, and those with a reserved address",
        arguments: DatabaseKind.allCases)
    func limit(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            var options = UsageOptions()
            options.limitsMonthlyUsers = true
            options.monthlyUserLimit = 1
            options.adminContact = "mailto:admin@test"
            options.reservedThirdPartyIDs = [.init(medium: "email", address: "Boss@test")]
            let server = try await AccountsFixture(database, usage: options)
            let (alice, bob) = (try await server.register("alice"), try await server.register("bob"))
            try await server.usage.check(alice)
            try await server.usage.note([alice])
            let refusal = await #expect(throws: MatrixError.self) { try await server.usage.check(bob) }
            #expect(refusal?.errcode == "M_RESOURCE_LIMIT_EXCEEDED" && refusal?.extra["admin_contact"] == "mailto:admin@test")
            #expect(refusal?.extra["limit_type"] == "monthly_active_user" && refusal?.status == 403)
            try await server.usage.check(alice)
            #expect(try await errorCode { try await server.usage.checkRegistration(with: []) } == "M_RESOURCE_LIMIT_EXCEEDED")
            try await server.usage.checkRegistration(
                with: [ProvenThirdPartyID(medium: "email", address: "boss@test", validated: .now)])
            let support = try await server.registration.register(
                name: "support", password: "x", displayName: nil, isAdmin: false, userType: "support")
            try await server.usage.check(support)

            // After a restart, the place is still taken; and with a trial, new accounts need none.
            let again = try await AccountsFixture(database, usage: options)
            try await again.usage.restore()
            #expect(again.usage.monthlyUserCount == 1)
            #expect(try await errorCode { try await again.usage.check(bob) } == "M_RESOURCE_LIMIT_EXCEEDED")
            options.trialDays = 1
            let trial = try await AccountsFixture(database, usage: options)
            try await trial.usage.restore()
            try await trial.usage.check(bob)
            try await trial.usage.note([bob])
            #expect(trial.usage.monthlyUserCount == 1)
        }
    }

    @Test("a server that is switched off takes nobody, and says why")
    func disabled() async throws {
        try await withDatabase(.sqlite) { database in
            var options = UsageOptions()
            options.isServerDisabled = true
            options.disabledMessage = "Moving house"
            let server = try await AccountsFixture(database, usage: options)
            let alice = try await server.register("alice")
            let refusal = await #expect(throws: MatrixError.self) { try await server.usage.check(alice) }
            #expect(refusal?.message == "Moving house" && refusal?.extra["limit_type"] == "hs_disabled")
        }
    }

    @Test("who is here is counted by what devices do", arguments: DatabaseKind.allCases)
    func tracking(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            var options = UsageOptions()
            options.countsMonthlyUsers = true
            let server = try await AccountsFixture(database, usage: options)
            let alice = try await server.register("alice")
            let session = try await server.sessions.open(alice, device: "A", displayName: nil, withRefreshToken: false)
            let requester = try await server.sessions.authenticate(token: session.accessToken)
            for address in ["192.0.2.1", "192.0.2.2", "192.0.2.1"] {
                server.sessions.activity.note(requester, address: address, userAgent: "agent\0")
            }
            await server.sessions.activity.write()
            #expect(server.usage.monthlyUserCount == 1)
            let rows = try await database.read { try UserAddressStore.addresses(of: alice, on: $0) }
            #expect(Set(rows.map(\.address)) == ["192.0.2.1", "192.0.2.2"] && rows.allSatisfy { $0.userAgent == "agent" })

            let past = Timestamp.now.advanced(byMilliseconds: -Self.hour)
            try await database.write { try UserAddressStore.forget(before: past, on: $0) }
            #expect(try await database.read { try UserAddressStore.addresses(of: alice, on: $0).count } == 2)
            let future = Timestamp.now.advanced(byMilliseconds: Self.hour)
            try await database.write { try UserAddressStore.forget(before: future, on: $0) }
            #expect(try await database.read { try UserAddressStore.addresses(of: alice, on: $0).isEmpty })
            let device = try await database.read { try DeviceStore.devices(of: alice, on: $0) }
            #expect(device.first?.lastSeenIP == nil && device.first?.lastSeen != nil)
            #expect(
                try await database.read { try UserAddressStore.staleDevices(before: future, limit: 10, on: $0).map(\.device.string) } == [
                    "A"
                ])
            #expect(try await database.read { try UserAddressStore.staleDevices(before: past, limit: 10, on: $0).isEmpty })
        }
    }
}
