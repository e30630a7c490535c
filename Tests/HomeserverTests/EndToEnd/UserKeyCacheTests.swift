import Homeserver
import MatrixCore
import Persistence
import Rooms
import TestSupport
import Testing

@Suite("Keys of users in memory")
struct UserKeyCacheTests {
    private let alice = TestRooms.user("alice"), bob = TestRooms.user("bob")

    private func keys(_ user: UserID, _ device: String) -> UserKeys {
        var keys = UserKeys()
        keys.devices = [DeviceKeysRow(user: user, device: DeviceID(trusted: device), displayName: nil, json: [])]
        return keys
    }

    private func withCache(_ body: (TestRooms, UserKeyCache) async throws -> Void) async throws {
        try await withDatabase(.sqlite) { database in
            let rooms = try await TestRooms(on: database)
            try await body(rooms, UserKeyCache(commits: rooms.journal.commits))
        }
    }

    private func announce(_ user: UserID, seenBy viewer: UserID? = nil, in rooms: TestRooms) async throws {
        try await rooms.journal.append(JournalBatch(records: [DeviceListChange(user: user, seenBy: viewer)]))
    }

    @Test("what was read once is not read again until it changes")
    func remembering() async throws {
        try await withCache { rooms, cache in
            var asked: [[UserID]] = []
            func devices() async throws -> [String] {
                try await cache.keys(of: [alice, bob]) { users in
                    asked.append(users)
                    return Dictionary(users.map { ($0, keys($0, "D\(asked.count)")) }) { $1 }
                }.flatMap(\.devices).map(\.device.string)
            }
            #expect(try await devices() == ["D1", "D1"])
            #expect(try await devices() == ["D1", "D1"])
            try await announce(bob, in: rooms)
            #expect(try await devices() == ["D1", "D2"])
            // Of a change that only its owner sees, too: the user-signing key is among the keys.
            try await announce(alice, seenBy: alice, in: rooms)
            #expect(try await devices() == ["D3", "D2"])
            #expect(asked == [[alice, bob], [bob], [alice]])
        }
    }

    @Test("who has no keys is known to have none, until there are some")
    func nothing() async throws {
        try await withCache { rooms, cache in
            #expect(try await cache.keys(of: [alice]) { _ in [:] }.first?.devices.isEmpty == true)
            #expect(try await cache.keys(of: [alice]) { _ in [alice: keys(alice, "D")] }.first?.devices.isEmpty == true)
            try await announce(alice, in: rooms)
            #expect(try await cache.keys(of: [alice]) { _ in [alice: keys(alice, "D")] }.first?.devices.count == 1)
        }
    }

    @Test("what changes while it is read is not kept")
    func overtaken() async throws {
        try await withCache { rooms, cache in
            let first = try await cache.keys(of: [alice, bob]) { users in
                try await announce(bob, in: rooms)
                // Another reader takes note of the change meanwhile.
                _ = try await cache.keys(of: []) { _ in [:] }
                return [alice: keys(alice, "OLD"), bob: keys(bob, "OLD")]
            }
            #expect(first.flatMap(\.devices).map(\.device.string) == ["OLD", "OLD"])
            let second = try await cache.keys(of: [alice, bob]) { users in
                #expect(users == [bob])
                return [bob: keys(bob, "NEW")]
            }
            #expect(second.flatMap(\.devices).map(\.device.string) == ["OLD", "NEW"])
        }
    }
}
