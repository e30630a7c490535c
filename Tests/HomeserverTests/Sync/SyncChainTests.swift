import Homeserver
import MatrixCore
import Persistence
import Rooms
import TestSupport
import Testing

/// After any series of operations, the syncs of a client that follows along tell it the same as one initial sync at the end.
@Suite("Sync, step by step and at once", .timeLimit(.minutes(10)))
struct SyncChainTests {
    private let bob = RandomOperations.bob

    /// What a client knows of a room: the event ids of its state, and the end of its timeline.
    private struct ClientRoom: Equatable {
        var state: [String: String] = [:]
        var timeline: [String] = []
    }

    /// A client that takes in one response after the other, as the specification tells it to.
    private struct Client {
        var rooms: [String: ClientRoom] = [:]
        var since: String?
        let user: UserID
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
            // Who has left and is invited again by then is told of the invite alone.
            for section in ["leave", "invite"] { for (id, _) in members(response.json["rooms"]?[section]) { rooms[id] = nil } }
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

    private func advance(_ client: inout Client, _ server: SyncFixture) async throws {
        let usesStateAfter = client.stateName == "state_after"
        client.take(
            try await server.sync(client.user, since: client.since, filter: #"{"room":{"timeline":{"limit":4}}}"#) { request in
                request.usesStateAfter = usesStateAfter
            })
    }

    private func check(_ client: Client, against server: SyncFixture, _ note: Comment) async throws {
        var fresh = Client(user: client.user, stateName: client.stateName)
        try await advance(&fresh, server)
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
            nonisolated(unsafe) var operations = RandomOperations(seed: seed)
            nonisolated(unsafe) var clients = [RandomOperations.alice, bob, RandomOperations.carol].map { user in
                Client(user: user, stateName: stateName)
            }
            for run in 0..<2 {
                try await SyncFixture.run(on: database) { server in
                    try await operations.makeRooms(2, in: server.rooms)
                    for round in 0..<12 {
                        try await operations.perform(0..<8, in: server.rooms)
                        for index in clients.indices {
                            // Now and then somebody is away for longer.
                            if (round + index) % 4 == 1 { continue }
                            try await advance(&clients[index], server)
                            try await check(
                                clients[index], against: server, "seed \(seed), run \(run), round \(round), \(clients[index].user)")
                        }
                    }
                    await server.rooms.journal.stop()
                }
            }
        }
    }

    @Test("a restart between two syncs changes nothing that the client sees", arguments: [1, 2, 3] as [UInt64], ["", "lazy"])
    func restarts(seed: UInt64, kind: String) async throws {
        let members = kind == "lazy" ? #","state":{"lazy_load_members":true}"# : ""
        let filter = #"{"room":{"timeline":{"limit":4}\#(members)}}"#
        try await forEachDatabase { database in
            nonisolated(unsafe) var operations = RandomOperations(seed: seed)
            nonisolated(unsafe) var since: String?
            nonisolated(unsafe) var before: String?
            for round in 0..<10 {
                try await SyncFixture.run(on: database) { server in
                    // What the server before this one said of the same moment, to a device that neither had seen: which members a device
                    // has got, a server forgets.
                    if let before, let since {
                        let after = try await server.sync(bob, since: since, device: "OTHER\(round - 1)", filter: filter)
                        #expect(SyncChainTests.whatItSays(after) == before, "seed \(seed), round \(round)")
                    }
                    try await operations.makeRooms(2, in: server.rooms)
                    since = try await server.sync(bob, since: since, filter: filter).next
                    try await operations.perform(0..<12, in: server.rooms)
                    if let since {
                        before = SyncChainTests.whatItSays(
                            try await server.sync(bob, since: since, device: "OTHER\(round)", filter: filter))
                    }
                    await server.rooms.journal.stop()
                }
            }
        }
    }

    /// A response without the time that has passed, and without where it ends: what happened elsewhere since, a server does not remember
    /// to be nothing to this user.
    private static func whatItSays(_ response: SyncResponse) -> String {
        String(decoding: response.json.bytes, as: UTF8.self).replacing(#/"age":\d+/#, with: "\"age\":0")
            .replacing(#/"next_batch":"[^"]*"/#, with: "")
    }
}
