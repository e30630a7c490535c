import MatrixCore
import Persistence
import Rooms
import TestSupport
import Testing

@Suite("Dummy events")
struct DummyEventTests {
    /// Two servers in one room.
    private func shared(
        _ one: any Database, _ two: any Database, threshold: Int
    ) async throws -> (ours: FederatedServer, other: FederatedServer, room: RoomID) {
        let ours = try await FederatedServer("ours", one, dummyEventsThreshold: threshold)
        let other = try await FederatedServer("other", two)
        let room = try await ours.newRoom(.v11).id
        try await other.rooms.takeOver(try await ours.letIn(other.admin, of: other, to: room))
        return (ours, other, room)
    }

    /// Messages that know nothing of each other.
    private func fork(_ count: Int, by server: FederatedServer, in room: RoomID) async throws -> [Event] {
        var events: [Event] = []
        for number in 0..<count {
            let draft = EventDraft(
                type: "m.room.message", content: ["msgtype": "m.text", "body": .string("\(number)")], sender: server.admin)
            events.append(try await server.rooms.existing(room).propose(draft))
        }
        return events
    }

    @Test("too many newest events are tied together, out of the sight of clients", arguments: DatabaseKind.allCases)
    func tying(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { one in
            try await withDatabase(.sqlite) { two in
                let (ours, other, room) = try await shared(one, two, threshold: 5)
                let forks = try await fork(6, by: other, in: room)
                for event in forks { _ = try await ours.rooms.existing(room).receive(RemoteEvent(event)) }
                let topic = try #require(
                    try await ours.send(
                        EventDraft(type: "m.room.topic", stateKey: "", content: ["topic": "tied"], sender: ours.admin), in: room))
                let id = try #require(topic.prevEvents.first)
                #expect(topic.prevEvents.count == 1)
                let dummy = try #require(try await ours.pdus([id]).first)
                #expect(dummy.type == "org.matrix.dummy_event" && Set(dummy.prevEvents) == Set(forks.map(\.id)))

                let row = try await one.read { try EventStore.row(id, on: $0) }
                #expect(row?.position == nil && row?.flags == .graphOnly)
                let shown = try await EventReader(environment: ours.rooms.environment).event(id)
                #expect(shown == nil)

                // The other server gets the later event, asks for what that follows, and shows it to nobody either.
                let there = try await other.rooms.existing(room)
                await #expect(throws: MissingFoundation.self) { try await there.receive(RemoteEvent(topic)) }
                for event in forks + [dummy, topic] { _ = try await there.receive(RemoteEvent(event)) }
                #expect(there.forwardExtremities == [topic.id])
                #expect(try await two.read { try EventStore.row(id, on: $0) }?.position == nil)
                #expect(try await other.state(of: room) == ours.state(of: room))
                #expect(try await ours.restarted().rooms.existing(room).forwardExtremities == [topic.id])
            }
        }
    }

    @Test("few newest events, and those of a room where nobody of ours may speak, stay")
    func staying() async throws {
        try await withDatabase(.sqlite) { one in
            try await withDatabase(.sqlite) { two in
                let (ours, other, room) = try await shared(one, two, threshold: 5)
                for event in try await fork(5, by: other, in: room) { _ = try await ours.rooms.existing(room).receive(RemoteEvent(event)) }
                #expect(try await ours.rooms.existing(room).forwardExtremities.count == 5)
            }
        }
        try await withDatabase(.sqlite) { one in
            try await withDatabase(.sqlite) { two in
                let (ours, other, room) = try await shared(one, two, threshold: 2)
                let powers = try #require(
                    try await ours.send(
                        EventDraft(
                            type: "m.room.power_levels", stateKey: "",
                            content: ["users": .object([other.admin.string: 100]), "events_default": 50], sender: ours.admin), in: room))
                _ = try await other.rooms.existing(room).receive(RemoteEvent(powers))
                for event in try await fork(5, by: other, in: room) { _ = try await ours.rooms.existing(room).receive(RemoteEvent(event)) }
                #expect(try await ours.rooms.existing(room).forwardExtremities.count == 5)
            }
        }
    }
}
