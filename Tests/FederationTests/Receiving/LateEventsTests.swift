// Events whose server fell silent too early.

import Federation
import MatrixCore
import Persistence
import Rooms
import Synchronization
import TestSupport
import Testing

@Suite("Events that come in late")
struct LateEventsTests {
    private final class Attempts: Sendable {
        private let events = Mutex<[EventID]>([])

        /// - Returns: how often the event has been tried, this time included.
        func note(_ id: EventID) -> Int {
            events.withLock { events in
                events.append(id)
                return events.count { $0 == id }
            }
        }

        var count: Int { events.withLock { $0.count } }
    }

    private func late(_ text: String, of server: ServerName, in room: Room, _ fixture: ServingFixture) throws -> LateEvent {
        LateEvent(event: try fixture.event(text, after: [], depth: 5, in: room), room: room, server: server)
    }

    @Test("an event is tried until it is done with, and no more often than there are pauses", .timeLimit(.minutes(10)))
    func attempts() async throws {
        try await withDatabase(.sqlite) { database in
            let fixture = try await ServingFixture(database)
            let room = try await fixture.room()
            let events = LateEvents(pauses: [.zero, .zero, .zero])
            let attempts = Attempts()
            let (good, hopeless) = (
                try late("good", of: ServingFixture.remote, in: room, fixture),
                try late("hopeless", of: ServingFixture.other, in: room, fixture)
            )
            events.add(good)
            events.add(hopeless)
            let running = Task {
                await events.run { late in
                    let count = attempts.note(late.event.id)
                    return late.event.id == good.event.id && count == 2
                }
            }
            while attempts.count < 5 { await Task.yield() }
            try await Task.sleep(for: .milliseconds(50))
            #expect(attempts.count == 5)
            running.cancel()
            await running.value
        }
    }

    @Test("a server has so many events tried and no more, and the others theirs", .timeLimit(.minutes(10)))
    func limits() async throws {
        try await withDatabase(.sqlite) { database in
            let fixture = try await ServingFixture(database)
            let room = try await fixture.room()
            let events = LateEvents(serverLimit: 3, limit: 5, pauses: [.zero])
            let attempts = Attempts()
            for (server, count) in [(ServingFixture.remote, 10), (ServingFixture.other, 10)] {
                for number in 0..<count { events.add(try late("\(server) \(number)", of: server, in: room, fixture)) }
            }
            let running = Task {
                await events.run { late in
                    _ = attempts.note(late.event.id)
                    return true
                }
            }
            while attempts.count < 5 { await Task.yield() }
            try await Task.sleep(for: .milliseconds(50))
            #expect(attempts.count == 5)
            // What is done with makes room.
            events.add(try late("one more", of: ServingFixture.remote, in: room, fixture))
            while attempts.count < 6 { await Task.yield() }
            running.cancel()
            await running.value
        }
    }
}
