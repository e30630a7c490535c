import Homeserver
import MatrixCore
import Persistence
import Rooms
import TestSupport
import Testing

@Suite("Event stream")
struct EventStreamTests {
    private static let alice = TestRooms.user("alice"), bob = TestRooms.user("bob"), carol = TestRooms.user("carol")

    private func stream(_ server: SyncFixture) -> EventStream {
        let rooms = server.rooms
        return EventStream(
            groundwork: Homeserver.Groundwork(
                database: rooms.database, journal: rooms.journal, rooms: rooms.rooms, events: rooms.events, membership: rooms.membership,
                roomCreation: rooms.creation, directory: AliasDirectory(rooms: rooms.rooms)),
            history: rooms.history, accountData: server.accountData, receipts: server.receipts, typing: server.typing,
            presence: server.presence)
    }

    private func request(
        _ user: UserID, from: StreamPosition?, room: RoomID? = nil, timeout: Duration = .zero, limit: Int = 10
    ) -> EventStreamRequest {
        EventStreamRequest(user: user, from: from, room: room, timeout: timeout, limit: limit)
    }

    private func texts(_ answer: EventStreamAnswer) -> [String] {
        answer.items.compactMap { item in
            guard case .event(let viewed) = item else { return nil }
            return viewed.event.contentIfReadable?["body"]?.string ?? viewed.event.type.string
        }
    }

    @Test("a client catches up piece by piece, in order and without a gap", arguments: DatabaseKind.allCases)
    func catchUp(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            try await SyncFixture.run(on: database) { server in
                let room = try await server.rooms.room(by: Self.alice)
                let stream = stream(server)
                var position = try await stream.events(request(Self.alice, from: nil)).end
                let sent = (0..<20).map { "\($0)" }
                for text in sent { try await server.rooms.say(text, in: room, by: Self.alice) }
                var got: [String] = []
                for _ in 0..<10 where got.count < 20 {
                    let answer = try await stream.events(request(Self.alice, from: position, limit: 5))
                    #expect(answer.items.count <= 5 && answer.start == position)
                    got += texts(answer)
                    position = answer.end
                }
                #expect(got == sent)
                #expect(try await stream.events(request(Self.alice, from: position)).items.isEmpty)
            }
        }
    }

    @Test("a client that waits hears of the next message", arguments: DatabaseKind.allCases)
    func waiting(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            try await SyncFixture.run(on: database) { server in
                let room = try await server.rooms.room(by: Self.alice, members: [Self.bob])
                let stream = stream(server)
                let start = server.rooms.journal.position
                async let answer = stream.events(request(Self.bob, from: start, timeout: .seconds(20)))
                try await Task.sleep(for: .milliseconds(30))
                try await server.rooms.say("news", in: room, by: Self.alice)
                #expect(texts(try await answer) == ["news"])
                let quiet = try await stream.events(request(Self.bob, from: nil, timeout: .milliseconds(20)))
                #expect(quiet.items.isEmpty)
            }
        }
    }

    @Test("rooms of others are not heard of, unless all the world may read them", arguments: DatabaseKind.allCases)
    func peeking(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            try await SyncFixture.run(on: database) { server in
                let room = try await server.rooms.room(by: Self.alice, members: [Self.bob])
                let stream = stream(server)
                let start = server.rooms.journal.position
                try await server.rooms.say("hidden", in: room, by: Self.alice)
                #expect(try await stream.events(request(Self.carol, from: start)).items.isEmpty)
                let refusal = try await errorCode { _ = try await stream.events(request(Self.carol, from: start, room: room)) }
                #expect(refusal == "M_FORBIDDEN")

                let open = EventDraft(
                    type: "m.room.history_visibility", stateKey: "", content: ["history_visibility": "world_readable"], sender: Self.alice)
                try await server.rooms.rooms.existing(room).send(open, from: EventOrigin(user: Self.alice))
                try await server.rooms.say("shown", in: room, by: Self.alice)
                let answer = try await stream.events(request(Self.carol, from: start, room: room))
                #expect(texts(answer) == ["m.room.history_visibility", "shown"])

                try await server.typing.start(Self.bob, in: room, for: nil)
                let typing = try await stream.events(request(Self.carol, from: answer.end, room: room))
                guard case .typing(room, users: [Self.bob])? = typing.items.first else {
                    Issue.record("no typing in \(typing.items)")
                    return
                }
            }
        }
    }

    @Test("a snapshot has a room's state and its latest messages, oldest first", arguments: DatabaseKind.allCases)
    func snapshots(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            try await SyncFixture.run(on: database) { server in
                let room = try await server.rooms.room(by: Self.alice, members: [Self.bob])
                let left = try await server.rooms.room(by: Self.alice, members: [Self.bob])
                let stream = stream(server)
                for text in ["1", "2", "3"] { try await server.rooms.say(text, in: room, by: Self.alice) }
                try await server.rooms.say("before", in: left, by: Self.alice)
                try await server.rooms.leave(Self.bob, left)
                try await server.rooms.say("after", in: left, by: Self.alice)

                let (snapshot, _) = try await stream.snapshot(of: room, for: Self.bob, limit: 2)
                #expect(snapshot.content?.messages.map { $0.event.contentIfReadable?["body"]?.string } == ["2", "3"])
                #expect(snapshot.content?.state.contains { $0.type == "m.room.create" } == true)
                #expect(try await stream.snapshot(of: room, for: Self.bob, limit: 0).room.content?.messages.isEmpty == true)
                let departed = try await stream.snapshot(of: left, for: Self.bob, limit: 2)
                #expect(departed.room.membership == .leave && departed.ephemeral.presences.isEmpty && departed.ephemeral.receipts == nil)
                #expect(departed.room.content?.messages.first?.event.contentIfReadable?["body"]?.string == "before")
                #expect(try await errorCode { _ = try await stream.snapshot(of: room, for: Self.carol, limit: 1) } == "M_FORBIDDEN")

                #expect(try await stream.snapshot(for: Self.bob, limit: 2, includesLeft: false).rooms.map(\.room) == [room])
                #expect(try await Set(stream.snapshot(for: Self.bob, limit: 2, includesLeft: true).rooms.map(\.room)) == [room, left])
            }
        }
    }
}
