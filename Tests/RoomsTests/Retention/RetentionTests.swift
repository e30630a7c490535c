// How long messages are kept: shown, and stored.

import MatrixCore
import Persistence
import Rooms
import TestSupport
import Testing

@Suite("Retention of messages")
struct RetentionTests {
    private static let alice = RoomsFixture.alice, bob = RoomsFixture.bob
    private static let day: Int64 = 86_400_000

    private func history(_ fixture: RoomsFixture, isEnabled: Bool = true, standard: Int64? = nil) -> RoomHistory {
        RoomHistory(
            rooms: fixture.rooms, events: fixture.events,
            retention: RetentionRules(isEnabled: isEnabled, standard: RetentionPolicy(maxLifetime: standard)))
    }

    private func texts(_ history: RoomHistory, _ room: Room) async throws -> (messages: [String], states: Int) {
        let view = try await history.view(of: room.id, for: Self.alice)
        let page = try await history.page(of: view, .forwards, from: nil, to: nil, limit: 1000, filter: .everything)
        return (page.events.filter { !$0.event.isState }.map(\.event.text), page.events.filter(\.event.isState).count)
    }

    @Test("a message that has outlived the room's policy is shown to nobody; state is", arguments: DatabaseKind.allCases)
    func policyOfTheRoom(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let fixture = try await RoomsFixture(database)
            let room = try await fixture.room()
            try await fixture.setState("m.room.topic", ["topic": "old"], in: room)
            let id = try await fixture.say("old", in: room)
            try await fixture.setState("m.room.retention", ["max_lifetime": 1], in: room)
            try await Task.sleep(for: .milliseconds(20))
            let found = try await texts(history(fixture), room)
            #expect(found.messages == [])
            #expect(found.states > 1)
            let view = try await history(fixture).view(of: room.id, for: Self.alice)
            await #expect(throws: MatrixError.self) { try await history(fixture).event(id, in: view) }
            // The operator has not asked for it.
            #expect(try await texts(history(fixture, isEnabled: false), room).messages == ["old"])
            // Another policy counts at once, and the operator's where the room has none.
            try await fixture.setState("m.room.retention", ["max_lifetime": .int(Self.day)], in: room)
            #expect(try await texts(history(fixture), room).messages == ["old"])
            #expect(try await texts(history(fixture, standard: 1), room).messages == ["old"])
            try await fixture.setState("m.room.retention", [:], in: room)
            try await Task.sleep(for: .milliseconds(20))
            #expect(try await texts(history(fixture, standard: 1), room).messages == [])
        }
    }

    @Test(
        "a policy that makes no sense is refused",
        arguments: [
            ["max_lifetime": "1d"], ["min_lifetime": 1.5], ["min_lifetime": 2, "max_lifetime": 1],
        ] as [JSONObject])
    func refused(content: JSONObject) async throws {
        try await withDatabase(.sqlite) { database in
            let fixture = try await RoomsFixture(database)
            let room = try await fixture.room()
            #expect(try await errorCode { try await fixture.setState("m.room.retention", content, in: room) } == "M_BAD_JSON")
        }
    }

    @Test("what is purged is gone from every table; state, the newest event and younger messages stay", arguments: DatabaseKind.allCases)
    func purge(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let fixture = try await RoomsFixture(database)
            let room = try await fixture.room(members: [Self.bob])
            let root = try await fixture.say("root", in: room)
            for number in 0..<3 { try await fixture.say("reply \(number)", in: room, by: Self.bob, relation("m.thread", root)) }
            let redacted = try await fixture.say("redacted", in: room)
            try await fixture.redact(redacted, in: room)
            try await Task.sleep(for: .milliseconds(5))
            let time = Timestamp.now
            try await Task.sleep(for: .milliseconds(5))
            try await fixture.say("late reply", in: room, relation("m.thread", root))
            try await fixture.say("young", in: room)
            let before = try await fixture.timeline(of: room)

            let purge = MessagePurge(environment: fixture.rooms.environment)
            #expect(try await purge.purge(room.nid, sentBefore: time) == 6)
            for fixture in [fixture, try await RoomsFixture(database)] {
                let room = try await fixture.rooms.existing(room.id)
                let after = try await fixture.timeline(of: room)
                #expect(after.filter { !$0.isState }.map(\.text) == ["late reply", "young"])
                #expect(after.filter(\.isState).map(\.id) == before.filter(\.isState).map(\.id))
            }
            let (relations, thread) = try await database.read { connection in
                (
                    try connection.rows("SELECT event_nid FROM relations") { $0.int(0) },
                    try connection.rows("SELECT t.reply_count, p.user_id, p.reply_count FROM threads t, thread_participants p") {
                        "\($0.int(0)) \($0.text(1)) \($0.int(2))"
                    }
                )
            }
            #expect(relations.count == 1)
            #expect(thread == ["1 \(Self.alice) 1"])

            // All are old by now, but the room must go on from its newest event.
            try await Task.sleep(for: .milliseconds(5))
            #expect(try await purge.purge(room.nid, sentBefore: .now) == 1)
            #expect(try await fixture.timeline(of: room).filter { !$0.isState }.map(\.text) == ["young"])
            try await fixture.say("next", in: room)
            #expect(try await fixture.timeline(of: room).last?.text == "next")
        }
    }
}
