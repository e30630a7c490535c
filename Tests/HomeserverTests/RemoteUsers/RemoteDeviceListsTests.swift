// The devices of other servers' users: asked for once, followed, fetched again where something was missed.

import Federation
import Homeserver
import MatrixCore
import Persistence
import Rooms
import TestSupport
import Testing

@Suite("Devices of other servers' users", .timeLimit(.minutes(10)))
struct RemoteDeviceListsTests {
    private let alice = RemoteDevicesFixture.alice
    private let rita = RemoteDevicesFixture.rita
    private let remo = RemoteDevicesFixture.remo

    private func withRoom(
        _ kind: DatabaseKind, _ body: (RemoteDevicesFixture, OtherServer, RoomID) async throws -> Void
    ) async throws {
        try await withDatabase(kind) { database in
            let other = OtherServer()
            other.change(rita) { $0.devices = ["PHONE": ("Rita's", "one")] }
            try await RemoteDevicesFixture.run(on: database, with: other) { server in
                let room = try await server.rooms.room(by: alice)
                try await server.rooms.move(rita, to: .join, in: room)
                await server.settle()
                try await body(server, other, room)
            }
        }
    }

    @Test("a list is asked for once and then followed, change by change", arguments: DatabaseKind.allCases)
    func following(kind: DatabaseKind) async throws {
        try await withRoom(kind) { server, other, _ in
            #expect(try await server.query(rita) == ["PHONE:one Rita's"])
            #expect(try await server.query(rita) == ["PHONE:one Rita's"])
            #expect(try await server.query(rita, devices: ["LAPTOP"]) == [])
            #expect(other.asked == ["devices \(rita)"])
            #expect(try await server.changed { try await server.tell(2, after: [1], "LAPTOP", key: "two") } == [rita])
            #expect(try await server.changed { try await server.tell(3, after: [2], "PHONE", key: nil) } == [rita])
            #expect(try await server.query(rita) == ["LAPTOP:two"])
            #expect(try await server.query(rita, devices: ["LAPTOP", "X"]) == ["LAPTOP:two"])
            // Told twice, and from before: nothing new.
            #expect(try await server.changed { try await server.tell(3, after: [2], "PHONE", key: "old") } == [])
            #expect(try await server.changed { try await server.tell(2, after: [1], "PHONE", key: "old") } == [])
            // Two that follow upon the same, and one upon both.
            try await server.tell(4, after: [3], "A", key: "a")
            try await server.tell(5, after: [3], "B", key: "b")
            try await server.tell(6, after: [4, 5], "C", key: "c")
            #expect(try await server.query(rita) == ["A:a", "B:b", "C:c", "LAPTOP:two"])
            #expect(other.asked.count == 1)
        }
    }

    @Test("where a change was missed the whole list is fetched, and who shares a room is told", arguments: DatabaseKind.allCases)
    func gap(kind: DatabaseKind) async throws {
        try await withRoom(kind) { server, other, _ in
            #expect(try await server.query(rita) == ["PHONE:one Rita's"])
            other.change(rita) { person in
                person.streamID = 7
                person.devices = ["PHONE": (nil, "new"), "TABLET": (nil, "t")]
            }
            let changed = try await server.changed {
                try await server.tell(7, after: [6], "TABLET", key: "t")
                #expect(try await server.eventually { try await server.standing(of: rita) == "7" })
            }
            #expect(changed == [rita])
            #expect(try await server.query(rita) == ["PHONE:new", "TABLET:t"])
            #expect(other.asked == ["devices \(rita)", "devices \(rita)"])
            try await server.tell(8, after: [7], "TABLET", key: nil)
            #expect(try await server.query(rita) == ["PHONE:new"])
            #expect(other.asked.count == 2)
        }
    }

    @Test("a change of somebody whose list nobody asked for has it fetched", arguments: DatabaseKind.allCases)
    func firstWord(kind: DatabaseKind) async throws {
        try await withRoom(kind) { server, other, _ in
            let changed = try await server.changed {
                try await server.tell(1, after: [], "PHONE", key: "one")
                #expect(try await server.eventually { try await server.standing(of: rita) == "1" })
            }
            #expect(changed == [rita])
            #expect(try await server.query(rita) == ["PHONE:one Rita's"])
            #expect(other.asked == ["devices \(rita)"])
        }
    }

    @Test("a change that comes while the list is fetched is not lost", arguments: DatabaseKind.allCases)
    func overtaken(kind: DatabaseKind) async throws {
        try await withRoom(kind) { server, other, _ in
            let gate = other.hold()
            let first = Task { try await server.query(rita) }
            #expect(try await server.eventually { other.asked.count == 1 })
            other.change(rita) { person in
                person.streamID = 2
                person.devices["LAPTOP"] = (nil, "two")
            }
            try await server.tell(2, after: [1], "LAPTOP", key: "two")
            gate.open()
            #expect(try await first.value == ["PHONE:one Rita's"])
            #expect(try await server.eventually { try await server.standing(of: rita) == "2" })
            #expect(try await server.query(rita) == ["LAPTOP:two", "PHONE:one Rita's"])
        }
    }

    @Test("many who ask at once make one fetch; many users of one server one request", arguments: DatabaseKind.allCases)
    func noStorm(kind: DatabaseKind) async throws {
        try await withRoom(kind) { server, other, room in
            try await server.rooms.move(remo, to: .join, in: room)
            other.change(remo) { $0.devices = ["R": (nil, "r")] }
            await server.settle()
            let gate = other.hold()
            let everyone = (0..<20).map { _ in Task { try await server.lists.keys(of: [(rita, []), (remo, [])], timeout: .seconds(20)) } }
            #expect(try await server.eventually { !other.asked.isEmpty })
            try await Task.sleep(for: .milliseconds(50))
            gate.open()
            for task in everyone {
                // Who comes after the fetch gets what is stored, in the order of the question: an answer is an object and has none.
                let found = try await task.value.users.map { "\($0.user) \($0.devices.map(RemoteDevicesFixture.summary))" }.sorted()
                #expect(found == [#"\#(remo) ["R:r"]"#, #"\#(rita) ["PHONE:one"]"#])
            }
            #expect(other.asked == ["query \(remo) \(rita)"])
            #expect(try await server.query(rita) == ["PHONE:one"])
            #expect(other.asked.count == 1)
            // What the list stands at is not known: the first change has it fetched.
            other.change(rita) { $0.streamID = 9 }
            try await server.tell(9, after: [8], "X", key: "x")
            #expect(try await server.eventually { try await server.standing(of: rita) == "9" })
        }
    }

    @Test("a server that does not answer is named, and asked again until it does, also after a restart", arguments: DatabaseKind.allCases)
    func failure(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let other = OtherServer()
            other.change(rita) { $0.devices = ["PHONE": (nil, "one")] }
            other.fail(with: .unreachable(OtherServer.name, "cut off"))
            try await RemoteDevicesFixture.run(on: database, with: other) { server in
                let room = try await server.rooms.room(by: alice)
                try await server.rooms.move(rita, to: .join, in: room)
                await server.settle()
                let answer = try await server.lists.keys(of: [(rita, [])], timeout: .seconds(20))
                #expect(answer.users.isEmpty && answer.failures.map(\.server) == [OtherServer.name])
                #expect(!answer.failures.contains { $0.reason.contains("cut off") })
                #expect(try await server.standing(of: rita) == " stale")
            }
            other.fail(with: nil)
            // As if the pause were over.
            try await database.write { try RemoteDeviceStore.set(RemoteDeviceListRow(user: rita, streamID: "", isStale: true), on: $0) }
            try await RemoteDevicesFixture.run(on: database, with: other) { server in
                let isFetched = try await server.eventually { try await server.standing(of: rita) == "1" }
                #expect(isFetched)
                #expect(try await server.query(rita) == ["PHONE:one"])
            }
        }
    }

    @Test("a list that its server does not give is asked for less and less often", arguments: DatabaseKind.allCases)
    func backoff(kind: DatabaseKind) async throws {
        try await withRoom(kind) { server, other, _ in
            other.fail(with: .answered(.unknown("no", status: 400)))
            var pauses: [Int64] = []
            for _ in 0..<3 {
                _ = try await server.lists.keys(of: [(rita, [])], timeout: .seconds(20))
                let list = try #require(try await server.rooms.database.read { try RemoteDeviceStore.lists(of: [rita], on: $0) }.first)
                #expect(list.isStale)
                pauses.append(list.retryAt.milliseconds(since: .now))
            }
            #expect(pauses[0] <= 30_000 && pauses[1] > 30_000 && pauses[2] > 60_000)
            // What comes meanwhile does not make it be asked sooner.
            let count = other.asked.count
            try await server.tell(2, after: [1], "X", key: "x")
            _ = try await server.lists.resyncLists(of: OtherServer.name)
            #expect(other.asked.count == count)
        }
    }

    @Test("those with whom no room is shared are asked for each time, and nothing of them is kept", arguments: DatabaseKind.allCases)
    func strangers(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let other = OtherServer()
            other.change(rita) { $0.devices = ["PHONE": (nil, "one"), "LAPTOP": (nil, "two")] }
            try await RemoteDevicesFixture.run(on: database, with: other) { server in
                let all = try await server.query(rita)
                #expect(all == ["LAPTOP:two", "PHONE:one"])
                #expect(try await server.query(rita, devices: ["PHONE"]) == ["PHONE:one"])
                #expect(other.asked == ["query \(rita)", "query \(rita)"])
                #expect(try await server.standing(of: rita) == nil)
                #expect(try await server.changed { try await server.tell(1, after: [], "X", key: "x") } == [])
                #expect(try await server.standing(of: rita) == nil)
            }
        }
    }

    @Test("a fetch whose answer comes late is there for those who ask next", arguments: DatabaseKind.allCases)
    func slowServer(kind: DatabaseKind) async throws {
        try await withRoom(kind) { server, other, _ in
            let gate = other.hold()
            let answer = try await server.lists.keys(of: [(rita, [])], timeout: .milliseconds(50))
            #expect(answer.failures.map(\.server) == [OtherServer.name])
            gate.open()
            #expect(try await server.eventually { try await server.standing(of: rita) == "1" })
            #expect(try await server.query(rita) == ["PHONE:one Rita's"])
            #expect(other.asked.count == 1)
        }
    }

    @Test("who asks for keys from a device that is not known has the list fetched", arguments: DatabaseKind.allCases)
    func unknownDevice(kind: DatabaseKind) async throws {
        try await withRoom(kind) { server, other, _ in
            _ = try await server.query(rita)
            let toDevice = ToDeviceService(
                database: server.rooms.database, journal: server.rooms.journal, serverName: TestRooms.serverName,
                logger: DatabaseFixture.logger)
            let handler = DirectToDeviceEDU(toDevice: toDevice, lists: server.lists, rateLimits: RateLimiter(.none))
            func ask(_ device: String) async throws {
                try await handler.receive(
                    json(
                        """
                        {"sender":"\(rita)","type":"m.room_key_request","message_id":"\(device)","messages":\
                        {"\(alice)":{"*":{"requesting_device_id":"\(device)"}}}}
                        """), from: OtherServer.name)
            }
            try await ask("PHONE")
            #expect(try await server.standing(of: rita) == "1")
            other.change(rita) { person in
                person.streamID = 4
                person.devices["NEW"] = (nil, "n")
            }
            try await ask("NEW")
            #expect(try await server.eventually { try await server.standing(of: rita) == "4" })
        }
    }
}
