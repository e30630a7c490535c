// A list is followed exactly as long as a room is shared.

import Homeserver
import MatrixCore
import Persistence
import Rooms
import TestSupport
import Testing

@Suite("The end of following devices", .timeLimit(.minutes(10)))
struct RemoteDeviceTrackingTests {
    private let alice = RemoteDevicesFixture.alice
    private let bob = TestRooms.user("bob")
    private let rita = RemoteDevicesFixture.rita

    /// A room of Alice and Rita whose list is followed.
    private func withFollowed(
        _ kind: DatabaseKind, _ body: (RemoteDevicesFixture, OtherServer, RoomID) async throws -> Void
    ) async throws {
        try await withDatabase(kind) { database in
            let other = OtherServer()
            other.change(rita) { $0.devices = ["PHONE": (nil, "one")] }
            try await RemoteDevicesFixture.run(on: database, with: other) { server in
                let room = try await server.rooms.room(by: alice)
                try await server.rooms.move(rita, to: .join, in: room)
                _ = try await server.query(rita)
                #expect(try await server.standing(of: rita) == "1")
                try await body(server, other, room)
            }
        }
    }

    @Test(
        "with the last common room the list is forgotten, with another one it is not", arguments: DatabaseKind.allCases)
    func lastRoom(kind: DatabaseKind) async throws {
        try await withFollowed(kind) { server, other, room in
            let second = try await server.rooms.room(by: alice)
            try await server.rooms.move(rita, to: .join, in: second)
            await server.settle()
            try await server.rooms.move(rita, to: .leave, in: room)
            await server.settle()
            #expect(try await server.standing(of: rita) == "1")
            try await server.rooms.move(rita, to: .leave, in: second)
            await server.settle()
            #expect(try await server.standing(of: rita) == nil)
            #expect(try await server.rooms.database.read { try RemoteDeviceStore.devices(of: [rita], on: $0) }.isEmpty)
        }
    }

    @Test(
        "when the last of ours leaves the room it is forgotten, when another stays it is not", arguments: DatabaseKind.allCases)
    func lastOfOurs(kind: DatabaseKind) async throws {
        try await withFollowed(kind) { server, other, room in
            try await server.rooms.join(bob, room)
            await server.settle()
            try await server.rooms.leave(alice, room)
            await server.settle()
            #expect(try await server.standing(of: rita) == "1")
            try await server.rooms.leave(bob, room)
            await server.settle()
            #expect(try await server.standing(of: rita) == nil)
        }
    }

    @Test("who was away for a moment may have other devices: the list is fetched anew", arguments: DatabaseKind.allCases)
    func comingBack(kind: DatabaseKind) async throws {
        try await withFollowed(kind) { server, other, room in
            // Both at once for the reader of commits: it never sees Rita away.
            try await server.rooms.move(rita, to: .leave, in: room)
            other.change(rita) { $0.devices = ["OTHER": (nil, "two")] }
            try await server.rooms.move(rita, to: .join, in: room)
            await server.settle()
            #expect(try await server.query(rita) == ["OTHER:two"])
            #expect(other.asked.count == 2)
        }
    }

    @Test(
        "who goes from one room to the next, never without one, is followed on; with a gap between not", arguments: DatabaseKind.allCases)
    func moving(kind: DatabaseKind) async throws {
        try await withFollowed(kind) { server, other, room in
            let second = try await server.rooms.room(by: alice)
            let third = try await server.rooms.room(by: alice)
            try await server.rooms.move(rita, to: .join, in: second)
            // Read together with the leave, the join would be the older of two moves: what was before it could not be told any more.
            await server.settle()
            try await server.rooms.move(rita, to: .leave, in: room)
            await server.settle()
            #expect(try await server.standing(of: rita) == "1")
            try await server.rooms.move(rita, to: .leave, in: second)
            try await server.rooms.move(rita, to: .join, in: third)
            try await server.rooms.move(rita, to: .join, in: room)
            await server.settle()
            #expect(try await server.standing(of: rita) == nil)
        }
    }

    @Test("moves from before a restart are seen after it", arguments: DatabaseKind.allCases)
    func restart(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let other = OtherServer()
            other.change(rita) { $0.devices = ["PHONE": (nil, "one")] }
            var shared: RoomID?
            try await RemoteDevicesFixture.run(on: database, with: other) { server in
                let room = try await server.rooms.room(by: alice)
                try await server.rooms.move(rita, to: .join, in: room)
                _ = try await server.query(rita)
                await server.settle()
                shared = room
            }
            let room = try #require(shared)
            // Nobody reads the commits while this happens.
            let rooms = try await TestRooms(on: database)
            try await rooms.move(rita, to: .leave, in: room)
            try await rooms.move(rita, to: .join, in: room)
            try await RemoteDevicesFixture.run(on: database, with: other) { server in
                await server.settle()
                let standing = try await server.standing(of: rita)
                #expect(standing == nil)
            }
        }
    }

    @Test("what is fetched while the user goes away and comes back does not count", arguments: DatabaseKind.allCases)
    func awayWhileFetched(kind: DatabaseKind) async throws {
        try await withFollowed(kind) { server, other, room in
            try await server.rooms.database.write { try RemoteDeviceStore.forget([rita], on: $0) }
            let gate = other.hold()
            let asking = Task { try await server.query(rita) }
            #expect(try await server.eventually { other.asked.count == 2 })
            try await server.rooms.move(rita, to: .leave, in: room)
            try await server.rooms.move(rita, to: .join, in: room)
            await server.settle()
            other.change(rita) { person in
                person.streamID = 2
                person.devices = ["OTHER": (nil, "two")]
            }
            gate.open()
            #expect(try await asking.value == ["PHONE:one"])
            #expect(try await server.eventually { try await server.standing(of: rita) == "2" })
            #expect(try await server.query(rita) == ["OTHER:two"])
        }
    }

    @Test("what is read again after a crash says nothing of a list that was fetched since", arguments: DatabaseKind.allCases)
    func readingAgain(kind: DatabaseKind) async throws {
        try await withFollowed(kind) { server, other, room in
            await server.settle()
            let commits = server.rooms.journal.commits.recent(after: .zero) ?? []
            let tracking = RemoteDeviceTracking(database: server.rooms.database, serverName: TestRooms.serverName)
            guard case .nothing = try await tracking.take(commits) else { return #expect(Bool(false), "something is to be forgotten") }
            try await server.rooms.move(rita, to: .leave, in: room)
            let all = server.rooms.journal.commits.recent(after: .zero) ?? []
            if case .nothing = try await tracking.take(all) {
                // The server's own reader may have been quicker.
                #expect(try await server.standing(of: rita) == nil)
            }
        }
    }

    @Test("a list that is stale stays so as long as a room is shared", arguments: DatabaseKind.allCases)
    func staleLists(kind: DatabaseKind) async throws {
        try await withFollowed(kind) { server, other, room in
            other.fail(with: .answered(.unknown("no", status: 400)))
            try await server.tell(9, after: [8], "X", key: "x")
            #expect(try await server.eventually { try await server.standing(of: rita) == "1 stale" })
            let second = try await server.rooms.room(by: alice)
            try await server.rooms.move(rita, to: .join, in: second)
            try await server.rooms.move(rita, to: .leave, in: room)
            await server.settle()
            #expect(try await server.standing(of: rita) == "1 stale")
            try await server.rooms.move(rita, to: .leave, in: second)
            await server.settle()
            #expect(try await server.standing(of: rita) == nil)
        }
    }

    @Test("what remained of somebody with whom no room is shared is found and forgotten", arguments: DatabaseKind.allCases)
    func sweeping(kind: DatabaseKind) async throws {
        try await withFollowed(kind) { server, other, room in
            let remo = RemoteDevicesFixture.remo
            try await server.rooms.database.write { try RemoteDeviceStore.set(RemoteDeviceListRow(user: remo, streamID: "5"), on: $0) }
            try await server.lists.forgetStrangers()
            #expect(try await server.standing(of: remo) == nil)
            #expect(try await server.standing(of: rita) == "1")
        }
    }
}
