// The federation sender on a database of a test, with rooms that have members of other servers.

import Federation
import Logging
import MatrixCore
import Persistence
import Rooms
import ServerConfiguration
import Synchronization
import TestSupport

/// Takes transactions in place of other servers.
final class FakeServers: TransactionCarrier {
    private struct State {
        var received: [ServerName: [Transaction]] = [:]
        var failures: [ServerName: FederationFailure] = [:]
        var isStalled: Set<ServerName> = []
    }

    private let state = Mutex(State())

    func deliver(_ transaction: Transaction, to server: ServerName) async throws(FederationFailure) {
        while state.withLock({ $0.isStalled.contains(server) }) {
            do { try await Task.sleep(for: .milliseconds(5)) } catch { throw .unreachable(server, "cancelled") }
        }
        let failure = state.withLock { state in
            if let failure = state.failures[server] { return Optional(failure) }
            state.received[server, default: []].append(transaction)
            return nil
        }
        if let failure { throw failure }
    }

    /// Does not answer from now on; nil: answers.
    func set(_ failure: FederationFailure?, for server: ServerName) { state.withLock { $0.failures[server] = failure } }
    func stall(_ server: ServerName, _ stalls: Bool = true) {
        state.withLock { state in if stalls { state.isStalled.insert(server) } else { state.isStalled.remove(server) } }
    }

    func transactions(of server: ServerName) -> [Transaction] { state.withLock { $0.received[server] ?? [] } }

    /// The bodies of the messages that a server has got.
    func bodies(of server: ServerName) -> [String] {
        pdus(of: server).compactMap { $0["content"]?["body"]?.string }
    }

    func pdus(of server: ServerName) -> [JSON] {
        transactions(of: server).flatMap(\.pdus).compactMap { try? JSONDocument(parsing: $0.json, limits: .lenientEvent).root }
    }

    /// The contents of the EDUs of a type.
    func edus(_ type: String, of server: ServerName) -> [JSON] {
        transactions(of: server).flatMap(\.edus).compactMap { edu in
            guard let root = try? JSONDocument(parsing: edu.json).root, root["edu_type"]?.isString(type) == true else { return nil }
            return root["content"]
        }
    }
}

/// People as a test wants them.
final class FakePeople: OutboundEDUSource {
    let typing = Mutex<[RoomID: [UserID]]>([:])
    let receipts = Mutex<[(position: StreamPosition, receipt: OutboundReceipt)]>([])
    let present = Mutex<[UserID: String]>([:])
    let excluded = Mutex<Set<RoomID>>([])

    func typingUsers(in room: RoomID) -> [UserID] { typing.withLock { $0[room] ?? [] } }

    func receipts(after: StreamPosition, upTo: StreamPosition) -> [OutboundReceipt] {
        receipts.withLock { $0.filter { $0.position > after && $0.position <= upTo }.map(\.receipt) }
    }

    func presences(of users: [UserID]) async throws -> [OutboundPresence] {
        let present = present.withLock { $0 }
        return users.compactMap { user in
            present[user].map {
                OutboundPresence(user: user, presence: $0, lastActive: nil, statusMessage: nil, isCurrentlyActive: nil)
            }
        }
    }

    var roomsWithoutPresence: Set<RoomID> { excluded.withLock { $0 } }
}

/// A server named `test`, whose sender runs as long as a test does. A second one on the same database is that server after a restart.
struct SendingFixture: Sendable {
    static let serverName = ServerName(trusted: "test")
    static let alice = UserID(trusted: "@alice:test")
    static let a = ServerName(trusted: "a.example")
    static let b = ServerName(trusted: "b.example")

    let database: any Database
    let journal: Journal
    let environment: RoomEnvironment
    let rooms: RoomRegistry
    let servers: FakeServers
    let people = FakePeople()
    let destinations: Destinations
    let sender: FederationSender

    init(
        _ database: any Database, servers: FakeServers = FakeServers(), configuration: FederationConfiguration = FederationConfiguration(),
        limits: TransactionQueue.Limits = TransactionQueue.Limits()
    ) async throws {
        self.database = database
        self.servers = servers
        let logger = DatabaseFixture.logger
        let sequences = try await Sequences.load(from: database)
        journal = Journal(database: database, sequences: sequences, logger: logger)
        environment = RoomEnvironment(
            database: database, journal: journal, sequences: sequences, serverName: Self.serverName,
            signingKey: SigningKey.generate(version: "a_test"), logger: logger)
        rooms = RoomRegistry(environment: environment)
        destinations = Destinations(database: database, retries: configuration.retries, logger: logger)
        sender = FederationSender(
            FederationSender.Environment(
                serverName: Self.serverName, configuration: configuration, database: database, journal: journal, rooms: rooms,
                events: EventReader(environment: environment), destinations: destinations, source: people, logger: logger),
            carrier: servers, limits: limits)
    }

    /// Runs the sender as long as `body`, and stops it then as the server does.
    func running(isolation: isolated (any Actor)? = #isolation, _ body: () async throws -> Void) async throws {
        let sender = sender
        let running = Task { try await sender.run() }
        do {
            try await eventually { sender.position == journal.position }
            try await body()
        } catch {
            running.cancel()
            _ = await running.result
            throw error
        }
        running.cancel()
        try await running.value
    }

    // MARK: Rooms

    /// A room of alice's in which users of other servers are, made in the past.
    func room(members: [String], preset: RoomPreset = .publicChat) async throws -> Room {
        let maker = RoomRegistry(environment: environment)
        let directory = AliasDirectory(rooms: maker)
        var request = CreateRoomRequest()
        request.preset = preset
        let id = try await RoomCreation(rooms: maker, directory: directory, policy: RoomCreationPolicy()).create(request, by: Self.alice)
        let room = try await maker.existing(id)
        for member in members { try await join(UserID(trusted: member), room) }
        return try await rooms.existing(id)
    }

    /// Writes a join of another server's user, as if it had come in. The room must not be awake elsewhere.
    private func join(_ user: UserID, _ room: Room) async throws {
        let draft = EventDraft(type: "m.room.member", stateKey: user.text, content: ["membership": "join"], sender: user)
        let version = room.version
        let stateKey = StateKey(type: "m.room.member", stateKey: user.text)
        let (stored, known) = try await database.read { connection in
            (try RoomStore.room(room.id, on: connection), try StateStore.keys([stateKey], on: connection)[stateKey])
        }
        guard let stored else { return }
        let event = try Event.build(
            draft, roomID: room.id, version: version, prevEvents: stored.forwardExtremities, authEvents: [], depth: stored.depth + 1,
            originServerTimestamp: .now, origin: user.server, key: SigningKey.generate(version: "b"))
        let row = EventInsertion(
            event: event, nid: EventNID(environment.sequences.next(.events)), room: room.nid, snapshot: stored.snapshot)
        let key = known ?? StateKeyNID(environment.sequences.next(.stateKeys))
        try await journal.append(
            JournalBatch(
                records: [ForeignEvent(row: row, key: key, roomID: room.id)],
                alongside: { connection in
                    try StateStore.insertKey(stateKey, nid: key, on: connection)
                    try RoomStore.advance(
                        room.nid, forwardExtremities: [event.id], depth: event.depth, snapshot: stored.snapshot, on: connection)
                }))
    }

    @discardableResult
    func say(_ text: String, in room: Room, by user: UserID = alice) async throws -> EventID {
        try await room.send(
            EventDraft(type: "m.room.message", content: ["msgtype": "m.text", "body": .string(text)], sender: user),
            from: EventOrigin(user: user))
    }

    func setMembership(_ membership: String, of user: String, in room: Room) async throws {
        try await room.send(
            EventDraft(
                type: "m.room.member", stateKey: ByteString(user), content: ["membership": .string(membership)], sender: Self.alice),
            from: EventOrigin(user: Self.alice))
    }
}

private struct ForeignEvent: JournalRecord {
    let row: EventInsertion
    let key: StateKeyNID
    let roomID: RoomID

    func write(on connection: any SQLConnection, at position: StreamPosition) throws {
        try EventStore.insert(row, at: position, on: connection)
        try StateStore.setCurrent(key, event: row.nid, in: row.room, at: position, on: connection)
    }

    func change(at position: StreamPosition) -> Change {
        let event = row.event
        return Change(
            position: position,
            kind: .event(
                TimelineEvent(
                    nid: row.nid, position: position, id: event.id, roomID: roomID, roomNID: row.room, type: event.type,
                    sender: event.sender, stateKey: event.stateKey, timestamp: event.originServerTimestamp, depth: event.depth,
                    snapshotBefore: row.snapshot,
                    clientJSON: [UInt8](#"{"type":"m.room.member""#.utf8), membership: event.membership)))
    }
}

struct NotInTime: Error {}

/// Waits until `condition` holds; a minute at most.
func eventually(isolation: isolated (any Actor)? = #isolation, _ condition: () async throws -> Bool) async throws {
    let deadline = ContinuousClock.now + .seconds(60)
    while ContinuousClock.now < deadline {
        if try await condition() { return }
        try await Task.sleep(for: .milliseconds(5))
    }
    throw NotInTime()
}
