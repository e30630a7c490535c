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
    /// What was said, by room.
    private var messages: [RoomID: [EventID]] = [:]

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
        let target = messages[room]?.randomElement(using: &generator)
        do {
            switch Int.random(in: 0..<16, using: &generator) {
            case 0...3: try await say("\(number)", in: room, by: user, server)
            case 4: try await say("\(number)", in: room, by: user, about: target, server)
            case 5:
                guard let target else { return }
                let draft = EventDraft(type: "m.room.redaction", content: [:], sender: user, redacts: target)
                try await server.rooms.existing(room).send(draft, from: EventOrigin(user: user))
            case 6...9: try await setState(in: room, by: user, number, server)
            default: try await moveSomebody(in: room, number, server)
            }
        } catch is MatrixError {
            // Who is not in the room cannot speak there: that, too, is an operation.
        }
    }

    // MARK: Messages

    /// - Parameter target: what the message is an edit of, a reaction to, or a part of a thread of.
    private mutating func say(
        _ text: String, in room: RoomID, by user: UserID, about target: EventID? = nil, _ server: TestRooms
    ) async throws {
        let type = ["m.replace", "m.thread", "m.annotation"].randomElement(using: &generator) ?? "m.thread"
        let relation = target.map { target -> JSONValue in
            ["rel_type": .string(type), "event_id": .string(target.string), "key": .string(text)]
        }
        messages[room, default: []].append(try await server.say(text, in: room, by: user, relatesTo: relation))
    }

    // MARK: State

    private func setState(in room: RoomID, by user: UserID, _ number: Int, _ server: TestRooms) async throws {
        switch number % 4 {
        case 0: try await set("m.room.topic", "", ["topic": .string("\(number)")], by: Self.alice, in: room, server)
        case 1:
            try await set(
                ByteString("com.example.\(number % 3)"), ByteString("\(number / 4 % 2)"), ["n": .int(Int64(number))], by: Self.alice,
                in: room, server)
        case 2:
            let content: JSONObject = ["membership": "join", "displayname": .string("\(user) \(number)")]
            guard try await server.rooms.existing(room).current.membership(of: user) == .join else { return }
            try await set("m.room.member", ByteString(user.string), content, by: user, in: room, server)
        default:
            let setting = ["shared", "invited", "joined", "world_readable"][number / 4 % 4]
            try await set("m.room.history_visibility", "", ["history_visibility": .string(setting)], by: Self.alice, in: room, server)
        }
    }

    private func set(
        _ type: ByteString, _ key: ByteString, _ content: JSONObject, by user: UserID, in room: RoomID, _ server: TestRooms
    ) async throws {
        let draft = EventDraft(type: type, stateKey: key, content: content, sender: user)
        try await server.rooms.existing(room).send(draft, from: EventOrigin(user: user))
    }

    // MARK: Members

    private func moveSomebody(in room: RoomID, _ number: Int, _ server: TestRooms) async throws {
        let guest = number % 2 == 0 ? Self.bob : Self.carol
        switch number / 2 % 6 {
        case 0: try await server.leave(guest, room)
        case 1, 2: try await server.join(guest, room)
        case 3: try await server.membership.change(.leave, of: guest, in: room, by: MembershipRequester(user: Self.alice))
        case 4: try await server.membership.change(.invite, of: guest, in: room, by: MembershipRequester(user: Self.alice))
        default: try await server.membership.change(.ban, of: guest, in: room, by: MembershipRequester(user: Self.alice))
        }
    }
}
