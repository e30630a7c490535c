import Homeserver
import MatrixCore
import Persistence
import Rooms
import ServerConfiguration
import Synchronization
import TestSupport
import Testing

@Suite("Presence in sync", .timeLimit(.minutes(10)))
struct PresenceSyncTests {
    private let alice = TestRooms.user("alice")
    private let bob = TestRooms.user("bob")
    private let carol = TestRooms.user("carol")
    private let device = DeviceID(trusted: "PHONE")

    /// A clock that a test moves.
    private final class Clock: Sendable {
        private let milliseconds = Mutex<Int64>(1_700_000_000_000)
        var now: Timestamp { Timestamp(milliseconds: milliseconds.withLock { $0 }) }
        func advance(_ duration: Int64) { milliseconds.withLock { $0 += duration * 1000 } }
    }

    private func onEach(
        _ configuration: PresenceConfiguration = PresenceConfiguration(), _ body: (SyncFixture, Clock) async throws -> Void
    ) async throws {
        try await forEachDatabase { database in
            let clock = Clock()
            try await SyncFixture.run(on: database, presence: configuration, clock: { clock.now }) { try await body($0, clock) }
        }
    }

    /// User and state of each presence event.
    private func presences(_ response: SyncResponse) -> [String] {
        (response.json["presence"]?["events"]?.elements).map { events in
            events.map { "\($0["sender"]?.string ?? "") \($0["content"]?["presence"]?.string ?? "")" }
        } ?? []
    }

    @Test("those who share a room see each other come and go, others do not")
    func comingAndGoing() async throws {
        try await onEach { server, clock in
            _ = try await server.rooms.room(by: alice, members: [bob])
            _ = try await server.rooms.room(by: carol)
            let since = try await server.sync(bob).next
            let strange = try await server.sync(carol).next
            let waiting = Task { try await server.sync(bob, since: since, timeout: .seconds(60)) }
            try await Task.sleep(for: .milliseconds(50))
            try await server.presence.beginSync(alice, device, as: .online)
            let came = try await waiting.value
            #expect(presences(came) == ["\(alice) online"])
            #expect(came.json["presence"]?["events"]?[0]?["content"]?["currently_active"]?.bool == true)
            #expect(try await presences(server.sync(bob)) == ["\(alice) online"])
            #expect(try await presences(server.sync(carol)).isEmpty)
            #expect(try await server.sync(carol, since: strange).next == strange)

            server.presence.endSync(alice, device)
            clock.advance(31)
            await server.presence.check()
            let left = try await server.sync(bob, since: came.next)
            #expect(presences(left) == ["\(alice) offline"])
            #expect((left.json["presence"]?["events"]?[0]?["content"]?["last_active_ago"]?.int ?? 0) > 0)
            #expect(try await server.sync(bob, since: left.next).isQuiet)
            #expect(try await presences(server.sync(bob)).isEmpty)
        }
    }

    @Test("who comes into a room is told of those in it, and they of who came")
    func newcomers() async throws {
        try await onEach { server, _ in
            let room = try await server.rooms.room(by: alice)
            let (a, b) = (try await server.sync(alice).next, try await server.sync(bob).next)
            try await server.rooms.join(bob, room)
            let mine = try await server.sync(bob, since: b)
            #expect(presences(mine) == ["\(alice) offline"])
            let theirs = try await server.sync(alice, since: a)
            #expect(presences(theirs) == ["\(bob) offline"])
            #expect(presences(try await server.sync(bob, since: mine.next)).isEmpty)
            #expect(presences(try await server.sync(alice, since: theirs.next)).isEmpty)
        }
    }

    @Test("the filter for presence is kept, by type and by sender")
    func filters() async throws {
        try await onEach { server, _ in
            _ = try await server.rooms.room(by: alice, members: [bob])
            try await server.presence.set(alice, nil, to: .online, message: "hi")
            for filter in [
                #"{"presence":{"types":[]}}"#, #"{"presence":{"not_types":["m.*"]}}"#, #"{"presence":{"not_senders":["\#(alice)"]}}"#,
            ] {
                #expect(try await presences(server.sync(bob, filter: filter)).isEmpty, "\(filter)")
            }
            #expect(try await presences(server.sync(bob, filter: #"{"presence":{"types":["m.presence"]}}"#)) == ["\(alice) online"])
        }
    }

    @Test("after a restart who was there has some time to come back, and the message is still there")
    func restart() async throws {
        try await forEachDatabase { database in
            let clock = Clock()
            try await SyncFixture.run(on: database, clock: { clock.now }) { server in
                _ = try await server.rooms.room(by: alice, members: [bob])
                try await server.presence.set(alice, nil, to: .online, message: "at work")
                await server.presence.save()
                await server.rooms.journal.stop()
            }
            try await SyncFixture.run(on: database, clock: { clock.now }) { server in
                try await server.presence.restore()
                #expect(try await presences(server.sync(bob)) == ["\(alice) online"])
                clock.advance(40)
                await server.presence.check()
                let presence = try await server.presence.presence(of: alice)
                #expect(presence.state == .offline && presence.statusMessage == "at work")
            }
        }
    }

    @Test("off and untracked: nothing is noted", arguments: [PresenceMode.disabled, .untracked])
    func modes(mode: PresenceMode) async throws {
        var configuration = PresenceConfiguration()
        configuration.setting = mode
        try await onEach(configuration) { server, _ in
            _ = try await server.rooms.room(by: alice, members: [bob])
            let position = server.rooms.journal.position
            try await server.presence.beginSync(alice, device, as: .online)
            try await server.presence.set(alice, device, to: .online, message: "hi")
            server.presence.endSync(alice, device)
            #expect(server.rooms.journal.position == position)
            #expect(try await presences(server.sync(bob)).isEmpty)
            #expect(try await server.presence.presence(of: alice).state == .offline)
        }
    }

    @Test("only those who share a room may look, and excluded rooms do not count")
    func visibility() async throws {
        try await onEach { server, _ in
            _ = try await server.rooms.room(by: alice, members: [bob])
            #expect(try await server.presence.isVisible(alice, to: bob))
            #expect(try await !server.presence.isVisible(alice, to: carol))
            #expect(try await server.presence.isVisible(carol, to: carol))
        }
        try await forEachDatabase { database in
            let before = try await TestRooms(on: database)
            let room = try await before.room(by: alice, members: [bob])
            await before.journal.stop()
            var configuration = PresenceConfiguration()
            configuration.excludedRooms = [room]
            try await SyncFixture.run(on: database, presence: configuration) { server in
                try await server.presence.set(alice, nil, to: .online, message: nil)
                #expect(try await !server.presence.isVisible(alice, to: bob))
                #expect(try await presences(server.sync(bob)).isEmpty)
            }
        }
    }
}
