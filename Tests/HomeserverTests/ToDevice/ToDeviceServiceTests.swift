import Homeserver
import MatrixCore
import Persistence
import Rooms
import TestSupport
import Testing

@Suite("Messages to devices")
struct ToDeviceServiceTests {
    static let alice = TestRooms.user("alice")
    static let bob = TestRooms.user("bob")
    private let requester = Requester(user: alice, device: DeviceID(trusted: "A"))

    private func service(_ rooms: TestRooms) -> ToDeviceService {
        ToDeviceService(
            database: rooms.database, journal: rooms.journal, serverName: TestRooms.serverName, logger: DatabaseFixture.logger)
    }

    private func request(_ messages: String) throws -> ToDeviceRequest {
        try ToDeviceRequest(type: "m.test", JSONDocument(parsing: Array("{\"messages\":\(messages)}".utf8)).root)
    }

    /// What a device of Bob's has to get after a position.
    private func pending(
        _ device: String, after: StreamPosition = .zero, limit: Int = 100, in service: ToDeviceService, _ rooms: TestRooms
    ) async throws -> (events: [String], next: StreamPosition) {
        let found = try await service.pending(
            for: Self.bob, device: DeviceID(trusted: device), after: after, upTo: rooms.journal.position, limit: limit)
        return (found.events.map { String(decoding: $0, as: UTF8.self) }, found.next)
    }

    private func withBob(_ kind: DatabaseKind, _ body: (TestRooms, ToDeviceService) async throws -> Void) async throws {
        try await withDatabase(kind) { database in
            let rooms = try await TestRooms(on: database)
            for device in ["B1", "B2"] { try await rooms.addDevice(device, of: Self.bob) }
            try await body(rooms, service(rooms))
        }
    }

    private static let event = #"{"content":{"a":1},"sender":"@alice:example.org","type":"m.test"}"#

    @Test("a message reaches the named device, one to * every device, and unknown devices none", arguments: DatabaseKind.allCases)
    func recipients(kind: DatabaseKind) async throws {
        try await withBob(kind) { rooms, service in
            try await service.send(request(#"{"@bob:example.org":{"B1":{"a":1},"B9":{"a":1}}}"#), transaction: "1", from: requester)
            #expect(try await pending("B1", in: service, rooms).events == [Self.event])
            #expect(try await pending("B2", in: service, rooms).events == [])
            try await service.send(request(#"{"@bob:example.org":{"*":{"b":2},"B1":{"a":1}}}"#), transaction: "2", from: requester)
            #expect(try await pending("B1", in: service, rooms).events == [Self.event, Self.event])
            #expect(try await pending("B2", in: service, rooms).events.count == 1)
            #expect(try await pending("B9", in: service, rooms).events == [])
        }
    }

    @Test("a message stays until it is confirmed, and is gone then", arguments: DatabaseKind.allCases)
    func acknowledge(kind: DatabaseKind) async throws {
        try await withBob(kind) { rooms, service in
            let device = DeviceID(trusted: "B1")
            #expect(try await pending("B1", in: service, rooms).events == [])
            try await service.send(request(#"{"@bob:example.org":{"B1":{"a":1}}}"#), transaction: "1", from: requester)
            let first = try await pending("B1", in: service, rooms)
            #expect(first.events == [Self.event])
            #expect(try await pending("B1", in: service, rooms).events == [Self.event])

            try await service.acknowledge(Self.bob, device, upTo: first.next)
            #expect(try await pending("B1", after: first.next, in: service, rooms).events == [])
            #expect(try await pending("B1", in: service, rooms).events == [])

            try await service.send(request(#"{"@bob:example.org":{"B1":{"a":1}}}"#), transaction: "2", from: requester)
            #expect(try await pending("B1", after: first.next, in: service, rooms).events == [Self.event])
            // A confirmation of what was confirmed before takes nothing away.
            try await service.acknowledge(Self.bob, device, upTo: first.next)
            #expect(try await pending("B1", after: first.next, in: service, rooms).events == [Self.event])
        }
    }

    @Test("more than the limit come page by page, none twice", arguments: DatabaseKind.allCases)
    func pages(kind: DatabaseKind) async throws {
        try await withBob(kind) { rooms, service in
            for number in 0..<5 {
                try await service.send(
                    request("{\"@bob:example.org\":{\"B1\":{\"n\":\(number)}}}"), transaction: "\(number)", from: requester)
            }
            var seen: [String] = []
            var after = StreamPosition.zero
            for expected in [2, 2, 1, 0] {
                let page = try await pending("B1", after: after, limit: 2, in: service, rooms)
                #expect(page.events.count == expected)
                seen += page.events
                after = page.next
                try await service.acknowledge(Self.bob, DeviceID(trusted: "B1"), upTo: after)
            }
            #expect(Set(seen).count == 5)
            #expect(after == rooms.journal.position)
        }
    }

    @Test("a transaction counts once for its device and type, also at the same time and after a restart", arguments: DatabaseKind.allCases)
    func idempotency(kind: DatabaseKind) async throws {
        try await withBob(kind) { rooms, service in
            let message = try request(#"{"@bob:example.org":{"B1":{"a":1}}}"#)
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<8 { group.addTask { try await service.send(message, transaction: "1", from: requester) } }
                try await group.waitForAll()
            }
            #expect(try await pending("B1", in: service, rooms).events.count == 1)

            await rooms.journal.stop()
            let restarted = try await TestRooms(on: rooms.database)
            let successor = self.service(restarted)
            try await successor.send(message, transaction: "1", from: requester)
            #expect(try await pending("B1", in: successor, restarted).events.count == 1)
            let otherDevice = Requester(user: Self.alice, device: DeviceID(trusted: "A2"))
            try await successor.send(message, transaction: "1", from: otherDevice)
            #expect(try await pending("B1", in: successor, restarted).events.count == 2)
        }
    }

    @Test("a message under way is never missed by a reader who was told of it", arguments: DatabaseKind.allCases)
    func noneMissed(kind: DatabaseKind) async throws {
        try await withBob(kind) { rooms, service in
            let device = DeviceID(trusted: "B1")
            let total = 60
            async let sending: Void = {
                for number in 0..<total {
                    try await service.send(request("{\"@bob:example.org\":{\"B1\":{}}}"), transaction: "\(number)", from: requester)
                }
            }()
            var seen = 0
            var since = StreamPosition.zero
            let deadline = ContinuousClock.now + .seconds(60)
            while seen < total, ContinuousClock.now < deadline {
                let now = rooms.journal.position
                try await service.acknowledge(Self.bob, device, upTo: since)
                let page = try await service.pending(for: Self.bob, device: device, after: since, upTo: now, limit: 100)
                seen += page.events.count
                since = page.next
                await Task.yield()
            }
            try await sending
            #expect(seen == total)
        }
    }

    @Test(
        "what is not as the specification wants it is refused",
        arguments: [
            ("{}", "M_MISSING_PARAM", 400), (#"{"messages":[]}"#, "M_BAD_JSON", 400),
            (#"{"messages":{"@bob:example.org":[]}}"#, "M_BAD_JSON", 400),
            (#"{"messages":{"@bob:example.org":{"B1":"text"}}}"#, "M_BAD_JSON", 400),
            (
                "{\"messages\":{\"@bob:example.org\":{\"B1\":{\"a\":\"\(String(repeating: "x", count: 65_536))\"}}}}", "M_TOO_LARGE",
                413
            ),
        ])
    func refused(_ body: String, errcode: String, status: Int) throws {
        let error = #expect(throws: MatrixError.self) {
            try ToDeviceRequest(type: "m.test", JSONDocument(parsing: Array(body.utf8)).root)
        }
        #expect(error?.errcode == errcode)
        #expect(error?.status == status)
    }
}
