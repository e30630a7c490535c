// What a client of sliding sync knows in the end, beside what /v3/sync says.

import Homeserver
import MatrixCore
import Persistence
import Rooms
import TestSupport
import Testing

@Suite("A client with a list of rooms", .timeLimit(.minutes(10)))
struct RoomListClientTests {
    /// A room as an initial `/sync` tells it.
    private struct PlainRoom {
        var state: [String: (id: String, event: JSON)] = [:]
        var timeline: [String] = []
        let json: JSON
    }

    private func plain(_ server: SyncFixture, _ user: UserID) async throws -> [String: PlainRoom] {
        let filter = #"{"room":{"timeline":{"limit":20}}}"#
        let response = try await server.sync(user, device: "OTHER", filter: filter)
        var rooms: [String: PlainRoom] = [:]
        for member in response.json["rooms"]?["join"].map({ Array($0.members) }) ?? [] {
            var room = PlainRoom(json: member.value)
            let timeline = member.value["timeline"]?["events"].map { Array($0.elements) } ?? []
            for event in (member.value["state"]?["events"].map { Array($0.elements) } ?? []) + timeline {
                guard let type = event["type"]?.string, let key = event["state_key"]?.string else { continue }
                room.state["\(type)|\(key)"] = (event["event_id"]?.string ?? "", event)
            }
            room.timeline = timeline.compactMap { $0["event_id"]?.string }
            rooms[member.key.string] = room
        }
        return rooms
    }

    private func check(_ client: RoomListClient, against server: SyncFixture, _ note: Comment) async throws {
        let rooms = try await plain(server, client.user)
        #expect(Set(rooms.keys).isSubset(of: client.order), note)
        for (id, room) in rooms {
            let known = try #require(client.rooms[id], note)
            for (key, entry) in room.state where Self.isInListState(key) || key == "m.room.member|\(client.user)" {
                #expect(known.state[key] == entry.id, "\(note): \(key)")
            }
            // Who is shown is known as they are now.
            for event in known.timeline {
                let member = "m.room.member|\(event.sender)"
                #expect(known.state[member] == room.state[member]?.id, "\(note): \(event), \(known.timeline.count)")
            }
            let shown = Set(room.timeline)
            let common = known.timeline.map(\.id).filter { shown.contains($0) }
            #expect(!common.isEmpty, note)
            #expect(common == room.timeline.suffix(common.count), note)
            // State that the room's history hides is shown while it holds, and then no more to who begins anew.
            if let last = known.timeline.firstIndex(where: { $0.id == room.timeline.first }) {
                #expect(known.timeline[last...].allSatisfy { shown.contains($0.id) || $0.isState }, note)
            }

            let summary = room.json["summary"]
            #expect(known.joinedCount == summary?["m.joined_member_count"]?.int, note)
            #expect(known.invitedCount == summary?["m.invited_member_count"]?.int, note)
            let name = room.state["m.room.name|"]?.event["content"]?["name"]?.string
            #expect(known.name == name, note)
            if name == nil { #expect(known.heroes == Set(summary?["m.heroes"]?.elements.compactMap(\.string) ?? []), note) }
            let unread = room.json["unread_notifications"]
            #expect(known.notifications == unread?["notification_count"]?.int, note)
            #expect(known.highlights == unread?["highlight_count"]?.int, note)
        }
    }

    private static func isInListState(_ key: String) -> Bool {
        guard let type = key.split(separator: "|").first, type != "m.room.member" else { return false }
        return RoomListClient.listState.contains(#""\#(type)""#)
    }

    @Test(
        "knows each room as an initial sync tells it, whatever was opened, lost on the way, or restarted",
        arguments: 1...8 as ClosedRange<UInt64>)
    func agrees(seed: UInt64) async throws {
        try await forEachDatabase { database in
            nonisolated(unsafe) var operations = RandomOperations(seed: seed)
            nonisolated(unsafe) var clients = [RoomListClient(user: RandomOperations.bob), RoomListClient(user: RandomOperations.carol)]
            for run in 0..<3 {
                try await SyncFixture.run(on: database) { server in
                    try await operations.makeRooms(4 + run, in: server.rooms)
                    var sliding = SlidingFixture(server)
                    for round in 0..<10 {
                        try await operations.perform(0..<7, in: server.rooms)
                        let luck = Int.random(in: 0..<12, using: &operations.generator)
                        // A restart, or a crash after which only what was stored by the way is there.
                        if luck < 2 {
                            if luck == 0 { await sliding.connections.store() }
                            sliding = sliding.restarted
                        }
                        for index in clients.indices {
                            if luck % 3 == 2, let room = operations.rooms.randomElement(using: &operations.generator) {
                                clients[index].toggle(room)
                            }
                            if luck == 3 { try await clients[index].ask(sliding, isLost: true) }
                            try await clients[index].ask(sliding)
                            while !clients[index].isWhole { try await clients[index].ask(sliding) }
                            try await check(
                                clients[index], against: server, "seed \(seed), run \(run), round \(round), \(clients[index].user)")
                        }
                    }
                    await sliding.connections.store()
                    await server.rooms.journal.stop()
                }
            }
            #expect(clients.allSatisfy { $0.lostPositions == 0 }, "seed \(seed)")
        }
    }
}
