// A client of sliding sync whose window grows, beside one that begins anew and one of /sync.

import Homeserver
import MatrixCore
import Persistence
import Rooms
import TestSupport
import Testing

@Suite("Sliding sync over growing ranges", .timeLimit(.minutes(10)))
struct SlidingChainTests {
    private let bob = RandomOperations.bob

    /// What a client knows of a room: the event ids of its state, and the end of its timeline.
    private struct ClientRoom: Equatable {
        var state: [String: String] = [:]
        var timeline: [String] = []
    }

    /// A client that takes in one response after the other, as the proposal tells it to.
    private struct Client {
        var rooms: [String: ClientRoom] = [:]
        var position: String?

        mutating func take(_ response: SlidingResponse) {
            for member in response.json["rooms"].map({ Array($0.members) }) ?? [] {
                let (id, section) = (member.key.string, member.value)
                // Who has left sees the room as it was then, and invites have no events: the comparison is about joined rooms.
                guard section["invite_state"] == nil else { continue }
                var room = ClientRoom()
                if section["initial"]?.bool != true { room = rooms[id] ?? room }
                let timeline = section["timeline"].map { Array($0.elements) } ?? []
                if section["limited"]?.bool == true || section["unstable_expanded_timeline"]?.bool == true { room.timeline = [] }
                room.timeline += timeline.compactMap { $0["event_id"]?.string }
                lay(section["required_state"].map { Array($0.elements) } ?? [], over: &room.state)
                lay(timeline, over: &room.state)
                rooms[id] = room
            }
            position = response.pos
        }

        private func lay(_ events: [JSON], over state: inout [String: String]) {
            for event in events {
                guard let type = event["type"]?.string, let key = event["state_key"]?.string else { continue }
                state["\(type)|\(key)"] = event["event_id"]?.string
            }
        }
    }

    /// The rooms that bob is in, as an initial `/sync` tells them.
    private func plain(_ server: SyncFixture) async throws -> [String: ClientRoom] {
        let response = try await server.sync(bob, device: "OTHER", filter: #"{"room":{"timeline":{"limit":4}}}"#)
        var rooms: [String: ClientRoom] = [:]
        for member in response.json["rooms"]?["join"].map({ Array($0.members) }) ?? [] {
            var room = ClientRoom()
            let timeline = member.value["timeline"]?["events"].map { Array($0.elements) } ?? []
            for event in (member.value["state"]?["events"].map { Array($0.elements) } ?? []) + timeline {
                guard let type = event["type"]?.string, let key = event["state_key"]?.string else { continue }
                room.state["\(type)|\(key)"] = event["event_id"]?.string
            }
            room.timeline = timeline.compactMap { $0["event_id"]?.string }
            rooms[member.key.string] = room
        }
        return rooms
    }

    @Test(
        "ends where a new connection and an initial sync begin, over restarts of the server too", arguments: [1, 2, 3, 4] as [UInt64])
    func chain(seed: UInt64) async throws {
        try await forEachDatabase { database in
            try await SyncFixture.run(on: database) { server in
                var operations = RandomOperations(seed: seed)
                try await operations.makeRooms(4, in: server.rooms)
                var sliding = SlidingFixture(server)
                var client = Client()
                for round in 0..<14 {
                    try await operations.perform(0..<8, in: server.rooms)
                    if round % 3 == 2 {
                        await sliding.connections.store()
                        sliding = sliding.restarted
                    }
                    let window = "[[0, \(min(round / 2, 9))]]"
                    client.take(
                        try await sliding.ask(bob, pos: client.position, SlidingFixture.list(window, required: #"[["*", "*"]]"#, limit: 4)))
                }
                let everything = SlidingFixture.list("[[0, 99]]", required: #"[["*", "*"]]"#, limit: 4)
                client.take(try await sliding.ask(bob, pos: client.position, everything))
                var fresh = Client()
                fresh.take(try await sliding.restarted.ask(TestRooms.user("bob"), everything))

                let joined = try await plain(server)
                for (id, room) in joined {
                    let known = try #require(client.rooms[id], "seed \(seed)"), new = try #require(fresh.rooms[id], "seed \(seed)")
                    #expect(known.state == room.state, "seed \(seed)")
                    #expect(new.state == room.state, "seed \(seed)")
                    for timeline in [known.timeline, new.timeline] {
                        let length = min(timeline.count, room.timeline.count)
                        #expect(length > 0, "seed \(seed)")
                        #expect(timeline.suffix(length) == room.timeline.suffix(length), "seed \(seed)")
                        #expect(Set(timeline).count == timeline.count, "seed \(seed)")
                    }
                }
            }
        }
    }
}
