// The services of accounts on a test's database, as the server has them.

import Homeserver
import MatrixCore
import Persistence
import Rooms
import ServerConfiguration
import Synchronization
import TestSupport

/// The accounts of a server named `test`. A second one on the same database is that server after a restart.
struct AccountsFixture: Sendable {
    static let server = ServerName(trusted: "test")
    static let alice = UserID(trusted: "@alice:test")
    static let bob = UserID(trusted: "@bob:test")

    let database: any Database
    let journal: Journal
    let devices = DeviceRecorder()
    let accounts: AccountService
    let sessions: SessionService
    let login: LoginService
    let registration: RegistrationService
    let profiles: ProfileService
    let pushRules: PushRuleService
    let accountData: AccountDataService
    let filters: FilterService
    let rooms: RoomRegistry
    let creation: RoomCreation

    init(_ database: any Database, lifetimes: SessionLifetimes = SessionLifetimes(), limits: RateLimits = .none) async throws {
        self.database = database
        let logger = DatabaseFixture.logger
        let sequences = try await Sequences.load(from: database)
        journal = Journal(database: database, sequences: sequences, logger: logger)
        let environment = RoomEnvironment(
            database: database, journal: journal, sequences: sequences, serverName: Self.server,
            signingKey: SigningKey.generate(version: "a_test"), logger: logger)
        rooms = RoomRegistry(environment: environment)
        let directory = AliasDirectory(rooms: rooms)
        creation = RoomCreation(rooms: rooms, directory: directory, policy: RoomCreationPolicy())
        let passwords = PasswordHasher(rounds: 4, pepper: "")
        let rateLimits = RateLimiter(limits)
        accounts = AccountService(database: database, serverName: Self.server)
        sessions = SessionService(database: database, journal: journal, lifetimes: lifetimes, observers: [devices])
        login = LoginService(accounts: accounts, passwords: passwords, rateLimits: rateLimits, isEnabled: true)
        registration = RegistrationService(
            accounts: accounts, passwords: passwords, rateLimits: rateLimits, interactive: InteractiveAuthentication(),
            policy: RegistrationPolicy(isEnabled: true, isOpenWithoutVerification: true))
        profiles = ProfileService(
            database: database, membership: RoomMembership(rooms: rooms, directory: directory), serverName: Self.server)
        pushRules = PushRuleService(database: database, journal: journal)
        accountData = AccountDataService(database: database, journal: journal, pushRules: pushRules)
        filters = FilterService(database: database)
    }

    /// An account with the password `wonderland`.
    @discardableResult
    func register(_ name: String, isAdmin: Bool = false) async throws -> UserID {
        try await registration.register(name: name, password: "wonderland", displayName: nil, isAdmin: isAdmin, userType: nil)
    }

    func isValid(_ token: String) async throws -> Bool {
        try await errorCode { _ = try await sessions.authenticate(token: token) } == nil
    }
}

extension RateLimits {
    /// Limits that no test reaches.
    static var none: RateLimits {
        var limits = RateLimits()
        let unlimited = RateLimit(1e6, 1_000_000)
        limits.registration = unlimited
        limits.login.address = unlimited
        limits.login.account = unlimited
        limits.login.failedAttempts = unlimited
        return limits
    }
}

/// Notes what it is told of devices.
final class DeviceRecorder: DeviceObserver {
    let deleted = Mutex<[String]>([])
    let announced = Mutex<[String]>([])

    func records(forChangeOf devices: [DeviceID], of user: UserID) -> [any JournalRecord] {
        announced.withLock { $0 += devices.map(\.string) }
        return []
    }

    func didDelete(_ devices: [DeviceID], of user: UserID) async {
        deleted.withLock { $0 += devices.map(\.string) }
    }
}

/// A JSON value from its text.
func json(_ text: String) throws -> JSON { try JSONDocument(parsing: Array(text.utf8)).root }

/// The error code with which `body` fails; nil when it does not fail.
func errorCode(isolation: isolated (any Actor)? = #isolation, _ body: () async throws -> Void) async throws -> String? {
    do {
        try await body()
        return nil
    } catch let error as MatrixError {
        return error.errcode
    }
}
