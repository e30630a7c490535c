// The house, put together: what is constructed with what, and in which order it starts and stops.

import Federation
import Homeserver
import Logging
import MatrixAPI
import MatrixCore
import Persistence
import Rooms
import ServerConfiguration
import ServiceLifecycle

/// Everything of one running server, from the database up.
struct Wiring {
    let database: any Database
    let journal: Journal
    let homeserver: Homeserver

    /// Opens the database and builds the services on it. Nothing runs yet.
    ///
    /// - Parameter executors: where rooms and the Journal work, each of one thread.
    init(
        _ configuration: ServerConfiguration, signingKeys: [SigningKey], executors: [any TaskExecutor], logger: Logger
    ) async throws {
        guard let signingKey = signingKeys.first else { throw failure("there is no signing key") }
        database = try await Databases.open(configuration.database, logger: Logger(label: "martlet.storage"))
        let threads = WorkingThreads(executors)
        let sequences = try await Sequences.load(from: database)
        journal = Journal(
            database: database, sequences: sequences, logger: Logger(label: "martlet.journal"),
            window: CommitWindow(changeLimit: configuration.budgets.recentCommitCount), threads: threads)
        let publishedKeys = PublishedKeys(
            serverName: configuration.serverName, keys: signingKeys,
            oldKeys: configuration.oldSigningKeys.map { PublishedKeys.OldKey(keyID: $0.keyID, key: $0.key, expired: $0.expired) },
            validity: configuration.keyRefreshInterval)
        let federation = try FederationServices(
            configuration, signingKeys: signingKeys, signingKey: signingKey, publishedKeys: publishedKeys, database: database,
            logger: Logger(label: "martlet.federation"))
        let environment = RoomEnvironment(
            database: database, journal: journal, sequences: sequences, serverName: configuration.serverName, signingKey: signingKey,
            logger: Logger(label: "martlet.rooms"), noticeSender: configuration.noticeSender,
            eventCacheByteLimit: configuration.budgets.eventCacheBytes,
            dummyEventsThreshold: configuration.dummyEventsThreshold, policySignatures: federation.client, threads: threads)
        let rooms = RoomRegistry(environment: environment, byteLimit: configuration.budgets.roomStateBytes)
        let directory = AliasDirectory(
            rooms: rooms, policy: Self.directoryPolicy(configuration), remote: RemoteAliasLookup(source: federation.client))
        let events = EventReader(environment: environment)
        let federatedRooms = FederatedRooms(
            federation, rooms: rooms, events: events, blocksNonAdminInvites: configuration.blockNonAdminInvites,
            logger: Logger(label: "martlet.federation"))
        let groundwork = Homeserver.Groundwork(
            database: database, journal: journal, rooms: rooms, events: events,
            membership: RoomMembership(
                rooms: rooms, directory: directory, remote: federatedRooms, blocksNonAdminInvites: configuration.blockNonAdminInvites),
            roomCreation: RoomCreation(rooms: rooms, directory: directory, policy: Self.creationPolicy(configuration)),
            directory: directory)
        homeserver = try Homeserver(
            configuration: configuration, groundwork: groundwork, publishedKeys: publishedKeys, federation: federation,
            federatedRooms: federatedRooms, logger: logger)
        try await environment.partialRooms.restore(from: database)
        try await environment.gaps.restore(from: database)
        try await homeserver.presence.restore()
        try await homeserver.rateLimitOverrides.restore()
        try await homeserver.usage.restore()
        try await homeserver.moderation.setMissingExpirations()
    }

    /// What runs beside the listeners, in the order of its start; it stops in the reverse order.
    var services: [any Service] {
        [
            journal,
            homeserver.directoryReader,
            homeserver.remoteDeviceTracking,
            homeserver.remoteDeviceLists,
            homeserver.remoteUpkeep,
            homeserver.eventIntake,
            homeserver.sessions.activity,
            homeserver.toDevice,
            homeserver.typing,
            homeserver.unread,
            homeserver.presence,
            homeserver.deactivation,
            homeserver.accountUpkeep,
            homeserver.roomSuccession,
            homeserver.guestRemoval,
            homeserver.delayedEvents,
            homeserver.delayedStateCancellation,
            homeserver.slidingConnections,
            homeserver.federationSender,
            homeserver.federatedRooms.completion,
            homeserver.retention,
            homeserver.sync,
        ] + (homeserver.configuration.enableSearch ? [homeserver.searchReader] : []) + (homeserver.mailer.map { [$0] } ?? [])
            + (homeserver.media.map { [$0.upkeep] } ?? [])
            + (homeserver.configuration.retention.allowsSelfDestruction
                ? [homeserver.selfDestruction, homeserver.selfDestructionNotes] : [])
    }

    /// The operator's rules about names of rooms and the room directory.
    private static func directoryPolicy(_ configuration: ServerConfiguration) -> DirectoryPolicy {
        var policy = DirectoryPolicy()
        policy.requiresMembership = configuration.requireMembershipForAliases
        policy.aliasCreationRules = configuration.aliasCreationRules
        policy.publicationRules = configuration.roomListPublicationRules
        policy.isListEnabled = configuration.enableRoomListSearch
        return policy
    }

    /// The presets that `encryption_enabled_by_default_for_room_type` means.
    private static func creationPolicy(_ configuration: ServerConfiguration) -> RoomCreationPolicy {
        let encrypted: Set<RoomPreset> =
            switch configuration.encryptionEnabledByDefault {
            case .all: [.privateChat, .trustedPrivateChat, .publicChat]
            case .invite: [.privateChat, .trustedPrivateChat]
            case .off: []
            }
        return RoomCreationPolicy(defaultVersion: configuration.defaultRoomVersion, encryptedPresets: encrypted)
    }
}
