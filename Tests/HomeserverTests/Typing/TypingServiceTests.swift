import Homeserver
import MatrixCore
import Persistence
import Rooms
import Synchronization
import TestSupport
import Testing

/// A clock that stands still until it is moved. Who sleeps wakes when the time has come.
private final class ManualClock: Sendable {
    private struct State {
        var now = Duration.zero
        var sleepers: [(until: Duration, continuation: CheckedContinuation<Void, Never>)] = []
    }

    private let state = Mutex(State())

    var typing: TypingClock {
        TypingClock(now: { [self] in state.withLock { $0.now } }, sleep: { [self] in await sleep($0) })
    }

    private func sleep(_ duration: Duration) async {
        await withCheckedContinuation { continuation in
            state.withLock { $0.sleepers.append(($0.now + duration, continuation)) }
        }
    }

    func advance(by duration: Duration) async {
        // Who is about to sleep gets the chance to.
        try? await Task.sleep(for: .milliseconds(20))
        let due = state.withLock { state in
            state.now += duration
            let due = state.sleepers.filter { $0.until <= state.now }
            state.sleepers.removeAll { $0.until <= state.now }
            return due
        }
        for sleeper in due { sleeper.continuation.resume() }
    }

    /// Lets go of those who still sleep.
    func finish() async { await advance(by: .seconds(1_000_000)) }
}

@Suite("Typing")
struct TypingServiceTests {
    static let alice = TestRooms.user("alice")
    static let bob = TestRooms.user("bob")

    private func withTyping(_ body: (TestRooms, TypingService, ManualClock, RoomID) async throws -> Void) async throws {
        try await withDatabase(.sqlite) { database in
            let rooms = try await TestRooms(on: database)
            let room = try await rooms.room(by: Self.alice, members: [Self.bob])
            let clock = ManualClock()
            try await body(rooms, TypingService(journal: rooms.journal, rooms: rooms.rooms, clock: clock.typing), clock, room)
            await clock.finish()
        }
    }

    /// Waits for what another task does soon.
    private func eventually(_ condition: () -> Bool) async -> Bool {
        for _ in 0..<500 {
            if condition() { return true }
            try? await Task.sleep(for: .milliseconds(10))
        }
        return condition()
    }

    @Test("typing is published when it starts and when its time is over")
    func expiry() async throws {
        try await withTyping { rooms, typing, clock, room in
            let start = rooms.journal.position
            try await typing.start(Self.bob, in: room, for: .seconds(10))
            let started = typing.state(in: room)
            #expect(started.users == [Self.bob])
            #expect(started.changedAt == start.next)
            #expect(rooms.journal.position == started.changedAt)

            await clock.advance(by: .seconds(9))
            #expect(typing.state(in: room).users == [Self.bob])
            await clock.advance(by: .seconds(1))
            #expect(await eventually { typing.state(in: room).users.isEmpty })
            #expect(await eventually { typing.state(in: room).changedAt == started.changedAt.next })
        }
    }

    @Test("who goes on typing stays, without being published again")
    func goingOn() async throws {
        try await withTyping { rooms, typing, clock, room in
            try await typing.start(Self.bob, in: room, for: .seconds(10))
            let position = rooms.journal.position
            await clock.advance(by: .seconds(5))
            try await typing.start(Self.bob, in: room, for: .seconds(10))
            await clock.advance(by: .seconds(6))
            #expect(rooms.journal.position == position)
            #expect(typing.state(in: room).users == [Self.bob])
            await clock.advance(by: .seconds(4))
            #expect(await eventually { typing.state(in: room).users.isEmpty })
        }
    }

    @Test("nobody types for longer than two minutes without saying so again, and not at all who says stop")
    func bounds() async throws {
        try await withTyping { _, typing, clock, room in
            try await typing.start(Self.bob, in: room, for: .seconds(100_000))
            try await typing.start(Self.alice, in: room, for: nil)
            await clock.advance(by: .seconds(30))
            #expect(await eventually { typing.state(in: room).users == [Self.bob] })
            await clock.advance(by: .seconds(90))
            #expect(await eventually { typing.state(in: room).users.isEmpty })
            try await typing.start(Self.bob, in: room, for: .seconds(20))
            try await typing.stop(Self.bob, in: room)
            #expect(typing.state(in: room).users.isEmpty)
        }
    }

    @Test("only members type, and who leaves stops")
    func members() async throws {
        try await withTyping { rooms, typing, _, room in
            let error = await #expect(throws: MatrixError.self) {
                try await typing.start(TestRooms.user("carol"), in: room, for: nil)
            }
            #expect(error?.errcode == "M_FORBIDDEN")
            let running = Task { try await typing.run() }
            try await typing.start(Self.bob, in: room, for: .seconds(10))
            try await Task.sleep(for: .milliseconds(50))
            try await rooms.leave(Self.bob, room)
            #expect(await eventually { typing.state(in: room).users.isEmpty })
            running.cancel()
            try await running.value
        }
    }
}
