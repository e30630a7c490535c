// What happened in a room before its server came to know of it.

import MatrixCore
import Persistence
import Rooms
import TestSupport
import Testing

@Suite("The past of rooms of other servers")
struct PastTests {
    @Test("a part of the past, brought in oldest first, stands in its order before all that is there", arguments: DatabaseKind.allCases)
    func order(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { one in
            try await withDatabase(.sqlite) { two in
                let (here, other) = (try await FederatedServer("here", one), try await FederatedServer("other", two))
                let room = try await other.newRoom(.v11).id
                let beginning = Array(try await other.state(of: room).values)
                var said: [Event] = []
                for number in 0..<6 {
                    let draft = EventDraft(
                        type: "m.room.message", content: ["msgtype": "m.text", "body": .string("\(number)")], sender: other.admin)
                    said.append(try #require(try await other.send(draft, in: room)))
                }
                let ours = try await here.rooms.takeOver(try await other.letIn(here.admin, of: here, to: room))
                // As somebody pages back: the newer part comes first.
                for part in [said[3...], said[..<3]] {
                    for (event, place) in zip(part, try await ours.pastPlaces(for: Array(part)).places) {
                        var remote = RemoteEvent(event, path: .past)
                        remote.position = place.position
                        for id in event.prevEvents { remote.statesAfterMissing[id] = beginning }
                        #expect(try await ours.receive(remote).refusal == nil)
                    }
                }
                let (nid, ids) = (ours.nid, said.map(\.id))
                let (positions, missing) = try await one.read { connection in
                    (
                        try ids.compactMap { try EventStore.row($0, on: connection)?.position },
                        try MissingEventStore.events(in: nid, limit: 10, on: connection)
                    )
                }
                #expect(positions.count == said.count)
                #expect(positions == positions.sorted() && positions.allSatisfy { $0 < .zero })
                #expect(missing.map(\.id) == said[0].prevEvents)
            }
        }
    }
}
