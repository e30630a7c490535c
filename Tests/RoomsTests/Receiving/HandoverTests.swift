import MatrixCore
import Persistence
import Rooms
import TestSupport
import Testing

@Suite("Rooms that are handed over")
struct HandoverTests {
    @Test("who leaves and comes back comes from outside, though the other server never heard of it", arguments: DatabaseKind.allCases)
    func comingBack(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { one in
            try await withDatabase(.sqlite) { two in
                let other = try await FederatedServer("other", two)
                let ours = try await FederatedServer("ours", one)
                let room = try await other.newRoom(.v11).id
                let here = try await ours.rooms.takeOver(try await other.letIn(ours.admin, of: ours, to: room))
                #expect(try await before(here.current, ours) == nil)

                let leaving = EventDraft(
                    type: "m.room.member", stateKey: ours.admin.text, content: ["membership": "leave"], sender: ours.admin)
                _ = try await ours.send(leaving, in: room)
                try await ours.rooms.takeOver(try await other.letIn(ours.admin, of: ours, to: room))
                #expect(here.current.membership(of: ours.admin) == .join)
                #expect(try await before(here.current, ours) == .leave)
            }
        }
    }

    /// What the admin was before the join that counts.
    private func before(_ room: RoomSnapshot, _ server: FederatedServer) async throws -> Membership? {
        let entry = try #require(room.entry(.member(server.admin)))
        return try #require(try await EventReader(environment: server.rooms.environment).event(entry.nid)).previousMembership
    }
}
