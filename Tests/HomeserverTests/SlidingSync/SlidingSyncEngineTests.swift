import Homeserver
import MatrixCore
import Persistence
import Rooms
import TestSupport
import Testing

@Suite("Sliding sync", .timeLimit(.minutes(10)))
struct SlidingSyncEngineTests {
    private let alice = TestRooms.user("alice")
    private let bob = TestRooms.user("bob")
    private let carol = TestRooms.user("carol")

    private func onEach(_ body: (SlidingFixture) async throws -> Void) async throws {
        try await forEachDatabase { try await SlidingFixture.run(on: $0, body) }
    }

    @Test("a new connection gets the rooms in its window as they are, and then what is new")
    func windowAndNews() async throws {
        try await onEach { sliding in
            let rooms = sliding.server.rooms
            let first = try await rooms.room(by: alice, members: [bob])
            let second = try await rooms.room(by: alice, members: [bob])
            try await rooms.say("hello", in: first, by: alice)
            let begin = try await sliding.ask(bob, SlidingFixture.list("[[0, 0]]"))
            #expect(begin.count == 2)
            #expect(begin.order == [first.string])
            #expect(begin.rooms == [first.string])
            let room = try #require(begin.room(first))
            #expect(room["initial"]?.bool == true)
            #expect(room.bodies.last == "hello")
            #expect(room["limited"]?.bool == true)
            #expect(room["num_live"]?.int == 0)
            #expect(room["joined_count"]?.int == 2)
            #expect(room["heroes"]?[0]?["user_id"]?.string == alice.string)

            // A room comes into the window because something happens in it.
            try await rooms.say("over here", in: second, by: alice)
            let next = try await sliding.ask(bob, pos: begin.pos, SlidingFixture.list("[[0, 0]]"))
            #expect(next.order == [second.string])
            #expect(next.rooms == [second.string])
            #expect(next.room(second)?["initial"]?.bool == true)
            #expect(next.room(second)?["num_live"]?.int == 1)

            // What happened in the other room while it was out of sight is not lost.
            try await rooms.say("again", in: first, by: alice)
            let last = try await sliding.ask(bob, pos: next.pos, SlidingFixture.list("[[0, 0]]"))
            #expect(last.room(first)?.bodies == ["again"])
            #expect(last.room(first)?["initial"] == nil)
            #expect(last.room(first)?["bump_stamp"]?.int != nil)
            #expect(try await sliding.ask(bob, pos: last.pos, SlidingFixture.list("[[0, 0]]")).rooms.isEmpty)
        }
    }

    @Test("a client that asks again from the same position gets the same again")
    func repeating() async throws {
        try await onEach { sliding in
            let rooms = sliding.server.rooms
            let room = try await rooms.room(by: alice, members: [bob])
            let begin = try await sliding.ask(bob)
            try await rooms.say("one", in: room, by: alice)
            let lost = try await sliding.ask(bob, pos: begin.pos)
            let again = try await sliding.ask(bob, pos: begin.pos)
            #expect(lost.room(room)?.bodies == ["one"])
            #expect(again.room(room)?.bodies == ["one"])
            #expect(try await sliding.ask(bob, pos: again.pos).rooms.isEmpty)
            await #expect(throws: MatrixError.unknownPosition) { try await sliding.ask(bob, pos: begin.pos) }
        }
    }

    @Test("a restart changes nothing that a client sees; after a crash it gets at least what it lacks")
    func restarting() async throws {
        try await onEach { sliding in
            let rooms = sliding.server.rooms
            let room = try await rooms.room(by: alice, members: [bob])
            let begin = try await sliding.ask(bob)
            try await rooms.say("one", in: room, by: alice)
            let second = try await sliding.ask(bob, pos: begin.pos)
            await sliding.connections.store()
            try await rooms.say("two", in: room, by: alice)
            let restarted = sliding.restarted
            let third = try await restarted.ask(bob, pos: second.pos)
            #expect(third.room(room)?.bodies == ["two"])
            #expect(third.room(room)?["initial"] == nil)
            // Killed: the answers since were not stored.
            try await rooms.say("three", in: room, by: alice)
            let fourth = try await restarted.ask(bob, pos: third.pos)
            try await rooms.say("four", in: room, by: alice)
            let fifth = try await restarted.restarted.ask(bob, pos: fourth.pos)
            #expect(fifth.room(room)?.bodies.suffix(1) == ["four"])
            await #expect(throws: MatrixError.unknownPosition) { try await sliding.ask(self.bob, pos: "7-1/s1") }
        }
    }

    @Test("required state: by name, as one's own, lazily for the timeline, and what is asked for in addition")
    func requiredState() async throws {
        try await onEach { sliding in
            let rooms = sliding.server.rooms
            let room = try await rooms.room(by: alice, members: [bob, carol])
            try await rooms.say("hi", in: room, by: alice)
            func body(_ required: String) -> String { SlidingFixture.list("[[0, 9]]", required: required, limit: 1) }
            let lazy = #"[["m.room.create", ""], ["m.room.member", "$ME"], ["m.room.member", "$LAZY"]]"#
            let begin = try await sliding.ask(bob, body(lazy))
            #expect(
                begin.room(room)?.required
                    == ["m.room.create|", "m.room.member|\(bob.string)", "m.room.member|\(alice.string)"])
            try await rooms.say("alice again", in: room, by: alice)
            let second = try await sliding.ask(bob, pos: begin.pos, body(lazy))
            #expect(second.room(room)?.required == [])
            try await rooms.say("carol", in: room, by: carol)
            let third = try await sliding.ask(bob, pos: second.pos, body(lazy))
            #expect(third.room(room)?.required == ["m.room.member|\(carol.string)"])
            let wider = #"[["m.room.create", ""], ["m.room.join_rules", ""], ["m.room.member", "$ME"], ["m.room.member", "$LAZY"]]"#
            let fourth = try await sliding.ask(bob, pos: third.pos, body(wider))
            #expect(fourth.room(room)?.required == ["m.room.join_rules|"])
            #expect(fourth.room(room)?.bodies == [])
            let fifth = try await sliding.ask(bob, pos: fourth.pos, body(lazy))
            let sixth = try await sliding.ask(bob, pos: fifth.pos, body(wider))
            #expect(fifth.rooms.isEmpty)
            #expect(sixth.rooms.isEmpty)
        }
    }

    @Test("a larger timeline limit brings the past")
    func expanding() async throws {
        try await onEach { sliding in
            let rooms = sliding.server.rooms
            let room = try await rooms.room(by: alice, members: [bob])
            for text in ["1", "2", "3"] { try await rooms.say(text, in: room, by: alice) }
            let begin = try await sliding.ask(bob, SlidingFixture.list("[[0, 9]]", limit: 1))
            #expect(begin.room(room)?.bodies == ["3"])
            let more = try await sliding.ask(bob, pos: begin.pos, SlidingFixture.list("[[0, 9]]", limit: 3))
            #expect(more.room(room)?.bodies == ["1", "2", "3"])
            #expect(more.room(room)?["unstable_expanded_timeline"]?.bool == true)
            #expect(more.room(room)?["initial"] == nil)
            #expect(try await sliding.ask(bob, pos: more.pos, SlidingFixture.list("[[0, 9]]", limit: 3)).rooms.isEmpty)
        }
    }

    @Test("a room that was left is told once; coming back it is a new room")
    func leaving() async throws {
        try await onEach { sliding in
            let rooms = sliding.server.rooms
            let room = try await rooms.room(by: alice, members: [bob])
            let begin = try await sliding.ask(bob)
            try await rooms.leave(bob, room)
            let left = try await sliding.ask(bob, pos: begin.pos)
            #expect(left.count == 1)
            #expect(left.room(room)?["timeline"]?.elements.map { $0["state_key"]?.string }.last == bob.string)
            let after = try await sliding.ask(bob, pos: left.pos)
            #expect(after.count == 0)
            #expect(after.rooms.isEmpty)
            try await rooms.join(bob, room)
            let back = try await sliding.ask(bob, pos: after.pos)
            #expect(back.count == 1)
            #expect(back.room(room)?["initial"]?.bool == true)
        }
    }

    @Test("a room beyond the end of the window is sent when the list becomes short enough")
    func shrinkingList() async throws {
        try await onEach { sliding in
            let rooms = sliding.server.rooms
            let first = try await rooms.room(by: alice, members: [bob])
            let second = try await rooms.room(by: alice, members: [bob])
            let third = try await rooms.room(by: alice, members: [bob])
            let body = SlidingFixture.list("[[0, 1]]")
            let begin = try await sliding.ask(bob, body)
            #expect(begin.rooms == [second.string, third.string])
            try await rooms.leave(bob, third)
            let left = try await sliding.ask(bob, pos: begin.pos, body)
            let after = try await sliding.ask(bob, pos: left.pos, body)
            #expect(left.rooms.union(after.rooms).contains(first.string))
            #expect(after.order.sorted() == [first.string, second.string].sorted())
        }
    }

    @Test("a waiting client is answered when something happens in its window, and only then")
    func waiting() async throws {
        try await onEach { sliding in
            let rooms = sliding.server.rooms
            let room = try await rooms.room(by: alice, members: [bob])
            let begin = try await sliding.ask(bob)
            let waiting = Task { try await sliding.ask(bob, pos: begin.pos, timeout: .seconds(20)) }
            try await Task.sleep(for: .milliseconds(50))
            try await sliding.server.typing.start(alice, in: room, for: .seconds(5))
            try await rooms.say("now", in: room, by: alice)
            #expect(try await waiting.value.room(room)?.bodies == ["now"])
            let quiet = try await sliding.ask(bob, pos: begin.pos, timeout: .milliseconds(1))
            #expect(quiet.room(room)?.bodies == ["now"])
        }
    }

    @Test("receipts, typing and account data come for the rooms in view, and what was missed out of view comes later")
    func extensions() async throws {
        try await onEach { sliding in
            let rooms = sliding.server.rooms
            let extensions =
                #"{"receipts": {"enabled": true}, "typing": {"enabled": true}, "account_data": {"enabled": true}}"#
            let body = SlidingFixture.list("[[0, 0]]", extensions: extensions)
            let first = try await rooms.room(by: alice, members: [bob])
            let event = try await rooms.say("read me", in: first, by: bob)
            let begin = try await sliding.ask(bob, body)
            let global = begin.json["extensions"]?["account_data"]?["global"]?.elements.map { $0["type"]?.string ?? "" } ?? []
            #expect(global.contains("m.push_rules"))
            try await sliding.server.receipts.send(.read, at: event, thread: nil, in: first, by: alice)
            try await sliding.server.typing.start(alice, in: first, for: .seconds(20))
            let next = try await sliding.ask(bob, pos: begin.pos, body)
            #expect(next.json["extensions"]?["receipts"]?["rooms"]?[first.string]?["content"]?[event.string] != nil)
            #expect(next.json["extensions"]?["typing"]?["rooms"]?[first.string]?["content"]?["user_ids"]?[0]?.string == alice.string)
            #expect(next.rooms.isEmpty)

            // Another room takes the window; account data of the first one is set meanwhile.
            let second = try await rooms.room(by: alice, members: [bob])
            try await sliding.server.accountData.put("org.example", room: first, content: Array(#"{"a":1}"#.utf8), of: bob)
            let away = try await sliding.ask(bob, pos: next.pos, body)
            #expect(away.rooms == [second.string])
            #expect(away.json["extensions"]?["account_data"]?["rooms"]?[first.string] == nil)
            try await rooms.say("back", in: first, by: alice)
            let back = try await sliding.ask(bob, pos: away.pos, body)
            #expect(back.json["extensions"]?["account_data"]?["rooms"]?[first.string]?[0]?["content"]?["a"]?.int == 1)
        }
    }
}
