// The devices of another server's users on a database of a test.

import Homeserver
import MatrixCore
import Persistence
import Rooms
import TestSupport

/// A server with rooms that follows the devices of another server's users as long as `body` runs.
struct RemoteDevicesFixture: Sendable {
    static let alice = TestRooms.user("alice")
    static let rita = OtherServer.user("rita")
    static let remo = OtherServer.user("remo")

    let rooms: TestRooms
    let other: OtherServer
    let lists: RemoteDeviceLists
    let tracking: CommitReader
    let keys: EndToEndKeyService
    let directory: KeyDirectory
    let crossSigning: CrossSigningService
    let deviceLists: DeviceListService

    private init(_ database: any Database, _ other: OtherServer) async throws {
        let logger = DatabaseFixture.logger
        rooms = try await TestRooms(on: database)
        self.other = other
        let (journal, name) = (rooms.journal, TestRooms.serverName)
        lists = RemoteDeviceLists(
            database: database, journal: journal, source: other, sharedRooms: SharedRooms(database: database, serverName: name),
            logger: logger)
        tracking = CommitReader(
            RemoteDeviceTracking(database: database, serverName: name), journal: journal, database: database, logger: logger)
        let changes = KeyedQueue<UserID>()
        keys = EndToEndKeyService(database: database, journal: journal, serverName: name, changes: changes)
        directory = KeyDirectory(database: database, keys: keys, lists: lists, source: other, serverName: name)
        crossSigning = CrossSigningService(database: database, journal: journal, changes: changes, remoteKeys: directory)
        deviceLists = DeviceListService(database: database, journal: journal, rooms: rooms.rooms, serverName: name)
    }

    /// Begins as a server does that is started on this database.
    static func run(
        on database: any Database, with other: OtherServer = OtherServer(), isolation: isolated (any Actor)? = #isolation,
        _ body: (RemoteDevicesFixture) async throws -> Void
    ) async throws {
        let fixture = try await RemoteDevicesFixture(database, other)
        let running = [Task { try await fixture.tracking.run() }, Task { try await fixture.lists.run() }]
        do {
            try await body(fixture)
        } catch {
            for task in running { task.cancel() }
            throw error
        }
        for task in running { task.cancel() }
        for task in running { try await task.value }
    }

    /// Waits until the tracking has seen all that was committed.
    func settle() async { await tracking.reach(rooms.journal.position, within: .seconds(20)) }

    /// The ed25519 keys of a user's devices, as Alice is told them: `DEVICE:key`.
    func query(_ user: UserID, devices: [String] = []) async throws -> [String] {
        let query = try KeyQuery(
            JSONObject([("device_keys", .object(JSONObject([(user.text, .array(devices.map { .string($0) }))])))]).parsed)
        let answer = try await directory.query(query, by: Self.alice, timeout: .seconds(20))
        return answer.users.flatMap(\.devices).map(Self.summary)
    }

    static func summary(_ row: DeviceKeysRow) -> String {
        let key = try? JSONDocument(parsing: row.json).root["keys"]?["ed25519:\(row.device)"]?.string
        return "\(row.device):\(key ?? "")" + (row.displayName.map { " \($0)" } ?? "")
    }

    /// How a user's list stands: `STREAM` or `STREAM stale`; nil: it is not followed.
    func standing(of user: UserID) async throws -> String? {
        try await rooms.database.read { try RemoteDeviceStore.lists(of: [user], on: $0) }.first.map {
            "\($0.streamID)\($0.isStale ? " stale" : "")"
        }
    }

    /// What is told of a device: the name of the change, of those before, and the device's key; nil: it is gone.
    func tell(_ stream: Int, after previous: [Int], _ device: String, key: String?, of user: UserID = rita) async throws {
        var content: JSONObject = [
            "user_id": .string(user.string), "device_id": .string(device), "stream_id": .int(Int64(stream)),
            "prev_id": .array(previous.map { .int(Int64($0)) }),
        ]
        if let key { content["keys"] = .object(OtherServer.keys(of: device, user, key)) } else { content["deleted"] = true }
        try await lists.receive(DeviceListUpdate(content.parsed))
    }

    /// Who has other devices for Alice by what `act` does.
    func changed(_ act: () async throws -> Void) async throws -> [UserID] {
        let start = rooms.journal.position
        try await act()
        // What `act` saw in the database is announced a moment later, and before this.
        try await rooms.journal.append(JournalBatch(records: [], alongside: { _ in }))
        return try await deviceLists.changes(for: Self.alice, after: start, upTo: rooms.journal.position).changed
    }

    /// Waits for what another task does soon.
    func eventually(_ condition: () async throws -> Bool) async throws -> Bool {
        for _ in 0..<2000 {
            if try await condition() { return true }
            try await Task.sleep(for: .milliseconds(10))
        }
        return false
    }
}
