// Paging through a history that grew at random.

import Homeserver
import MatrixCore
import Persistence
import Rooms
import TestSupport
import Testing

@Suite("Paging through a room", .timeLimit(.minutes(10)))
struct PagingPropertyTests {
    /// What a user may see of a room, each event asked for by itself, oldest first; nil for one who may not read the room.
    private func visible(_ room: RoomID, to user: UserID, _ server: TestRooms) async throws -> [EventID]? {
        let nid = try await server.rooms.existing(room).nid
        let all = try await server.events.timeline(nid, after: .zero, upTo: server.journal.position, limit: 10_000)
        do {
            let view = try await server.history.view(of: room, for: user)
            var found: [EventID] = []
            for event in all where try await !server.history.viewed([event], in: view).isEmpty { found.append(event.id) }
            return found
        } catch let error as MatrixError where error.status == 403 {
            return nil
        }
    }

    /// Every page, as it comes.
    private func pages(
        _ room: RoomID, _ user: UserID, _ direction: RoomHistory.Direction, _ server: TestRooms, limit: () -> Int
    ) async throws -> [EventID] {
        let view = try await server.history.view(of: room, for: user)
        var found: [EventID] = []
        var start: StreamPosition?
        repeat {
            let page = try await server.history.page(of: view, direction, from: start, to: nil, limit: limit(), filter: .everything)
            found += page.events.map(\.event.id)
            start = page.next
        } while start != nil
        return found
    }

    @Test("gives every visible event exactly once, in both directions, whatever the pages", arguments: [1, 2, 3, 4, 5, 6] as [UInt64])
    func exactlyOnce(seed: UInt64) async throws {
        try await forEachDatabase { database in
            var operations = RandomOperations(seed: seed)
            var server = try await TestRooms(on: database)
            try await operations.makeRooms(2, in: server)
            for round in 0..<3 {
                try await operations.perform(20..<60, in: server)
                for room in operations.rooms {
                    for user in [RandomOperations.alice, RandomOperations.bob, RandomOperations.carol] {
                        guard let expected = try await visible(room, to: user, server) else { continue }
                        let size = Int.random(in: 1..<12, using: &operations.generator)
                        let note: Comment = "seed \(seed), round \(round), \(user), pages of \(size)"
                        let backwards = try await pages(room, user, .backwards, server) { size }
                        #expect(backwards == expected.reversed(), note)
                        let forwards = try await pages(room, user, .forwards, server) { size }
                        #expect(forwards == expected, note)
                    }
                }
                await server.journal.stop()
                server = try await TestRooms(on: database)
            }
            await server.journal.stop()
        }
    }
}
