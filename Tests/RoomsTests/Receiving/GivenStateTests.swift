// Events that stand on what another server says of the room.

import MatrixCore
import Persistence
import Rooms
import TestSupport
import Testing

@Suite("What another server says of a room")
struct GivenStateTests {
    private typealias Shared = (ours: FederatedServer, other: FederatedServer, room: RoomID)

    /// Two servers in one room, in which the admins of both may do the same.
    private func shared(_ one: any Database, _ two: any Database) async throws -> Shared {
        let ours = try await FederatedServer("ours", one)
        let other = try await FederatedServer("other", two)
        let room = try await ours.newRoom(.v11).id
        let levels: JSONObject = ["users": .object([ours.admin.string: 100, other.admin.string: 100])]
        _ = try await ours.send(
            EventDraft(type: "m.room.power_levels", stateKey: "", content: levels, sender: ours.admin), in: room)
        try await other.rooms.takeOver(try await ours.letIn(other.admin, of: other, to: room))
        return (ours, other, room)
    }

    @Test("its state may have entries that no room had before", arguments: DatabaseKind.allCases)
    func newEntries(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { one in
            try await withDatabase(.sqlite) { two in
                let (ours, other, room) = try await shared(one, two)
                let key = StateKey(type: "org.example.marker", stateKey: "new here")
                let marker = try #require(
                    try await other.send(
                        EventDraft(type: key.type, stateKey: key.stateKey, content: ["here": true], sender: other.admin), in: room))
                let message = try #require(
                    try await other.send(
                        EventDraft(type: "m.room.message", content: ["msgtype": "m.text", "body": "x"], sender: other.admin), in: room))

                // What comes before the message is never sent; the other server only says what the state was after it.
                let here = try await ours.rooms.existing(room)
                try await here.storeOutliers([marker])
                var remote = RemoteEvent(message)
                remote.statesAfterMissing[marker.id] = Array(try await other.state(of: room).values)
                #expect(try await here.receive(remote).refusal == nil)
                #expect(here.current.entry(key)?.id == marker.id)
                #expect(try await ours.storedState(of: room) == other.state(of: room))
                #expect(try await ours.restarted().state(of: room) == other.state(of: room))
            }
        }
    }

    @Test("an event that another room is to authorize is rejected, and so is what it should authorize", arguments: DatabaseKind.allCases)
    func foreignAuthEvents(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { one in
            try await withDatabase(.sqlite) { two in
                let (ours, other, room) = try await shared(one, two)
                let second = try await ours.newRoom(.v11)
                let guest = other.user("guest")
                _ = try await ours.letIn(guest, of: other, to: second.id)
                let foreign = try #require(second.current.entry(.member(guest))?.id)

                let here = try await ours.rooms.existing(room)
                let current = here.current
                let shared = [StateKey.create, .powerLevels].compactMap { current.entry($0)?.id }
                func event(_ draft: EventDraft, after previous: [EventID], by authEvents: [EventID]) throws -> Event {
                    try Event.build(
                        draft, roomID: room, version: .v11, prevEvents: previous, authEvents: shared + authEvents, depth: 20,
                        originServerTimestamp: .now, origin: other.name, key: other.key)
                }
                let join = try event(
                    EventDraft(type: "m.room.member", stateKey: guest.text, content: ["membership": "join"], sender: guest),
                    after: here.forwardExtremities, by: [foreign])
                let talk = try event(
                    EventDraft(type: "m.room.message", content: ["msgtype": "m.text", "body": "here I am"], sender: guest),
                    after: [join.id], by: [join.id])
                try await here.storeOutliers([join])
                #expect(try await one.read { try EventStore.row(join.id, on: $0) }?.flags.contains(.rejected) == true)
                for event in [join, talk] {
                    guard case .rejected = try await here.receive(RemoteEvent(event)) else {
                        Issue.record("\(event) was not rejected")
                        continue
                    }
                }
                #expect(here.current.membership(of: guest) == nil)

                // What follows it is none the worse for that.
                let fine = try event(
                    EventDraft(type: "m.room.message", content: ["msgtype": "m.text", "body": "hello"], sender: other.admin),
                    after: [talk.id],
                    by: [try #require(current.entry(.member(other.admin))?.id)])
                #expect(try await here.receive(RemoteEvent(fine)).refusal == nil)
            }
        }
    }
}
