// The services of accounts on a test's database, as the server has them.

import Federation
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
    let rateLimits: RateLimiter
    let usage: UsageLimits
    let tokens: RegistrationTokens
    let mails = MailRecorder()
    let validation: EmailValidation
    let interactive: InteractiveAuthentication
    let reauthentication: Reauthentication
    let identifiers: ThirdPartyIdentifiers
    let moderation: AccountModeration
    let profiles: ProfileService
    let pushRules: PushRuleService
    let accountData: AccountDataService
    let filters: FilterService
    let rooms: RoomRegistry
    let creation: RoomCreation

    /// - Parameters:
    ///   - policy: nil: everyone may register.
    ///   - proofTimeout: for how long who has shown who they are need not do so again.
    init(
        _ database: any Database, lifetimes: SessionLifetimes = SessionLifetimes(), limits: RateLimits = .none,
        policy: RegistrationPolicy? = nil, usage usageOptions: UsageOptions = UsageOptions(), proofTimeout: Duration = .zero,
        validity: Duration? = nil
    ) async throws {
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
        rateLimits = RateLimiter(limits)
        usage = UsageLimits(usageOptions, database: database, logger: logger)
        accounts = AccountService(database: database, serverName: Self.server)
        sessions = SessionService(database: database, journal: journal, lifetimes: lifetimes, observers: [devices], usage: usage)
        login = LoginService(accounts: accounts, passwords: passwords, rateLimits: rateLimits, isEnabled: true)
        tokens = RegistrationTokens(database: database)
        validation = try EmailValidation(database: database, mailer: .recording(to: mails), tokenLifetime: .seconds(3600))
        interactive = InteractiveAuthentication(
            database: database,
            stages: [
                DummyStage(), PasswordStage(login: login), RegistrationTokenStage(tokens: tokens, rateLimits: rateLimits),
                EmailIdentityStage(validation: validation),
            ])
        reauthentication = Reauthentication(database: database, interactive: interactive, login: login, timeout: proofTimeout)
        identifiers = ThirdPartyIdentifiers(
            database: database, validation: validation,
            identityServers: IdentityAssociations(
                http: OutboundHTTP(OutboundConfiguration()), serverName: Self.server, signingKey: environment.signingKey, logger: logger),
            logger: logger)
        moderation = AccountModeration(database: database, sessions: sessions, serverName: Self.server, validity: validity)
        registration = RegistrationService(
            database: database, accounts: accounts, passwords: passwords, rateLimits: rateLimits, interactive: interactive,
            policy: policy ?? RegistrationPolicy(isEnabled: true), usage: usage,
            services: ApplicationServices([], serverName: Self.server, database: database))
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
        limits.thirdPartyValidation = unlimited
        limits.registrationTokenValidity = unlimited
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

/// Keeps the mails that would be sent.
final class MailRecorder: MailTransport {
    let sent = Mutex<[MailMessage]>([])
    let isBroken = Mutex(false)
    /// Addresses at which no mail is taken.
    let unreachable = Mutex<Set<String>>([])

    func send(_ message: MailMessage) async throws(MailFailure) {
        if isBroken.withLock({ $0 }) { throw MailFailure("no route to host") }
        if unreachable.withLock({ $0.contains(message.to.text) }) { throw MailFailure("550 no such user") }
        sent.withLock { $0.append(message) }
    }

    var count: Int { sent.withLock { $0.count } }

    /// The link of the newest mail.
    var link: String? {
        sent.withLock { $0.last?.text.split(whereSeparator: \.isWhitespace).first { $0.hasPrefix("https://") }.map(String.init) }
    }

    /// A parameter of that link.
    func parameter(_ name: String) -> String? {
        link?.split(separator: "?").last?.split(separator: "&").first { $0.hasPrefix("\(name)=") }.map {
            String($0.dropFirst(name.utf8.count + 1))
        }
    }
}

extension AccountMailer {
    static func recording(to recorder: MailRecorder) throws -> AccountMailer {
        var email = EmailConfiguration()
        email.sender = "Our %(app)s server <noreply@example.org>"
        return AccountMailer(
            email, serverName: AccountsFixture.server, publicBaseURL: "https://test/",
            templates: try TemplateLibrary(directories: [], values: ["server_name": "test"]), transport: recorder,
            logger: DatabaseFixture.logger)
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
