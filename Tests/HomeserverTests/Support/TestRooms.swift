// Rooms on a database, for tests of the services that stand on them.

import Logging
import MatrixCore
import Persistence
import Rooms
import TestSupport

/// What stands below the services, on a database of a test.
struct TestRooms {
    static let serverName = ServerName(trusted: "example.org")

    let database: any Database
    let journal: Journal
    let rooms: RoomRegistry
    let events: EventReader
    let history: RoomHistory
    let creation: RoomCreation
    let membership: RoomMembership

    /// Begins as a server does that is started on this database.
    init(on database: any Database, noticeSender: UserID? = nil) async throws {
        self.database = database
        let sequences = try await Sequences.load(from: database)
        journal = Journal(database: database, sequences: sequences, logger: DatabaseFixture.logger)
        let environment = RoomEnvironment(
            database: database, journal: journal, sequences: sequences, serverName: Self.serverName, signingKey: .generate(),
            logger: DatabaseFixture.logger, noticeSender: noticeSender)
        rooms = RoomRegistry(environment: environment)
        events = EventReader(environment: environment)
        history = RoomHistory(rooms: rooms, events: events)
        let directory = AliasDirectory(rooms: rooms)
        creation = RoomCreation(rooms: rooms, directory: directory, policy: RoomCreationPolicy())
        membership = RoomMembership(rooms: rooms, directory: directory)
    }

    static func user(_ name: String) -> UserID { UserID(localpart: ByteString(name), server: serverName) }

    /// A public room with its creator and these members.
    func room(by creator: UserID, members: [UserID] = []) async throws -> RoomID {
        var request = CreateRoomRequest()
        request.preset = .publicChat
        let room = try await creation.create(request, by: creator)
        for member in members { try await join(member, room) }
        return room
    }

    func join(_ user: UserID, _ room: RoomID) async throws {
        try await membership.change(.join, of: user, in: room, by: MembershipRequester(user: user))
    }

    func leave(_ user: UserID, _ room: RoomID) async throws {
        try await membership.change(.leave, of: user, in: room, by: MembershipRequester(user: user))
    }

    @discardableResult
    func say(_ text: String, in room: RoomID, by user: UserID, relatesTo relation: JSONValue? = nil) async throws -> EventID {
        var content: JSONObject = ["msgtype": "m.text", "body": .string(text)]
        if let relation { content["m.relates_to"] = relation }
        var writer = JSONWriter()
        writer.value(.object(content))
        let draft = EventDraft(type: "m.room.message", stateKey: nil, content: writer.bytes, sender: user, redacts: nil)
        return try await rooms.existing(room).send(draft, from: EventOrigin(user: user))
    }

    func addDevice(_ id: String, of user: UserID) async throws {
        _ = try await database.write { connection in
            try DeviceStore.insert(
                DeviceID(trusted: id), of: user, displayName: nil, created: Timestamp(milliseconds: 0), on: connection)
        }
    }
}
