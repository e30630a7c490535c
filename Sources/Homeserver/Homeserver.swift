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
    package let federation: FederationServices
    /// What other servers read of the rooms of this one.
    package let federatedRooms: FederatedRooms
    package let transactions: TransactionReceiver
    package let federationSender: FederationSender
    package let openID: OpenIDService

    // Rooms
    package let database: any Database
    package let journal: Journal
    package let rooms: RoomRegistry
    package let events: EventReader
    package let membership: RoomMembership
    package let roomCreation: RoomCreation
    package let directory: AliasDirectory
    package let history: RoomHistory
    package let memberships: MembershipService
    package let roomCreations: RoomCreationService
    package let roomUpgrades: RoomUpgradeService
    package let roomSuccession: CommitReader
    package let guestRemoval: CommitReader
    package let reports: ReportService
    package let directoryReader: CommitReader
    package let roomDirectory: RoomDirectoryService
    package let remoteRoomDirectory: RemoteRoomDirectory
    package let roomSummaries: RoomSummaryService
    package let spaces: SpaceHierarchyService
    package let userDirectory: UserDirectoryService
    package let searchReader: CommitReader
    package let search: SearchService

    // Accounts
    package let passwords: PasswordHasher
    package let accounts: AccountService
    package let sessions: SessionService
    /// nil: this server keeps passwords and sessions itself.
    package let authenticationService: AuthenticationService?
    package let provisioning: AccountProvisioning
    package let templates: TemplateLibrary
    package let interactiveAuthentication: InteractiveAuthentication
    package let reauthentication: Reauthentication
    package let loginTokens: LoginTokens
    package let login: LoginService
    package let singleSignOn: SignOnServices
    package let rendezvous = RendezvousService()
    package let passwordChange: PasswordChange
    package let deactivation: AccountDeactivation
    package let registration: RegistrationService
    package let registrationTokens: RegistrationTokens
    /// nil: this server sends no mail.
    package let mailer: AccountMailer?
    package let emailValidation: EmailValidation?
    /// nil: nobody validates telephone numbers.
    package let phoneValidation: PhoneValidation?
    package let thirdPartyRequests: ThirdPartyRequests
    package let thirdPartyIdentifiers: ThirdPartyIdentifiers
    /// nil: there are no terms.
    package let consent: ConsentService?
    package let applicationServices: ApplicationServices
    package let usage: UsageLimits
    package let gate: AccountGate
    package let moderation: AccountModeration
    /// nil: this server tells its users nothing.
    package let serverNotices: ServerNotices?
    /// nil: accounts do not end, or nobody is told.
    package let accountRenewal: AccountRenewal?
    package let accountUpkeep: AccountUpkeep
    package let sharedSecretRegistration: SharedSecretRegistration
    package let profiles: ProfileService
    package let accountData: AccountDataService
    package let tags: TagService
    package let filters: FilterService
    package let pushRules: PushRuleService
    package let rateLimits: RateLimiter
    package let rateLimitOverrides: RateLimitOverrides

    // Devices
    package let devices: DeviceService
    package let deviceLists: DeviceListService
    package let sharedRooms: SharedRooms
    package let remoteDeviceLists: RemoteDeviceLists
    package let remoteDeviceTracking: CommitReader
    package let keys: EndToEndKeyService
    package let keyDirectory: KeyDirectory
    package let crossSigning: CrossSigningService
    package let keyBackups: KeyBackupService
    package let dehydratedDevices: DehydratedDeviceService
    package let toDevice: ToDeviceService

    // Reading and typing
    package let receipts: ReceiptService
    package let readMarkers: ReadMarkerService
    package let typing: TypingService
    package let unread: UnreadService
    package let notifications: NotificationService
    package let presence: PresenceService

    /// nil: this server keeps no media.
    package let media: MediaRepository?

    /// nil where users cannot follow threads.
    package let threadSubscriptions: ThreadSubscriptionService?
    package let delayedEvents: DelayedEventService
    package let delayedStateCancellation: CommitReader

    package let retention: RetentionService
    package let selfDestruction: SelfDestruction
    package let selfDestructionNotes: CommitReader

    package let sync: SyncEngine
    package let slidingConnections: SlidingConnections
    package let slidingSync: SlidingSyncEngine
    package let eventStream: EventStream

    /// What other servers tell.
    package let edus: any EDUReceiver
    package let remoteUpkeep: RemoteUpkeep
    package let eventIntake: EventIntake

    /// - Parameter groundwork: what stands below the services: the database and the rooms.
    /// - Throws: where a key or a template of the configuration cannot be used.
    package init(
        configuration: ServerConfiguration, groundwork: Groundwork, publishedKeys: PublishedKeys, federation: FederationServices,
        federatedRooms: FederatedRooms, logger: Logger
    ) throws {
        self.configuration = configuration
        self.logger = logger
        self.publishedKeys = publishedKeys
        self.federation = federation
        openID = OpenIDService(database: groundwork.database)
        serverName = configuration.serverName
        database = groundwork.database
        journal = groundwork.journal
        rooms = groundwork.rooms
        events = groundwork.events
        membership = groundwork.membership
        roomCreation = groundwork.roomCreation
        directory = groundwork.directory
        self.federatedRooms = federatedRooms
        let retentionRules = RetentionRules(
            isEnabled: configuration.retention.isEnabled, standard: configuration.retention.defaultPolicy)
        history = RoomHistory(rooms: rooms, events: events, past: federatedRooms.past, retention: retentionRules)

        let appearances = RoomAppearanceReader(rooms: rooms, events: events)
        directoryReader = CommitReader(
            DirectoryIndex(database: database, rooms: rooms, appearances: appearances, serverName: serverName), journal: journal,
            database: database, logger: logger)
        roomDirectory = RoomDirectoryService(
            database: database, journal: journal, rooms: rooms, policy: directory.policy, reader: directoryReader)
        remoteRoomDirectory = RemoteRoomDirectory(source: federation.client, isEnabled: configuration.enableRoomListSearch)
        let remoteSpaces = RemoteSpaces(source: federation.client, serverName: serverName)
        roomSummaries = RoomSummaryService(
            database: database, journal: journal, appearances: appearances, serverName: serverName, reader: directoryReader,
            remote: remoteSpaces)
        spaces = SpaceHierarchyService(appearances: appearances, events: events, serverName: serverName, remote: remoteSpaces)
        userDirectory = UserDirectoryService(
            database: database, journal: journal, options: configuration.userDirectory, reader: directoryReader)

        // The observers of devices come first: sessions end together with what belongs to a device.
        deviceLists = DeviceListService(database: database, journal: journal, rooms: rooms, serverName: serverName)
        let keyChanges = KeyedQueue<UserID>()
        keys = EndToEndKeyService(database: database, journal: journal, serverName: serverName, changes: keyChanges)
        sharedRooms = SharedRooms(database: database, serverName: serverName)
        remoteDeviceLists = RemoteDeviceLists(
            database: database, journal: journal, source: federation.client, sharedRooms: sharedRooms, logger: logger)
        remoteDeviceTracking = CommitReader(
            RemoteDeviceTracking(database: database, serverName: serverName), journal: journal, database: database, logger: logger)
        keyDirectory = KeyDirectory(
            database: database, keys: keys, lists: remoteDeviceLists, source: federation.client, serverName: serverName)
        crossSigning = CrossSigningService(database: database, journal: journal, changes: keyChanges, remoteKeys: keyDirectory)
        keyBackups = KeyBackupService(database: database)
        toDevice = ToDeviceService(
            database: database, journal: journal, serverName: serverName, federation: configuration.federation, logger: logger)
        slidingConnections = SlidingConnections(database: database, logger: logger)
        let deviceObservers: [any DeviceObserver] = [
            deviceLists, keys, crossSigning, toDevice, slidingConnections, ProviderSessions(),
        ]

        rateLimits = RateLimiter(configuration.rateLimits)
        rateLimitOverrides = RateLimitOverrides(database: database, limiter: rateLimits)
        usage = UsageLimits(configuration.usage, database: database, logger: logger)
        templates = try TemplateLibrary(
            directories: [
                configuration.customTemplateDirectory, configuration.email?.templateDirectory,
                configuration.login.singleSignOn.templateDirectory, configuration.accountValidity.templateDirectory,
            ].compactMap { $0 },
            values: ["server_name": .string(serverName.string), "app_name": .string(configuration.email?.appName ?? "Matrix")])
        applicationServices = ApplicationServices(
            configuration.applicationServices, serverName: serverName, database: database, noticeSender: configuration.noticeSender)
        passwords = PasswordHasher(rounds: configuration.bcryptRounds, pepper: configuration.passwordPepper)
        accounts = AccountService(database: database, serverName: serverName)
        authenticationService = configuration.login.authenticationService.map {
            AuthenticationService(
                $0, serverName: configuration.serverName, http: OutboundHTTP(configuration.outbound.trustingOperator), logger: logger)
        }
        sessions = SessionService(
            database: database, journal: journal, lifetimes: SessionLifetimes(configuration), observers: deviceObservers,
            authority: authenticationService, usage: usage)
        let passwordLogin = LoginService(
            accounts: accounts, passwords: passwords, rateLimits: rateLimits, isEnabled: configuration.passwordLoginEnabled,
            isReauthenticationEnabled: configuration.passwordReauthenticationEnabled)
        registrationTokens = RegistrationTokens(database: database)
        mailer = Self.mailer(configuration, templates: templates, logger: logger)
        emailValidation = Self.emailValidation(configuration, database: database, mailer: mailer)
        phoneValidation = Self.phoneValidation(configuration, database: database, rateLimits: rateLimits, logger: logger)
        interactiveAuthentication = InteractiveAuthentication(
            database: database,
            stages: Self.stages(
                configuration, login: passwordLogin, tokens: registrationTokens, validation: emailValidation, phones: phoneValidation,
                rateLimits: rateLimits, logger: logger
            ))
        thirdPartyRequests = ThirdPartyRequests(
            database: database, validation: emailValidation, phones: phoneValidation, rateLimits: rateLimits,
            options: configuration.registration, isRegistrationEnabled: configuration.enableRegistration)
        thirdPartyIdentifiers = ThirdPartyIdentifiers(
            database: database, validation: emailValidation, phones: phoneValidation,
            identityServers: IdentityAssociations(
                http: OutboundHTTP(configuration.outbound), serverName: serverName, signingKey: rooms.environment.signingKey,
                logger: logger), logger: logger)
        let autoJoin = AutoJoin(
            configuration, database: database, creation: roomCreation, membership: membership, logger: logger)
        consent = try ConsentService(configuration, database: database, sessions: sessions, autoJoin: autoJoin)
        gate = AccountGate(usage: usage, consent: consent, rooms: rooms)
        moderation = AccountModeration(
            database: database, sessions: sessions, serverName: serverName,
            validity: configuration.accountValidity.isEnabled ? configuration.accountValidity.period : nil)
        accountRenewal = AccountRenewal(
            configuration, database: database, sessions: sessions, mailer: mailer, rateLimits: rateLimits, logger: logger)
        accountUpkeep = AccountUpkeep(
            configuration, database: database, interactive: interactiveAuthentication, validation: emailValidation, phones: phoneValidation,
            sessions: sessions, usage: usage, renewal: accountRenewal, logger: logger)
        passwordChange = PasswordChange(
            database: database, passwords: passwords, sessions: sessions, policy: configuration.passwordPolicy)
        deactivation = AccountDeactivation(
            database: database, sessions: sessions, membership: membership, thirdPartyIdentifiers: thirdPartyIdentifiers, logger: logger)
        profiles = ProfileService(
            database: database, membership: membership, serverName: serverName, mayChange: ProfileField.mayChange(configuration),
            remote: RemoteProfiles(source: federation.client))
        registration = RegistrationService(
            database: database, accounts: accounts, passwords: passwords, rateLimits: rateLimits, interactive: interactiveAuthentication,
            policy: RegistrationPolicy(configuration), usage: usage, services: applicationServices, autoJoin: autoJoin)
        loginTokens = LoginTokens(database: database)
        var methods: [any LoginMethod] = [loginTokens]
        if let jwt = configuration.login.jwt { methods.append(try JWTLogin(jwt, accounts: accounts, registration: registration)) }
        login = passwordLogin.offering(methods, flows: LoginFlow.flows(configuration.login))
        media =
            configuration.media.isEnabled
            ? try MediaRepository(
                configuration, database: database, client: federation.client, rateLimits: rateLimits, logger: logger) : nil
        singleSignOn = try SignOnServices(
            configuration, database: database, accounts: accounts, registration: registration, profiles: profiles, media: media,
            loginTokens: loginTokens, sessions: sessions, interactive: interactiveAuthentication, logger: logger)
        reauthentication = Reauthentication(
            database: database, interactive: interactiveAuthentication, login: login, signOn: singleSignOn.signOn,
            timeout: configuration.interactiveAuthTimeout)
        sharedSecretRegistration = SharedSecretRegistration(secret: configuration.registrationSharedSecret)
        pushRules = PushRuleService(
            database: database, journal: journal, hasThreadSubscriptions: configuration.hasThreadSubscriptions)
        accountData = AccountDataService(database: database, journal: journal, pushRules: pushRules)
        tags = TagService(accountData: accountData, rooms: rooms)
        serverNotices = Self.serverNotices(
            configuration, groundwork: groundwork, tags: tags, consent: consent, usage: usage, logger: logger)
        searchReader = CommitReader(SearchIndex(), journal: journal, database: database, logger: logger)
        search = SearchService(
            database: database, journal: journal, rooms: rooms, events: events, history: history, accountData: accountData,
            reader: searchReader, isEnabled: configuration.enableSearch)
        let roomSettings = RoomSettingsCopy(database: database, accountData: accountData, pushRules: pushRules, logger: logger)
        roomSuccession = CommitReader(
            RoomSuccession(database: database, rooms: rooms, events: events, settings: roomSettings), journal: journal,
            database: database, logger: logger)
        memberships = MembershipService(
            rooms: rooms, membership: membership,
            identityServers: IdentityServerClient(
                http: OutboundHTTP(configuration.outbound), isLookupEnabled: configuration.outbound.isThirdPartyLookupEnabled,
                logger: logger),
            rateLimits: rateLimits, forgetsOnLeave: configuration.forgetRoomsOnLeave, succession: roomSuccession)
        roomCreations = RoomCreationService(
            creation: roomCreation, membership: memberships, rateLimits: rateLimits, serverName: serverName)
        roomUpgrades = RoomUpgradeService(rooms: rooms, events: events, settings: roomSettings, rateLimits: rateLimits)
        guestRemoval = CommitReader(
            GuestRemoval(database: database, rooms: rooms, membership: membership, logger: logger), journal: journal,
            database: database, logger: logger)
        reports = ReportService(database: database, rooms: rooms, history: history, accounts: accounts, rateLimits: rateLimits)
        filters = FilterService(database: database)
        devices = DeviceService(database: database, journal: journal, sessions: sessions)
        provisioning = AccountProvisioning(
            database: database, accounts: accounts, registration: registration, profiles: profiles, sessions: sessions, devices: devices,
            deactivation: deactivation, thirdPartyIdentifiers: thirdPartyIdentifiers)
        dehydratedDevices = DehydratedDeviceService(
            database: database, journal: journal, sessions: sessions, keys: keys, toDevice: toDevice)

        unread = UnreadService(
            database: database, rooms: rooms, events: events, pushRules: pushRules, commits: journal.commits, logger: logger)
        receipts = ReceiptService(database: database, journal: journal, history: history, events: events, observer: unread)
        notifications = NotificationService(
            database: database, rooms: rooms, events: events, pushRules: pushRules, unread: unread, accountData: accountData)
        presence = PresenceService(
            configuration: configuration.presence, database: database, journal: journal, serverName: serverName, logger: logger)
        readMarkers = ReadMarkerService(accountData: accountData, receipts: receipts, events: events)
        typing = TypingService(journal: journal, rooms: rooms)

        federationSender = FederationSender(
            FederationSender.Environment(
                serverName: serverName, configuration: configuration.federation, database: database, journal: journal, rooms: rooms,
                events: events, destinations: federation.destinations,
                source: LocalActivity(serverName: serverName, typing: typing, receipts: receipts, presence: presence), logger: logger),
            carrier: FederationCarrier(client: federation.client, logger: logger))

        threadSubscriptions =
            configuration.hasThreadSubscriptions
            ? ThreadSubscriptionService(database: database, journal: journal, history: history) : nil
        delayedEvents = DelayedEventService(
            database: database, rooms: rooms, membership: membership, longestDelay: configuration.maxEventDelay, logger: logger)
        delayedStateCancellation = CommitReader(
            DelayedStateCancellation(delayedEvents), journal: journal, database: database, logger: logger)

        sync = SyncEngine(
            groundwork: groundwork,
            sources: SyncEngine.Sources(
                accountData: accountData, filters: filters, keys: keys, toDevice: toDevice, deviceLists: deviceLists,
                receipts: receipts, typing: typing, unread: unread, presence: presence),
            timelineLimit: configuration.filterTimelineLimit, byteLimit: configuration.budgets.eventCacheBytes / 2,
            excludedRooms: configuration.roomsExcludedFromSync, retention: retentionRules, logger: logger)
        let gate = RoomGate(rooms: rooms)
        edus = IncomingEDUs(
            [
                TypingEDU(gate: gate, typing: typing), ReceiptEDU(gate: gate, receipts: receipts),
                PresenceEDU(presence: presence, sharedRooms: sharedRooms), DeviceListEDU(lists: remoteDeviceLists),
                SigningKeyEDU(lists: remoteDeviceLists),
                DirectToDeviceEDU(toDevice: toDevice, lists: remoteDeviceLists, rateLimits: rateLimits),
            ], logger: logger)
        eventIntake = federatedRooms.intake
        transactions = TransactionReceiver(
            rooms: rooms, verifier: federatedRooms.verifier, intake: eventIntake, edus: edus, logger: logger)
        remoteUpkeep = RemoteUpkeep(lists: remoteDeviceLists, toDevice: toDevice, logger: logger)
        retention = RetentionService(
            options: configuration.retention, rules: retentionRules, groundwork: groundwork, logger: logger)
        selfDestruction = SelfDestruction(rooms: rooms, sync: sync, logger: logger)
        selfDestructionNotes = CommitReader(
            SelfDestructionNotes(selfDestruction), journal: journal, database: database, logger: logger)
        slidingSync = SlidingSyncEngine(sync: sync, threadSubscriptions: threadSubscriptions, connections: slidingConnections)
        eventStream = EventStream(
            groundwork: groundwork, history: history, accountData: accountData, receipts: receipts, typing: typing, presence: presence)
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
