import Homeserver
import MatrixCore
import Persistence
import Rooms
import TestSupport
import Testing

@Suite("Receipts")
struct ReceiptServiceTests {
    static let alice = TestRooms.user("alice")
    static let bob = TestRooms.user("bob")

    private func service(_ rooms: TestRooms, windowLimit: Int = 100) -> ReceiptService {
        ReceiptService(
            database: rooms.database, journal: rooms.journal, history: rooms.history, events: rooms.events, windowLimit: windowLimit)
    }

    private func withRoom(
        _ kind: DatabaseKind, windowLimit: Int = 100, _ body: (TestRooms, ReceiptService, RoomID) async throws -> Void
    ) async throws {
        try await withDatabase(kind) { database in
            let rooms = try await TestRooms(on: database)
            let room = try await rooms.room(by: Self.alice, members: [Self.bob])
            try await body(rooms, service(rooms, windowLimit: windowLimit), room)
        }
    }

    /// The event at which each of a user's receipts of one kind stands, as `viewer` is told.
    private func events(
        for viewer: UserID, after: StreamPosition?, in room: RoomID, _ service: ReceiptService, _ rooms: TestRooms
    ) async throws -> [String] {
        let contents = try await service.receipts(in: [room], for: viewer, after: after, upTo: rooms.journal.position)
        guard let content = contents[room] else { return [] }
        return try JSONDocument(parsing: content).root.members.map(\.key.string)
    }

    @Test(
        "a receipt never moves back, and is told from memory and from the database alike", arguments: DatabaseKind.allCases, [100, 0])
    func forward(kind: DatabaseKind, windowLimit: Int) async throws {
        try await withRoom(kind, windowLimit: windowLimit) { rooms, service, room in
            let first = try await rooms.say("1", in: room, by: Self.alice)
            let second = try await rooms.say("2", in: room, by: Self.alice)
            let start = rooms.journal.position
            try await service.send(.read, at: second, thread: nil, in: room, by: Self.bob)
            let moved = rooms.journal.position
            try await service.send(.read, at: first, thread: nil, in: room, by: Self.bob)
            try await service.send(.read, at: second, thread: nil, in: room, by: Self.bob)
            #expect(rooms.journal.position == moved)
            #expect(try await events(for: Self.alice, after: start, in: room, service, rooms) == [second.string])
            #expect(try await events(for: Self.alice, after: nil, in: room, service, rooms) == [second.string])
            #expect(try await events(for: Self.alice, after: moved, in: room, service, rooms) == [])
            // Without what memory knows.
            let restarted = self.service(rooms)
            try await restarted.send(.read, at: first, thread: nil, in: room, by: Self.bob)
            #expect(rooms.journal.position == moved)
            #expect(try await events(for: Self.alice, after: start, in: room, restarted, rooms) == [second.string])
        }
    }

    @Test("moves at once leave the receipt at the newest event", arguments: DatabaseKind.allCases)
    func concurrent(kind: DatabaseKind) async throws {
        try await withRoom(kind) { rooms, service, room in
            var sent: [EventID] = []
            for number in 0..<10 { sent.append(try await rooms.say("\(number)", in: room, by: Self.alice)) }
            let start = rooms.journal.position
            try await withThrowingTaskGroup(of: Void.self) { group in
                for event in sent.shuffled() {
                    group.addTask { try await service.send(.read, at: event, thread: nil, in: room, by: Self.bob) }
                }
                try await group.waitForAll()
            }
            #expect(try await events(for: Self.alice, after: start, in: room, service, rooms) == sent.suffix(1).map(\.string))
            #expect(try await events(for: Self.alice, after: nil, in: room, service, rooms) == sent.suffix(1).map(\.string))
        }
    }

    @Test("a private receipt is told to its owner only", arguments: DatabaseKind.allCases, [100, 0])
    func privacy(kind: DatabaseKind, windowLimit: Int) async throws {
        try await withRoom(kind, windowLimit: windowLimit) { rooms, service, room in
            let event = try await rooms.say("1", in: room, by: Self.alice)
            let start = rooms.journal.position
            try await service.send(.readPrivate, at: event, thread: nil, in: room, by: Self.bob)
            #expect(try await events(for: Self.bob, after: start, in: room, service, rooms) == [event.string])
            #expect(try await events(for: Self.alice, after: start, in: room, service, rooms) == [])
        }
    }

    @Test("only members send receipts; an unknown event changes nothing", arguments: DatabaseKind.allCases)
    func refused(kind: DatabaseKind) async throws {
        try await withRoom(kind) { rooms, service, room in
            let event = try await rooms.say("1", in: room, by: Self.alice)
            let before = rooms.journal.position
            let error = await #expect(throws: MatrixError.self) {
                try await service.send(.read, at: event, thread: nil, in: room, by: TestRooms.user("carol"))
            }
            #expect(error?.errcode == "M_FORBIDDEN")
            try await service.send(.read, at: EventID(trusted: "$unknown"), thread: nil, in: room, by: Self.bob)
            #expect(rooms.journal.position == before)
        }
    }

    @Test("a threaded receipt stands only at events of its thread", arguments: DatabaseKind.allCases)
    func threads(kind: DatabaseKind) async throws {
        try await withRoom(kind) { rooms, service, room in
            func relation(_ type: String, _ target: EventID) -> JSONValue {
                ["rel_type": .string(type), "event_id": .string(target.string)]
            }
            let root = try await rooms.say("root", in: room, by: Self.alice)
            let reply = try await rooms.say("reply", in: room, by: Self.alice, relatesTo: relation("m.thread", root))
            let edit = try await rooms.say("edit", in: room, by: Self.alice, relatesTo: relation("m.replace", reply))
            let note = try await rooms.say("note", in: room, by: Self.alice, relatesTo: relation("m.reference", root))
            let other = try await rooms.say("other", in: room, by: Self.alice)
            func isAllowed(_ thread: ByteString, _ event: EventID) async throws -> Bool {
                do {
                    try await service.send(.read, at: event, thread: thread, in: room, by: Self.bob)
                    return true
                } catch let error as MatrixError where error.errcode == "M_INVALID_PARAM" {
                    return false
                }
            }
            let threadEvents = [root, reply, edit, note, other]
            var inThread: [Bool] = []
            var inMain: [Bool] = []
            for event in threadEvents {
                inThread.append(try await isAllowed(root.text, event))
                inMain.append(try await isAllowed("main", event))
            }
            #expect(inThread == [true, true, true, true, false])
            #expect(inMain == [true, false, false, true, true])
        }
    }
}
