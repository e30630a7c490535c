import Homeserver
import MatrixCore
import Persistence
import Rooms
import TestSupport
import Testing

@Suite("Device lists")
struct DeviceListServiceTests {
    static let alice = TestRooms.user("alice")
    static let bob = TestRooms.user("bob")
    static let carol = TestRooms.user("carol")

    private func service(_ rooms: TestRooms) -> DeviceListService {
        DeviceListService(
            database: rooms.database, journal: rooms.journal, rooms: rooms.rooms, serverName: TestRooms.serverName)
    }

    /// Runs `act` and gives what changed for Alice by it, as memory knows it and as the database knows it: both must agree.
    private func changes(
        in rooms: TestRooms, _ service: DeviceListService, _ act: () async throws -> Void
    ) async throws -> [[UserID]] {
        let start = rooms.journal.position
        try await act()
        let now = rooms.journal.position
        let recent = try await service.changes(for: Self.alice, after: start, upTo: now)
        // A service that begins now has nothing in memory of what was before.
        let stored = try await self.service(rooms).changes(for: Self.alice, after: start, upTo: now)
        #expect(recent.changed == stored.changed)
        #expect(recent.left == stored.left)
        return [recent.changed, recent.left]
    }

    private func announce(_ user: UserID, seenBy viewer: UserID? = nil, in rooms: TestRooms) async throws {
        try await rooms.journal.append(JournalBatch(records: [DeviceListChange(user: user, seenBy: viewer)]))
    }

    @Test("what one user alone can see, that user alone is told", arguments: DatabaseKind.allCases)
    func signatures(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let rooms = try await TestRooms(on: database)
            let service = service(rooms)
            _ = try await rooms.room(by: Self.alice, members: [Self.bob])
            #expect(try await changes(in: rooms, service) { try await announce(Self.bob, seenBy: Self.bob, in: rooms) } == [[], []])
            #expect(
                try await changes(in: rooms, service) { try await announce(Self.alice, seenBy: Self.alice, in: rooms) } == [
                    [Self.alice], [],
                ])
            // Also without a common room.
            let told = try await changes(in: rooms, service) {
                for user in [Self.bob, Self.carol] { try await announce(user, seenBy: Self.alice, in: rooms) }
            }
            #expect(told == [[Self.bob, Self.carol], []])
        }
    }

    @Test("who left, changed devices and came back has changed, whatever was told in between", arguments: DatabaseKind.allCases)
    func absence(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let rooms = try await TestRooms(on: database)
            let service = service(rooms)
            let room = try await rooms.room(by: Self.alice, members: [Self.bob])
            #expect(try await changes(in: rooms, service) { try await rooms.leave(Self.bob, room) } == [[], [Self.bob]])
            #expect(try await changes(in: rooms, service) { try await announce(Self.bob, in: rooms) } == [[], []])
            #expect(try await changes(in: rooms, service) { try await rooms.join(Self.bob, room) } == [[Self.bob], []])
            let atOnce = try await changes(in: rooms, service) {
                try await rooms.leave(Self.bob, room)
                try await announce(Self.bob, in: rooms)
                try await rooms.join(Self.bob, room)
            }
            #expect(atOnce == [[Self.bob], []])
        }
    }

    @Test("only who shares a room with me, and I myself, are told to have other devices", arguments: DatabaseKind.allCases)
    func devices(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let rooms = try await TestRooms(on: database)
            let service = service(rooms)
            _ = try await rooms.room(by: Self.alice, members: [Self.bob])
            #expect(try await changes(in: rooms, service) {} == [[], []])
            let told = try await changes(in: rooms, service) {
                for user in [Self.carol, Self.bob, Self.alice] { try await announce(user, in: rooms) }
            }
            #expect(told == [[Self.alice, Self.bob], []])
        }
    }

    @Test("who comes into a room with me is changed, who shares none any more has left", arguments: DatabaseKind.allCases)
    func moves(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let rooms = try await TestRooms(on: database)
            let service = service(rooms)
            let first = try await rooms.room(by: Self.alice)
            let second = try await rooms.room(by: Self.alice)
            let elsewhere = try await rooms.room(by: Self.carol)

            #expect(try await changes(in: rooms, service) { try await rooms.join(Self.bob, first) } == [[Self.bob], []])
            #expect(try await changes(in: rooms, service) { try await rooms.join(Self.bob, elsewhere) } == [[], []])
            #expect(try await changes(in: rooms, service) { try await rooms.join(Self.bob, second) } == [[Self.bob], []])
            #expect(try await changes(in: rooms, service) { try await rooms.leave(Self.bob, first) } == [[], []])
            #expect(try await changes(in: rooms, service) { try await rooms.leave(Self.bob, second) } == [[], [Self.bob]])
            // Everybody in a room that I come into is new, everybody in one that I leave is gone.
            let joined = try await changes(in: rooms, service) { try await rooms.join(Self.alice, elsewhere) }
            #expect(joined == [[Self.bob, Self.carol], []])
            let left = try await changes(in: rooms, service) { try await rooms.leave(Self.alice, elsewhere) }
            #expect(left == [[], [Self.bob, Self.carol]])
        }
    }

    @Test("who went before I left the room is gone for me too", arguments: DatabaseKind.allCases)
    func bothLeft(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let rooms = try await TestRooms(on: database)
            let service = service(rooms)
            let room = try await rooms.room(by: Self.alice, members: [Self.bob])
            let told = try await changes(in: rooms, service) {
                try await rooms.leave(Self.bob, room)
                try await rooms.leave(Self.alice, room)
            }
            #expect(told == [[], [Self.bob]])
        }
    }
}
