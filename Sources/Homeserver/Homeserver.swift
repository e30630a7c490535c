// The services of one homeserver, each constructed once with what it needs.

import Federation
import Logging
import MatrixCore
import Persistence
import Rooms
import ServerConfiguration

/// Everything the HTTP face can ask. A service knows only the services it was constructed with.
package final class Homeserver: Sendable {
    package let configuration: ServerConfiguration
    package let serverName: ServerName
    package let logger: Logger
    package let publishedKeys: PublishedKeys

    // Rooms
    package let database: any Database
    package let journal: Journal
    package let rooms: RoomRegistry
    package let events: EventReader
    package let membership: RoomMembership
    package let roomCreation: RoomCreation
    package let directory: AliasDirectory
    package let history: RoomHistory

    // Accounts
    package let passwords: PasswordHasher
    package let accounts: AccountService
    package let sessions: SessionService
    package let interactiveAuthentication: InteractiveAuthentication
    package let login: LoginService
    package let registration: RegistrationService
    package let sharedSecretRegistration: SharedSecretRegistration
    package let profiles: ProfileService
    package let accountData: AccountDataService
    package let filters: FilterService
    package let pushRules: PushRuleService
    package let rateLimits: RateLimiter

    // Devices
    package let devices: DeviceService
    package let deviceLists: DeviceListService
    package let keys: EndToEndKeyService
    package let toDevice: ToDeviceService

    // Reading and typing
    package let receipts: ReceiptService
    package let readMarkers: ReadMarkerService
    package let typing: TypingService

    package let sync: SyncEngine

    /// - Parameter groundwork: what stands below the services: the database and the rooms.
    package init(configuration: ServerConfiguration, groundwork: Groundwork, publishedKeys: PublishedKeys, logger: Logger) {
        self.configuration = configuration
        self.logger = logger
        self.publishedKeys = publishedKeys
        serverName = configuration.serverName
        database = groundwork.database
        journal = groundwork.journal
        rooms = groundwork.rooms
        events = groundwork.events
        membership = groundwork.membership
        roomCreation = groundwork.roomCreation
        directory = groundwork.directory
        history = RoomHistory(rooms: rooms, events: events)

        // The observers of devices come first: sessions end together with what belongs to a device.
        deviceLists = DeviceListService(database: database, journal: journal, rooms: rooms, serverName: serverName)
        keys = EndToEndKeyService(database: database, journal: journal, serverName: serverName)
        toDevice = ToDeviceService(database: database, journal: journal, serverName: serverName, logger: logger)
        let deviceObservers: [any DeviceObserver] = [deviceLists, keys, toDevice]

        rateLimits = RateLimiter(configuration.rateLimits)
        passwords = PasswordHasher(rounds: configuration.bcryptRounds, pepper: configuration.passwordPepper)
        accounts = AccountService(database: database, serverName: serverName)
        sessions = SessionService(
            database: database, journal: journal, lifetimes: SessionLifetimes(configuration), observers: deviceObservers)
        interactiveAuthentication = InteractiveAuthentication()
        login = LoginService(
            accounts: accounts, passwords: passwords, rateLimits: rateLimits, isEnabled: configuration.passwordLoginEnabled)
        profiles = ProfileService(
            database: database, membership: membership, serverName: serverName, mayChange: ProfileField.mayChange(configuration))
        registration = RegistrationService(
            accounts: accounts, passwords: passwords, rateLimits: rateLimits, interactive: interactiveAuthentication,
            policy: RegistrationPolicy(configuration))
        sharedSecretRegistration = SharedSecretRegistration(secret: configuration.registrationSharedSecret)
        pushRules = PushRuleService(database: database, journal: journal)
        accountData = AccountDataService(database: database, journal: journal, pushRules: pushRules)
        filters = FilterService(database: database)
        devices = DeviceService(database: database, journal: journal, sessions: sessions)

        receipts = ReceiptService(database: database, journal: journal, history: history, events: events)
        readMarkers = ReadMarkerService(accountData: accountData, receipts: receipts, events: events)
        typing = TypingService(journal: journal, rooms: rooms)

        sync = SyncEngine(
            groundwork: groundwork,
            sources: SyncEngine.Sources(
                accountData: accountData, filters: filters, keys: keys, toDevice: toDevice, deviceLists: deviceLists,
                receipts: receipts, typing: typing),
            timelineLimit: configuration.filterTimelineLimit, byteLimit: configuration.budgets.eventCacheBytes / 2, logger: logger)
    }

    /// What stands below the services.
    package struct Groundwork: Sendable {
        package let database: any Database
        package let journal: Journal
        package let rooms: RoomRegistry
        package let events: EventReader
        package let membership: RoomMembership
        package let roomCreation: RoomCreation
        package let directory: AliasDirectory

        package init(
            database: any Database, journal: Journal, rooms: RoomRegistry, events: EventReader, membership: RoomMembership,
            roomCreation: RoomCreation, directory: AliasDirectory
        ) {
            self.database = database
            self.journal = journal
            self.rooms = rooms
            self.events = events
            self.membership = membership
            self.roomCreation = roomCreation
            self.directory = directory
        }
    }
}
