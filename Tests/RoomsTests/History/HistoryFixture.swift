// What the tests of rooms' histories have in common.

import MatrixCore
import Persistence
import Rooms

extension RoomsFixture {
    var history: RoomHistory { RoomHistory(rooms: rooms, events: events) }

    func view(_ room: Room, _ user: UserID = RoomsFixture.alice, ignoring: Set<UserID> = []) async throws -> RoomView {
        try await history.view(of: room.id, for: user, ignoring: ignoring)
    }

    @discardableResult
    func say(_ text: String, in room: Room, by user: UserID = RoomsFixture.alice, _ relation: JSONValue? = nil) async throws -> EventID {
        var content: JSONObject = ["msgtype": "m.text", "body": .string(text)]
        content["m.relates_to"] = relation
        return try await room.send(EventDraft(type: "m.room.message", content: content, sender: user), from: EventOrigin(user: user))
    }

    @discardableResult
    func react(_ key: String, to target: EventID, in room: Room, by user: UserID = RoomsFixture.alice) async throws -> EventID {
        let content: JSONObject = ["m.relates_to": relation("m.annotation", target, key: key)]
        return try await room.send(EventDraft(type: "m.reaction", content: content, sender: user), from: EventOrigin(user: user))
    }

    @discardableResult
    func edit(_ target: EventID, to text: String, in room: Room, by user: UserID = RoomsFixture.alice) async throws -> EventID {
        let content: JSONObject = [
            "msgtype": "m.text", "body": .string("* " + text), "m.new_content": ["msgtype": "m.text", "body": .string(text)],
            "m.relates_to": relation("m.replace", target),
        ]
        return try await room.send(EventDraft(type: "m.room.message", content: content, sender: user), from: EventOrigin(user: user))
    }

    @discardableResult
    func redact(_ target: EventID, in room: Room, by user: UserID = RoomsFixture.alice) async throws -> EventID {
        try await room.send(
            EventDraft(type: "m.room.redaction", content: [:], sender: user, redacts: target), from: EventOrigin(user: user))
    }

    func setState(_ type: ByteString, _ content: JSONObject, in room: Room, by user: UserID = RoomsFixture.alice) async throws {
        try await room.send(EventDraft(type: type, stateKey: "", content: content, sender: user), from: EventOrigin(user: user))
    }

    func leave(_ user: UserID, _ room: Room) async throws {
        try await membership.change(.leave, of: user, in: room.id, by: MembershipRequester(user: user))
    }

    /// The texts of the messages that the user can page to, newest first.
    func texts(_ room: Room, _ user: UserID, ignoring: Set<UserID> = [], pageSize: Int = 3) async throws -> [String] {
        let view = try await view(room, user, ignoring: ignoring)
        var found: [String] = []
        var start: StreamPosition?
        repeat {
            let page = try await history.page(of: view, .backwards, from: start, to: nil, limit: pageSize, filter: .everything)
            found += page.events.compactMap { $0.event.type == "m.room.message" ? $0.event.text : nil }
            start = page.next
        } while start != nil
        return found
    }
}

func relation(_ type: String, _ target: EventID, key: String? = nil) -> JSONValue {
    var relation: JSONObject = ["rel_type": .string(type), "event_id": .string(target.string)]
    relation["key"] = key.map { .string($0) }
    return .object(relation)
}

extension TimelineEvent {
    var text: String { contentIfReadable?["body"]?.string ?? "" }
}
