// The directories on a database of a test, kept up to date as the server does it.

import Federation
import Homeserver
import MatrixCore
import Persistence
import Rooms
import ServerConfiguration
import TestSupport

/// A server with rooms, accounts and directories, whose reader follows the commit stream as long as `body` runs.
struct DirectoryFixture: Sendable {
    let database: any Database
    let rooms: TestRooms
    let profiles: ProfileService
    let accountData: AccountDataService
    let reader: CommitReader
    let directory: RoomDirectoryService
    let summaries: RoomSummaryService
    let spaces: SpaceHierarchyService
    let people: UserDirectoryService
    let tags: TagService

    private init(_ database: any Database, publicationRules: [DirectoryRule], options: UserDirectoryOptions) async throws {
        rooms = try await TestRooms(on: database)
        let (journal, registry, name) = (rooms.journal, rooms.rooms, TestRooms.serverName)
        let appearances = RoomAppearanceReader(rooms: registry, events: rooms.events)
        self.database = database
        profiles = ProfileService(database: database, membership: rooms.membership, serverName: name)
        accountData = AccountDataService(
            database: database, journal: journal, pushRules: PushRuleService(database: database, journal: journal))
        reader = CommitReader(
            DirectoryIndex(database: database, rooms: registry, appearances: appearances, serverName: name), journal: journal,
            database: database, logger: DatabaseFixture.logger)
        var policy = DirectoryPolicy()
        policy.publicationRules = publicationRules
        directory = RoomDirectoryService(database: database, journal: journal, rooms: registry, policy: policy, reader: reader)
        summaries = RoomSummaryService(
            database: database, journal: journal, appearances: appearances, serverName: name, reader: reader)
        spaces = SpaceHierarchyService(
            appearances: appearances, events: rooms.events, serverName: TestRooms.serverName)
        people = UserDirectoryService(database: database, journal: journal, options: options, reader: reader)
        tags = TagService(accountData: accountData, rooms: registry)
    }

    static func run(
        on database: any Database, publicationRules: [DirectoryRule] = [DirectoryRule(isAllowing: true)],
        options: UserDirectoryOptions = UserDirectoryOptions(), isolation: isolated (any Actor)? = #isolation,
        _ body: (DirectoryFixture) async throws -> Void
    ) async throws {
        let fixture = try await DirectoryFixture(database, publicationRules: publicationRules, options: options)
        let running = Task { try await fixture.reader.run() }
        do {
            try await body(fixture)
        } catch {
            running.cancel()
            throw error
        }
        running.cancel()
        try await running.value
    }

    /// An account with a display name.
    @discardableResult
    func account(_ name: String, displayName: String? = nil) async throws -> UserID {
        let user = TestRooms.user(name)
        let account = AccountRow(user: user, passwordHash: nil, created: .now)
        _ = try await database.write { try AccountService.insert(account, displayName: displayName, on: $0) }
        return user
    }

    func setState(_ type: ByteString, key: String = "", _ content: JSONObject, in room: RoomID, by user: UserID) async throws {
        try await rooms.rooms.existing(room).send(
            EventDraft(type: type, stateKey: ByteString(key), content: content, sender: user), from: EventOrigin(user: user))
    }

    /// A room that stands in the directory.
    func publishedRoom(
        by creator: UserID, name: String? = nil, topic: String? = nil, type: String? = nil, members: [UserID] = []
    ) async throws -> RoomID {
        var request = CreateRoomRequest()
        request.preset = .publicChat
        request.name = name
        request.topic = topic
        if let type { request.creationContent["type"] = .string(type) }
        let room = try await rooms.creation.create(request, by: creator)
        for member in members { try await rooms.join(member, room) }
        try await directory.setPublished(room, .public, by: Requester(user: creator, device: nil))
        return room
    }
}
