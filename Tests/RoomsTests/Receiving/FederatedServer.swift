// Servers that share a room, each on a database of its own, without a network between them.

import MatrixCore
import Persistence
import Rooms
import TestSupport

/// One server. What happens in its room by its own users is to be handed to the others.
final class FederatedServer: Sendable {
    let name: ServerName
    let database: any Database
    let journal: Journal
    let rooms: RoomRegistry
    let key: SigningKey
    var admin: UserID { user("admin") }

    init(
        _ name: String, _ database: any Database, key: SigningKey = .generate(version: "a_test"), dummyEventsThreshold: Int = 10
    ) async throws {
        self.name = ServerName(trusted: name)
        self.database = database
        self.key = key
        let sequences = try await Sequences.load(from: database)
        journal = Journal(database: database, sequences: sequences, logger: DatabaseFixture.logger)
        rooms = RoomRegistry(
            environment: RoomEnvironment(
                database: database, journal: journal, sequences: sequences, serverName: self.name, signingKey: key,
                logger: DatabaseFixture.logger, dummyEventsThreshold: dummyEventsThreshold))
    }

    func user(_ name: String) -> UserID { UserID(localpart: ByteString(name), server: self.name) }

    /// The same server after a restart.
    func restarted() async throws -> FederatedServer {
        await journal.stop()
        return try await FederatedServer(name.string, database, key: key)
    }

    func newRoom(_ version: RoomVersion) async throws -> Room {
        var request = CreateRoomRequest()
        request.preset = .publicChat
        request.version = version
        let creation = RoomCreation(rooms: rooms, directory: AliasDirectory(rooms: rooms), policy: RoomCreationPolicy())
        return try await rooms.existing(try await creation.create(request, by: admin))
    }

    /// The events of these ids, as they are sent to other servers.
    func pdus(_ ids: [EventID]) async throws -> [Event] {
        let rows = try await database.read { try EventStore.rows(ids, on: $0) }
        return try ids.compactMap { id in
            try rows.first { $0.id == id }.map { row in
                try Event(trusted: row.json, id: row.id, version: RoomVersion.named(row.roomVersion) ?? .v10)
            }
        }
    }

    /// Sends one event of a user of this server.
    func send(_ draft: EventDraft, in room: RoomID) async throws -> Event? {
        let id = try await rooms.existing(room).send(draft, from: EventOrigin(user: draft.sender))
        return try await pdus([id]).first
    }

    /// Brings a user of another server in, as `make_join` and `send_join` do.
    ///
    /// - Returns: the join, and the room as it is handed over.
    func letIn(_ user: UserID, of other: FederatedServer, to id: RoomID) async throws -> RoomHandover {
        let room = try await rooms.existing(id)
        let template = try await room.template(of: .join, for: user)
        let join = try Event.build(
            template: JSONObject(JSONDocument(parsing: template).root), version: room.version, originServerTimestamp: .now,
            origin: other.name, key: other.key)
        let before = room.current
        let receipt = try await room.receive(RemoteEvent(join, path: .relayed))
        guard receipt.refusal == nil else { throw MatrixError.forbidden(receipt.refusal ?? "") }
        let state = try await pdus(before.state.map(\.value.id))
        return RoomHandover(join: join, state: state, authChain: try await authChain(of: state))
    }

    /// What authorizes these events, without themselves.
    func authChain(of events: [Event]) async throws -> [Event] {
        var known = Set(events.map(\.id))
        var chain: [Event] = []
        var front = events
        while !front.isEmpty {
            let next = Set(front.flatMap(\.authEvents)).subtracting(known)
            known.formUnion(next)
            front = try await pdus(Array(next))
            chain += front
        }
        return chain
    }

    /// The room's state by the ids of its events.
    func state(of room: RoomID) async throws -> [StateKey: EventID] {
        try await rooms.existing(room).current.state.reduce(into: [:]) { $0[$1.key] = $1.value.id }
    }

    /// The state as it is stored, which a restart would load.
    func storedState(of room: RoomID) async throws -> [StateKey: EventID] {
        let nid = try await rooms.existing(room).nid
        return try await database.read { try StateStore.currentState(of: nid, on: $0) }.reduce(into: [:]) { $0[$1.stateKey] = $1.id }
    }
}
