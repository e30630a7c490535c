// Sliding sync on a database of a test.

import Homeserver
import MatrixCore
import Persistence
import Rooms
import TestSupport

/// A server with rooms and sliding sync.
struct SlidingFixture: Sendable {
    let server: SyncFixture
    let connections: SlidingConnections
    let engine: SlidingSyncEngine

    init(_ server: SyncFixture) {
        self.server = server
        connections = SlidingConnections(database: server.rooms.database, logger: DatabaseFixture.logger)
        engine = SlidingSyncEngine(
            sync: server.engine,
            threadSubscriptions: ThreadSubscriptionService(
                database: server.rooms.database, journal: server.rooms.journal, history: server.rooms.history),
            connections: connections)
    }

    static func run(on database: any Database, _ body: (SlidingFixture) async throws -> Void) async throws {
        try await SyncFixture.run(on: database) { try await body(SlidingFixture($0)) }
    }

    /// The same server after a restart: nothing is in memory but what the rooms have.
    var restarted: SlidingFixture { SlidingFixture(server) }

    /// One request.
    func ask(
        _ user: UserID, pos: String? = nil, _ body: String = SlidingFixture.oneList, timeout: Duration = .zero
    ) async throws -> SlidingResponse {
        var request = SlidingSyncRequest(user: user, device: DeviceID(trusted: "PHONE"))
        request.position = try pos.map { try SlidingSyncPosition(parsing: $0) }
        request.timeout = timeout
        try request.read(JSONDocument(parsing: Array(body.utf8)).root, connections.requiredStates)
        return SlidingResponse(json: try JSONDocument(parsing: try await engine.sync(request)).root)
    }

    static let oneList = list(#"[[0, 99]]"#)

    /// A body with one list.
    static func list(
        _ ranges: String, required: String = #"[["m.room.name", ""]]"#, limit: Int = 5, filters: String = "{}", extensions: String = "{}"
    ) -> String {
        """
        {"lists": {"all": {"ranges": \(ranges), "required_state": \(required), "timeline_limit": \(limit), "filters": \(filters)}},
         "extensions": \(extensions)}
        """
    }
}

/// A response, to be looked into.
struct SlidingResponse: Sendable {
    let json: JSON

    var pos: String { json["pos"]?.string ?? "" }
    var rooms: Set<String> { Set((json["rooms"]?.members).map { $0.map(\.key.string) } ?? []) }
    func room(_ room: RoomID) -> JSON? { json["rooms"]?[room.string] }
    var count: Int64? { json["lists"]?["all"]?["count"]?.int }

    /// The rooms of the first range, in order.
    var order: [String] { (json["lists"]?["all"]?["ops"]?[0]?["room_ids"]?.elements).map { $0.compactMap(\.string) } ?? [] }
}

extension JSON {
    /// The texts of a sliding timeline; other events by their types.
    var bodies: [String] {
        (self["timeline"]?.elements).map { $0.map { $0["content"]?["body"]?.string ?? $0["type"]?.string ?? "" } } ?? []
    }

    /// Types and state keys of `required_state`.
    var required: Set<String> {
        Set((self["required_state"]?.elements).map { $0.map { "\($0["type"]?.string ?? "")|\($0["state_key"]?.string ?? "")" } } ?? [])
    }
}
