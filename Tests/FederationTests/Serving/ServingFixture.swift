// Rooms that other servers ask about, on a database of a test.

import Federation
import MatrixCore
import Persistence
import Rooms
import TestSupport

/// The rooms of a server named `test`, with users of `remote` and `other` in them. What remote users do is signed by this server.
struct ServingFixture: Sendable {
    static let server = ServerName(trusted: "test")
    static let remote = ServerName(trusted: "remote")
    static let other = ServerName(trusted: "other")
    static let alice = UserID(trusted: "@alice:test")
    static let bob = UserID(trusted: "@bob:test")
    static let rita = UserID(trusted: "@rita:remote")
    static let rolf = UserID(trusted: "@rolf:remote")
    static let olga = UserID(trusted: "@olga:other")

    let database: any Database
    let journal: Journal
    let sequences: Sequences
    let rooms: RoomRegistry
    let creation: RoomCreation
    let served: ServedRooms
    let key = SigningKey.generate(version: "a_test")

    init(_ database: any Database) async throws {
        self.database = database
        sequences = try await Sequences.load(from: database)
        journal = Journal(database: database, sequences: sequences, logger: DatabaseFixture.logger)
        let environment = RoomEnvironment(
            database: database, journal: journal, sequences: sequences, serverName: Self.server, signingKey: key,
            logger: DatabaseFixture.logger)
        rooms = RoomRegistry(environment: environment)
        creation = RoomCreation(rooms: rooms, directory: AliasDirectory(rooms: rooms), policy: RoomCreationPolicy())
        served = ServedRooms(rooms: rooms, events: EventReader(environment: environment))
    }

    /// A room of alice's with these members.
    func room(
        _ preset: RoomPreset = .publicChat, version: RoomVersion? = nil, visibility: HistoryVisibility? = nil, members: [UserID] = []
    ) async throws -> Room {
        var request = CreateRoomRequest()
        request.preset = preset
        request.version = version
        let room = try await rooms.existing(try await creation.create(request, by: Self.alice))
        if let visibility { try await set("m.room.history_visibility", ["history_visibility": .string(visibility.rawValue)], in: room) }
        for member in members { try await become(.join, member, in: room) }
        return room
    }

    @discardableResult
    func become(_ membership: Membership, _ user: UserID, by sender: UserID? = nil, in room: Room) async throws -> EventID {
        try await room.send(
            EventDraft(
                type: "m.room.member", stateKey: user.text, content: ["membership": .string(membership.rawValue)], sender: sender ?? user),
            from: EventOrigin(user: sender ?? user))
    }

    @discardableResult
    func set(_ type: ByteString, key: ByteString = "", _ content: JSONObject, in room: Room) async throws -> EventID {
        try await room.send(
            EventDraft(type: type, stateKey: key, content: content, sender: Self.alice), from: EventOrigin(user: Self.alice))
    }

    @discardableResult
    func say(_ text: String, by sender: UserID = alice, in room: Room) async throws -> EventID {
        try await room.send(
            EventDraft(type: "m.room.message", content: ["msgtype": "m.text", "body": .string(text)], sender: sender),
            from: EventOrigin(user: sender))
    }

    // MARK: Events that no room has made

    /// A message at a place of the graph that the room did not choose.
    func event(
        _ text: String, after previous: [EventID], depth: Int64, in room: Room, authEvents: [EventID] = []
    ) throws -> Event {
        try Event.build(
            EventDraft(type: "m.room.message", content: ["msgtype": "m.text", "body": .string(text)], sender: Self.alice), roomID: room.id,
            version: room.version, prevEvents: previous, authEvents: authEvents, depth: depth, originServerTimestamp: .now,
            origin: Self.server, key: key)
    }

    /// Stores an event as it is.
    ///
    /// - Parameter position: nil for an outlier.
    @discardableResult
    func store(_ event: Event, in room: Room, at position: StreamPosition?, flags: EventFlags = []) async throws -> EventID {
        let nid = EventNID(sequences.next(.events))
        let snapshot = position == nil ? .empty : room.current.snapshotID
        _ = try await database.write { connection in
            try EventStore.insert(
                EventInsertion(
                    event: event, nid: nid, room: room.nid, snapshot: snapshot, flags: position == nil ? flags.union(.outlier) : flags),
                at: position, on: connection)
        }
        return event.id
    }

    // MARK: Reading

    /// The rows of a room's timeline, oldest first.
    func timeline(of room: Room) async throws -> [PDURow] {
        try await database.read { connection in
            try PDUStore.before(StreamPosition(.max), in: room.nid, limit: 10_000, on: connection).reversed()
        }
    }
}

func parsed(_ bytes: [UInt8]) throws -> JSON {
    try JSONDocument(parsing: bytes, limits: .lenientEvent).root
}

/// The IDs of PDUs.
func ids(_ pdus: some Sequence<JSON>, _ version: RoomVersion) throws -> [EventID] {
    try pdus.map { try Event(parsing: Array($0.bytes), version: version).id }
}

func ids(_ pdus: [[UInt8]], _ version: RoomVersion) throws -> [EventID] {
    try pdus.map { try Event(parsing: $0, version: version).id }
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
