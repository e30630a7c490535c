// What people do in rooms, at random and repeatable.

import Homeserver
import MatrixCore
import Persistence
import Rooms
import TestSupport

/// Three people in some rooms: alice, who made them, and two who come and go.
struct RandomOperations: Sendable {
    static let alice = TestRooms.user("alice"), bob = TestRooms.user("bob"), carol = TestRooms.user("carol")

    var generator: SeededGenerator
    private(set) var rooms: [RoomID] = []

    init(seed: UInt64) { generator = SeededGenerator(seed: seed) }

    /// Makes rooms that bob is in from the beginning.
    mutating func makeRooms(_ count: Int, in server: TestRooms) async throws {
        while rooms.count < count { rooms.append(try await server.room(by: Self.alice, members: [Self.bob])) }
    }

    mutating func perform(_ count: Range<Int>, in server: TestRooms) async throws {
        for _ in 0..<Int.random(in: count, using: &generator) { try await perform(in: server) }
    }

    private mutating func perform(in server: TestRooms) async throws {
        guard let room = rooms.randomElement(using: &generator),
            let user = [Self.alice, Self.bob, Self.carol].randomElement(using: &generator)
        else { return }
        let number = Int.random(in: 0..<1000, using: &generator)
        let guest = number % 2 == 0 ? Self.bob : Self.carol
        do {
            switch Int.random(in: 0..<11, using: &generator) {
            case 0...3: try await server.say("\(number)", in: room, by: user)
            case 4: try await set("m.room.topic", "", ["topic": .string("\(number)")], by: Self.alice, in: room, server)
            case 5:
                try await set(
                    ByteString("com.example.\(number % 3)"), ByteString("\(number % 2)"), ["n": .int(Int64(number))], by: Self.alice,
                    in: room, server)
            case 6:
                let content: JSONObject = ["membership": "join", "displayname": .string("\(user) \(number)")]
                guard try await server.rooms.existing(room).current.membership(of: user) == .join else { return }
                try await set("m.room.member", ByteString(user.string), content, by: user, in: room, server)
            case 7: try await server.leave(Self.bob, room)
            case 8: try await server.join(guest, room)
            case 9:
                let setting = ["shared", "invited", "joined", "world_readable"][number % 4]
                try await set(
                    "m.room.history_visibility", "", ["history_visibility": .string(setting)], by: Self.alice, in: room, server)
            default:
                try await server.membership.change(.leave, of: guest, in: room, by: MembershipRequester(user: Self.alice))
            }
        } catch is MatrixError {
            // Who is not in the room cannot speak there: that, too, is an operation.
        }
    }

    private func set(
        _ type: ByteString, _ key: ByteString, _ content: JSONObject, by user: UserID, in room: RoomID, _ server: TestRooms
    ) async throws {
        let draft = EventDraft(type: type, stateKey: key, content: content, sender: user)
        try await server.rooms.existing(room).send(draft, from: EventOrigin(user: user))
    }
}
