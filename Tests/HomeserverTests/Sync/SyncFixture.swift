// The sync engine on a database of a test, with all that it asks.

import Homeserver
import MatrixCore
import Persistence
import Rooms
import ServerConfiguration
import TestSupport

/// A server with rooms and sync. It follows its commit stream as long as `body` runs.
struct SyncFixture: Sendable {
    let rooms: TestRooms
    let engine: SyncEngine
    let accountData: AccountDataService
    let toDevice: ToDeviceService
    let receipts: ReceiptService
    let typing: TypingService
    let pushRules: PushRuleService
    let unread: UnreadService
    let notifications: NotificationService
    let presence: PresenceService

    private init(
        _ database: any Database, timelineLimit: Int, presence presenceConfiguration: PresenceConfiguration,
        clock: @escaping @Sendable () -> Timestamp
    ) async throws {
        rooms = try await TestRooms(on: database)
        let (journal, registry) = (rooms.journal, rooms.rooms)
        let logger = DatabaseFixture.logger
        pushRules = PushRuleService(database: database, journal: journal)
        accountData = AccountDataService(database: database, journal: journal, pushRules: pushRules)
        unread = UnreadService(
            database: database, rooms: registry, events: rooms.events, pushRules: pushRules, commits: journal.commits, logger: logger)
        notifications = NotificationService(
            database: database, rooms: registry, events: rooms.events, pushRules: pushRules, unread: unread, accountData: accountData)
        presence = PresenceService(
            configuration: presenceConfiguration, database: database, journal: journal, serverName: TestRooms.serverName, logger: logger,
            now: clock)
        toDevice = ToDeviceService(database: database, journal: journal, serverName: TestRooms.serverName, logger: logger)
        receipts = ReceiptService(
            database: database, journal: journal, history: rooms.history, events: rooms.events, observer: unread)
        typing = TypingService(journal: journal, rooms: registry)
        let directory = AliasDirectory(rooms: registry)
        engine = SyncEngine(
            groundwork: Homeserver.Groundwork(
                database: database, journal: journal, rooms: registry, events: rooms.events, membership: rooms.membership,
                roomCreation: rooms.creation, directory: directory),
            sources: SyncEngine.Sources(
                accountData: accountData, filters: FilterService(database: database),
                keys: EndToEndKeyService(database: database, journal: journal, serverName: TestRooms.serverName), toDevice: toDevice,
                deviceLists: DeviceListService(database: database, journal: journal, rooms: registry, serverName: TestRooms.serverName),
                receipts: receipts, typing: typing, unread: unread, presence: presence),
            timelineLimit: timelineLimit, logger: logger)
    }

    static func run(
        on database: any Database, timelineLimit: Int = 100, presence: PresenceConfiguration = PresenceConfiguration(),
        clock: @escaping @Sendable () -> Timestamp = { .now }, isolation: isolated (any Actor)? = #isolation,
        _ body: (SyncFixture) async throws -> Void
    ) async throws {
        let fixture = try await SyncFixture(database, timelineLimit: timelineLimit, presence: presence, clock: clock)
        let running = Task { try await fixture.engine.run() }
        do {
            try await body(fixture)
        } catch {
            running.cancel()
            fixture.engine.shutdown()
            throw error
        }
        running.cancel()
        fixture.engine.shutdown()
        try await running.value
    }

    /// One sync.
    func sync(
        _ user: UserID, since: String? = nil, device: String = "PHONE", filter: String? = nil, timeout: Duration = .zero,
        _ change: (inout SyncRequest) -> Void = { _ in }
    ) async throws -> SyncResponse {
        var request = SyncRequest(
            user: user, device: DeviceID(trusted: device), since: try since.map { try SyncToken(parsing: $0) },
            filter: try await engine.filter(filter, of: user))
        request.timeout = timeout
        change(&request)
        return SyncResponse(json: try JSONDocument(parsing: try await engine.sync(request)).root)
    }
}

/// A response, to be looked into.
struct SyncResponse: Sendable {
    let json: JSON

    var next: String { json["next_batch"]?.string ?? "" }
    func joined(_ room: RoomID) -> JSON? { json["rooms"]?["join"]?[room.string] }
    func left(_ room: RoomID) -> JSON? { json["rooms"]?["leave"]?[room.string] }
    func invited(_ room: RoomID) -> JSON? { json["rooms"]?["invite"]?[room.string] }

    /// Without rooms and all the rest.
    var isQuiet: Bool {
        json["rooms"] == nil && json["account_data"] == nil && json["to_device"] == nil && json["device_lists"] == nil
            && json["presence"] == nil
    }
}

extension JSON {
    /// The timeline's texts; other events by their types.
    var texts: [String] {
        (self["timeline"]?["events"]?.elements).map { $0.map { $0["content"]?["body"]?.string ?? $0["type"]?.string ?? "" } } ?? []
    }

    var isLimited: Bool? { self["timeline"]?["limited"]?.bool }

    /// Types and state keys of `state`.
    func state(_ name: String = "state") -> Set<String> {
        Set((self[name]?["events"]?.elements).map { $0.map { "\($0["type"]?.string ?? "")|\($0["state_key"]?.string ?? "")" } } ?? [])
    }

    /// The members in `state`.
    var stateMembers: Set<String> {
        Set(state().filter { $0.hasPrefix("m.room.member|") }.map { String($0.dropFirst("m.room.member|".count)) })
    }
}
