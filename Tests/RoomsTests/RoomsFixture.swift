// Rooms on a database of a test, as the server has them.

import Logging
import MatrixCore
import Persistence
import Rooms
import TestSupport

/// The rooms of a server named `test`. A second one on the same database is that server after a restart.
struct RoomsFixture: Sendable {
    let database: any Database
    let journal: Journal
    let rooms: RoomRegistry
    let directory: AliasDirectory
    let membership: RoomMembership
    let creation: RoomCreation
    let events: EventReader

    static let server = ServerName(trusted: "test")
    static let alice = UserID(trusted: "@alice:test")
    static let bob = UserID(trusted: "@bob:test")
    static let carol = UserID(trusted: "@carol:test")

    init(
        _ database: any Database, window: CommitWindow = CommitWindow(), policy: RoomCreationPolicy = RoomCreationPolicy(),
        roomByteLimit: Int = 32 << 20
    ) async throws {
        self.database = database
        let logger = DatabaseFixture.logger
        let sequences = try await Sequences.load(from: database)
        journal = Journal(database: database, sequences: sequences, logger: logger, window: window)
        let environment = RoomEnvironment(
            database: database, journal: journal, sequences: sequences, serverName: RoomsFixture.server,
            signingKey: SigningKey.generate(version: "a_test"), logger: logger)
        rooms = RoomRegistry(environment: environment, byteLimit: roomByteLimit)
        directory = AliasDirectory(rooms: rooms)
        membership = RoomMembership(rooms: rooms, directory: directory)
        creation = RoomCreation(rooms: rooms, directory: directory, policy: policy)
        events = EventReader(environment: environment)
    }

    /// A room of alice's with these members.
    func room(_ preset: RoomPreset = .publicChat, version: RoomVersion? = nil, members: [UserID] = []) async throws -> Room {
        var request = CreateRoomRequest()
        request.preset = preset
        request.version = version
        request.invites = members
        let room = try await rooms.existing(try await creation.create(request, by: RoomsFixture.alice))
        for member in members { try await join(member, room) }
        return room
    }

    func join(_ user: UserID, _ room: Room) async throws {
        try await membership.change(.join, of: user, in: room.id, by: MembershipRequester(user: user))
    }

    /// The room's timeline, oldest first.
    func timeline(of room: Room) async throws -> [TimelineEvent] {
        try await events.timeline(room.nid, after: .zero, upTo: journal.position, limit: 10_000)
    }

    /// The content of the room's current event of this key.
    func content(_ key: StateKey, of room: Room) async throws -> JSONObject? {
        guard let entry = room.current.entry(key), let event = try await events.event(entry.nid) else { return nil }
        return try event.content().map { JSONObject($0) }
    }
}

func message(_ text: String, by sender: UserID = RoomsFixture.alice) -> EventDraft {
    EventDraft(type: "m.room.message", content: ["msgtype": "m.text", "body": .string(text)], sender: sender)
}

func origin(_ user: UserID = RoomsFixture.alice, transaction: String? = nil) -> EventOrigin {
    EventOrigin(user: user, device: DeviceID(trusted: "DEVICE"), transactionID: transaction)
}

/// The error code with which `body` fails; nil when it does not fail.
func errorCode(isolation: isolated (any Actor)? = #isolation, _ body: () async throws -> Void) async throws -> String? {
    do {
        try await body()
        return nil
    } catch let error as MatrixError {
        return error.errcode
    }
}

extension RoomsFixture {
    /// The rows of the room's timeline, oldest first.
    func rows(of room: Room) async throws -> [EventRow] {
        try await database.read { connection in
            let numbers = try EventStore.timeline(room.nid, after: .zero, upTo: StreamPosition(.max), limit: 10_000, on: connection)
            let rows = try EventStore.rows(numbers, on: connection).reduce(into: [:]) { $0[$1.nid] = $1 }
            return numbers.compactMap { rows[$0] }
        }
    }
}
