// A room of one server that another one joins without being told who is in it.

import MatrixCore
import Persistence
import Rooms
import TestSupport

/// `home` has a room with some members; `guest` has come into it by `guest.admin` and knows only a part of them.
struct PartialRoomFixture {
    let home: FederatedServer
    var guest: FederatedServer
    let room: RoomID
    let handover: RoomHandover

    static let members = ["ann", "ben", "cleo", "dora"]

    /// - Parameter prepare: what happens in the room before `guest` comes.
    init(
        _ version: String = "10", _ databases: [any Database], prepare: (FederatedServer, RoomID) async throws -> Void = { _, _ in }
    ) async throws {
        home = try await FederatedServer("home", databases[0])
        guest = try await FederatedServer("guest", databases[1])
        room = try await home.newRoom(RoomVersion.named(version) ?? .v10).id
        for name in Self.members { try await Self.become("join", home.user(name), by: home.user(name), at: home, in: room) }
        try await prepare(home, room)
        handover = try await home.letIn(guest.admin, of: guest, to: room)
        let shown = handover.state.filter { $0.type != "m.room.member" || $0.stateKey == home.admin.text }
        let ids = Set(shown.map(\.id))
        let partial = RoomHandover(
            join: handover.join, state: shown,
            authChain: try await home.authChain(of: shown + [handover.join]).filter { !ids.contains($0.id) },
            omission: RoomHandover.Omission(servers: [home.name], source: home.name))
        try await guest.rooms.takeOver(partial)
    }

    var atHome: Room { get async throws { try await home.rooms.existing(room) } }
    var atGuest: Room { get async throws { try await guest.rooms.existing(room) } }

    @discardableResult
    static func become(
        _ membership: String, _ user: UserID, by sender: UserID, at server: FederatedServer, in room: RoomID
    ) async throws -> Event? {
        try await server.send(
            EventDraft(
                type: "m.room.member", stateKey: user.text, content: ["membership": .string(membership)], sender: sender), in: room)
    }

    func say(_ text: String, by user: UserID, at server: FederatedServer) async throws -> Event {
        let event = try await server.send(
            EventDraft(type: "m.room.message", content: ["msgtype": "m.text", "body": .string(text)], sender: user), in: room)
        guard let event else { throw MatrixError.internalError }
        return event
    }

    /// An event of `home` reaches `guest`, which asks for what authorizes it.
    @discardableResult
    func deliver(_ event: Event) async throws -> Receipt {
        let chain = try await home.authChain(of: [event])
        let target = try await atGuest
        try await target.storeOutliers(chain)
        return try await target.receive(RemoteEvent(event))
    }

    /// `guest` learns what the room was before its join.
    func complete(afterMissing: [EventID: [EventID]] = [:]) async throws {
        let target = try await atGuest
        try await target.storeOutliers(handover.state + handover.authChain)
        var whole = WholeState(beforeJoin: handover.state.map(\.id))
        whole.afterMissing = afterMissing
        try await target.complete(whole)
    }

    /// The ids of the messages and members' moves in the timeline of `guest`.
    func timeline() async throws -> [EventID] {
        let nid = try await atGuest.nid
        return try await guest.database.read { connection in
            let numbers = try EventStore.timeline(nid, after: .zero, upTo: StreamPosition(.max), limit: 1000, on: connection)
            let ids = try EventStore.ids(of: numbers, on: connection)
            return numbers.compactMap { ids[$0] }
        }
    }
}
