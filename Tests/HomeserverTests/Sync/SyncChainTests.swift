import Homeserver
import MatrixCore
import Persistence
import Rooms
import TestSupport
import Testing

/// After any series of operations, the syncs of a client that follows along tell it the same as one initial sync at the end.
@Suite("Sync, step by step and at once", .timeLimit(.minutes(5)))
struct SyncChainTests {
    private let alice = TestRooms.user("alice")
    private let bob = TestRooms.user("bob")
    private let carol = TestRooms.user("carol")

    /// What a client knows of a room: the event ids of its state, and the end of its timeline.
    private struct ClientRoom: Equatable {
        var state: [String: String] = [:]
        var timeline: [String] = []
    }

    /// A client that takes in one response after the other, as the specification tells it to.
    private struct Client {
        var rooms: [String: ClientRoom] = [:]
        var since: String?
        let stateName: String

        mutating func take(_ response: SyncResponse) {
            for (id, section) in members(response.json["rooms"]?["join"]) {
                var room = rooms[id] ?? ClientRoom()
                let timeline = events(section["timeline"])
                if section["timeline"]?["limited"]?.bool == true { room.timeline = [] }
                room.timeline += timeline.compactMap { $0["event_id"]?.string }
                lay(events(section[stateName]), over: &room.state)
                if stateName == "state" { lay(timeline, over: &room.state) }
                rooms[id] = room
            }
            for (id, _) in members(response.json["rooms"]?["leave"]) { rooms[id] = nil }
            since = response.next
        }

        private func members(_ object: JSON?) -> [(String, JSON)] {
            object.map { $0.members.map { ($0.key.string, $0.value) } } ?? []
        }

        private func events(_ section: JSON?) -> [JSON] { (section?["events"]?.elements).map { Array($0) } ?? [] }

        private func lay(_ events: [JSON], over state: inout [String: String]) {
            for event in events {
                guard let type = event["type"]?.string, let key = event["state_key"]?.string else { continue }
                state["\(type)|\(key)"] = event["event_id"]?.string
            }
        }
    }

    // MARK: Operations

    private func operate(_ server: SyncFixture, _ rooms: [RoomID], _ generator: inout SeededGenerator) async throws {
        guard let room = rooms.randomElement(using: &generator), let user = [alice, bob, carol].randomElement(using: &generator) else {
            return
        }
        let number = Int.random(in: 0..<1000, using: &generator)
        do {
            switch Int.random(in: 0..<10, using: &generator) {
            case 0...3: try await server.rooms.say("\(number)", in: room, by: user)
            case 4: try await set("m.room.topic", "", ["topic": .string("\(number)")], by: alice, in: room, server)
            case 5:
                try await set(
                    ByteString("com.example.\(number % 3)"), ByteString("\(number % 2)"), ["n": .int(Int64(number))], by: alice, in: room,
                    server)
            case 6:
                let content: JSONObject = ["membership": "join", "displayname": .string("\(user) \(number)")]
                guard try await server.rooms.rooms.existing(room).current.membership(of: user) == .join else { return }
                try await set("m.room.member", ByteString(user.string), content, by: user, in: room, server)
            case 7: try await server.rooms.leave(bob, room)
            case 8: try await server.rooms.join(number % 2 == 0 ? bob : carol, room)
            default:
                try await server.rooms.membership.change(
                    .leave, of: number % 2 == 0 ? bob : carol, in: room, by: MembershipRequester(user: alice))
            }
        } catch is MatrixError {
            // Who is not in the room cannot speak there: that, too, is an operation.
        }
    }

    private func set(
        _ type: ByteString, _ key: ByteString, _ content: JSONObject, by user: UserID, in room: RoomID, _ server: SyncFixture
    ) async throws {
        var writer = JSONWriter()
        writer.value(.object(content))
        let draft = EventDraft(type: type, stateKey: key, content: writer.bytes, sender: user, redacts: nil)
        try await server.rooms.rooms.existing(room).send(draft, from: EventOrigin(user: user))
    }

    private func sync(_ server: SyncFixture, since: String?, _ stateName: String) async throws -> SyncResponse {
        try await server.sync(bob, since: since, filter: #"{"room":{"timeline":{"limit":4}}}"#) { request in
            request.usesStateAfter = stateName == "state_after"
        }
    }

    private func check(_ client: Client, against server: SyncFixture, _ note: Comment) async throws {
        var fresh = Client(stateName: client.stateName)
        fresh.take(try await sync(server, since: nil, client.stateName))
        #expect(Set(client.rooms.keys) == Set(fresh.rooms.keys), note)
        for (id, room) in fresh.rooms {
            let known = client.rooms[id] ?? ClientRoom()
            #expect(known.state == room.state, note)
            let length = min(known.timeline.count, room.timeline.count)
            #expect(known.timeline.suffix(length) == room.timeline.suffix(length), note)
            #expect(length > 0, note)
        }
    }

    @Test(
        "a chain of incremental syncs ends where an initial sync begins, over a restart too", arguments: [1, 2, 3, 4] as [UInt64],
        ["state", "state_after"])
    func chain(seed: UInt64, stateName: String) async throws {
        try await forEachDatabase { database in
            nonisolated(unsafe) var generator = SeededGenerator(seed: seed)
            nonisolated(unsafe) var client = Client(stateName: stateName)
            nonisolated(unsafe) var rooms: [RoomID] = []
            for run in 0..<2 {
                try await SyncFixture.run(on: database) { server in
                    if rooms.isEmpty {
                        for _ in 0..<2 { rooms.append(try await server.rooms.room(by: alice, members: [bob])) }
                    }
                    for round in 0..<12 {
                        for _ in 0..<Int.random(in: 0..<8, using: &generator) { try await operate(server, rooms, &generator) }
                        client.take(try await sync(server, since: client.since, stateName))
                        try await check(client, against: server, "seed \(seed), run \(run), round \(round)")
                    }
                    await server.rooms.journal.stop()
                }
            }
        }
    }
}
