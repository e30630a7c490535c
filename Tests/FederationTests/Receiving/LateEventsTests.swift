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

        var all: [EventID] { events.withLock { $0 } }
        var count: Int { all.count }
    }

    private static let atOnce = LateEvents.Limits(lane: 50, server: 500, all: 5000, pauses: [.zero])

    private func lateEvents(_ fixture: ServingFixture, _ limits: LateEvents.Limits = atOnce) -> LateEvents {
        LateEvents(database: fixture.database, rooms: fixture.rooms, limits: limits, logger: DatabaseFixture.logger)
    }

    private func late(
        _ text: String, after previous: [Event] = [], depth: Int64 = 5, of server: ServerName = ServingFixture.remote, in room: Room,
        _ fixture: ServingFixture
    ) throws -> LateEvent {
        LateEvent(event: try fixture.event(text, after: previous.map(\.id), depth: depth, in: room), room: room, server: server)
    }

    /// Who waits according to the database.
    private func waiting(
        _ fixture: ServingFixture, in room: Room, from server: ServerName = ServingFixture.remote
    ) async throws -> [EventID] {
        let id = room.id
        return try await fixture.database.read { try LateEventStore.events(of: id, from: server, limit: 1000, on: $0) }.map(\.id)
    }

    /// Waits without regard to how fast the machine is.
    private func until(_ condition: () async throws -> Bool) async throws {
        while try await !condition() { try await Task.sleep(for: .milliseconds(2)) }
    }

    @Test(
        "an event is tried until it is done with, and each of a server's events of a room after the one before it",
        .timeLimit(.minutes(10)), arguments: DatabaseKind.allCases)
    func attempts(_ kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let fixture = try await ServingFixture(database)
            let room = try await fixture.room()
            let events = lateEvents(fixture)
            let attempts = Attempts()
            let (first, second) = (try late("first", depth: 5, in: room, fixture), try late("second", depth: 6, in: room, fixture))
            try await events.add(second)
            try await events.add(first)
            #expect(try await waiting(fixture, in: room) == [first.event.id, second.event.id])
            let running = Task { await events.run { late in attempts.note(late.event.id) == 3 } }
            try await until { try await waiting(fixture, in: room).isEmpty }
            let expected = Array(repeating: first.event.id, count: 3) + Array(repeating: second.event.id, count: 3)
            #expect(attempts.all == expected)
            // What comes later is tried as well.
            let third = try late("third", depth: 7, in: room, fixture)
            try await events.add(third)
            try await until { try await waiting(fixture, in: room).isEmpty }
            #expect(attempts.all == expected + Array(repeating: third.event.id, count: 3))
            running.cancel()
            await running.value
        }
    }

    @Test("what waited when the server ended is tried after the next start", .timeLimit(.minutes(10)), arguments: DatabaseKind.allCases)
    func restart(_ kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let fixture = try await ServingFixture(database)
            let room = try await fixture.room()
            let event = try late("the last word", in: room, fixture)
            try await lateEvents(fixture).add(event)

            let attempts = Attempts()
            let again = lateEvents(fixture)
            let running = Task {
                await again.run { late in
                    #expect(late.event.json == event.event.json && late.server == event.server && late.room === room)
                    return attempts.note(late.event.id) == 1
                }
            }
            try await until { try await waiting(fixture, in: room).isEmpty }
            #expect(attempts.all == [event.event.id])
            running.cancel()
            await running.value
        }
    }

    @Test("of many events of a room those go first that others follow, and what is beyond is not taken", arguments: DatabaseKind.allCases)
    func limits(_ kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let fixture = try await ServingFixture(database)
            let room = try await fixture.room()
            let limits = LateEvents.Limits(lane: 3, server: 5, all: 7, pauses: [.zero])
            let events = lateEvents(fixture, limits)
            var chain: [Event] = []
            for number in 0..<4 {
                let next = try late("\(number)", after: chain.suffix(1), depth: Int64(5 + number), in: room, fixture)
                try await events.add(next)
                chain.append(next.event)
            }
            #expect(try await waiting(fixture, in: room) == [chain[3].id])
            // These follow each other in nothing.
            for number in 0..<4 { try await events.add(try late("apart \(number)", in: room, fixture)) }
            await #expect(throws: TooManyLateEvents.self) { try await events.add(try late("one too many", in: room, fixture)) }
            for number in 0..<2 { try await events.add(try late("\(number)", of: ServingFixture.other, in: room, fixture)) }
            await #expect(throws: TooManyLateEvents.self) {
                try await events.add(try late("more than all may have", of: ServingFixture.other, in: room, fixture))
            }
            #expect(try await waiting(fixture, in: room).count == 5)
            #expect(try await waiting(fixture, in: room, from: ServingFixture.other).count == 2)
        }
    }

    @Test("an event is given up after a time", .timeLimit(.minutes(10)))
    func patience() async throws {
        try await withDatabase(.sqlite) { database in
            let fixture = try await ServingFixture(database)
            let room = try await fixture.room()
            let events = lateEvents(
                fixture, LateEvents.Limits(lane: 3, server: 5, all: 7, pauses: [.milliseconds(5)], patience: .milliseconds(300)))
            try await events.add(try late("hopeless", in: room, fixture))
            let running = Task { await events.run { _ in false } }
            try await until { try await waiting(fixture, in: room).isEmpty }
            running.cancel()
            await running.value
        }
    }
}
