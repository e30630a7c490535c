import Homeserver
import MatrixCore
import Persistence
import Rooms
import TestSupport
import Testing

@Suite("Sync, who comes and who goes", .timeLimit(.minutes(10)))
struct SyncMembershipTests {
    private let alice = TestRooms.user("alice")
    private let bob = TestRooms.user("bob")
    private let carol = TestRooms.user("carol")

    private func onEach(_ body: (SyncFixture) async throws -> Void) async throws {
        try await forEachDatabase { try await SyncFixture.run(on: $0, body) }
    }

    private func requester(_ user: UserID) -> MembershipRequester { MembershipRequester(user: user) }

    @Test("an invite shows the room without its events, and from an ignored user it does not show")
    func invite() async throws {
        try await onEach { server in
            let room = try await server.rooms.room(by: alice)
            let since = try await server.sync(bob).next
            try await server.rooms.membership.change(.invite, of: bob, in: room, by: requester(alice))
            let answer = try await server.sync(bob, since: since)
            let events = answer.invited(room)?["invite_state"]?["events"]?.elements.map { $0 } ?? []
            #expect(events.last?["state_key"]?.string == bob.string)
            #expect(events.last?["content"]?["membership"]?.string == "invite")
            #expect(events.contains { $0["type"]?.string == "m.room.create" })
            #expect(events.contains { $0["state_key"]?.string == alice.string })
            #expect(try await server.sync(bob).invited(room) != nil)
            let list = #"{"ignored_users":{"\#(alice)":{}}}"#
            _ = try await server.accountData.put("m.ignored_user_list", room: nil, content: Array(list.utf8), of: bob)
            #expect(try await server.sync(bob).invited(room) == nil)
        }
    }

    @Test("a room comes whole when it is joined, also when it was left and joined again in between")
    func newlyJoined() async throws {
        try await onEach { server in
            let room = try await server.rooms.room(by: alice)
            var since = try await server.sync(bob).next
            let filter = #"{"room":{"timeline":{"limit":1}}}"#
            try await server.rooms.join(bob, room)
            let first = try await server.sync(bob, since: since, filter: filter)
            #expect(first.joined(room)?.isLimited == true)
            #expect(first.joined(room)?.state().contains("m.room.create|") == true)
            #expect(first.json["device_lists"]?["changed"]?.elements.map(\.string) == [alice.string])
            since = first.next
            try await server.rooms.leave(bob, room)
            try await server.rooms.join(bob, room)
            let second = try await server.sync(bob, since: since, filter: filter)
            #expect(second.joined(room)?.state().contains("m.room.create|") == true)
            #expect(second.left(room) == nil)
        }
    }

    @Test("who leaves sees the timeline up to that and nothing later, and is told once")
    func leave() async throws {
        try await onEach { server in
            let room = try await server.rooms.room(by: alice, members: [bob])
            let since = try await server.sync(bob).next
            try await server.rooms.say("before", in: room, by: alice)
            try await server.rooms.leave(bob, room)
            try await server.rooms.say("after", in: room, by: alice)
            let answer = try await server.sync(bob, since: since)
            #expect(answer.joined(room) == nil)
            #expect(answer.left(room)?.texts == ["before", "m.room.member"])
            #expect(try await server.sync(bob, since: answer.next).isQuiet)
            #expect(try await server.sync(bob).left(room) == nil)
            let withLeft = try await server.sync(bob, filter: #"{"room":{"include_leave":true}}"#)
            #expect(withLeft.left(room)?.texts.suffix(2) == ["before", "m.room.member"])
            try await server.rooms.membership.forget(room, by: bob)
            #expect(try await server.sync(bob, filter: #"{"room":{"include_leave":true}}"#).left(room) == nil)
        }
    }

    @Test("a declined invite is told with nothing of the room")
    func decline() async throws {
        try await onEach { server in
            let room = try await server.rooms.room(by: alice)
            try await server.rooms.membership.change(.invite, of: bob, in: room, by: requester(alice))
            let since = try await server.sync(bob).next
            try await server.rooms.say("secret", in: room, by: alice)
            try await server.rooms.leave(bob, room)
            let answer = try await server.sync(bob, since: since)
            #expect(answer.left(room)?.texts == ["m.room.member"])
            #expect(answer.left(room)?.state() == [])
        }
    }

    @Test("what was said before a join shows only as far as the room's setting lets it")
    func visibility() async throws {
        try await onEach { server in
            let room = try await server.rooms.room(by: alice)
            let setting = EventDraft(
                type: "m.room.history_visibility", stateKey: "", content: Array(#"{"history_visibility":"joined"}"#.utf8), sender: alice)
            try await server.rooms.rooms.existing(room).send(setting, from: EventOrigin(user: alice))
            try await server.rooms.say("secret", in: room, by: alice)
            try await server.rooms.join(bob, room)
            try await server.rooms.say("welcome", in: room, by: alice)
            let answer = try await server.sync(bob, filter: #"{"room":{"timeline":{"limit":50}}}"#)
            let texts = answer.joined(room)?.texts ?? []
            #expect(texts.contains("welcome"))
            #expect(!texts.contains("secret"))
            #expect(
                answer.joined(room)?.state().contains("m.room.history_visibility|") == true || texts.contains("m.room.history_visibility"))
        }
    }

    @Test("lazily loaded members are those who speak, the reader and the heroes, and come once")
    func lazy() async throws {
        try await onEach { server in
            let room = try await server.rooms.room(by: alice, members: [bob, carol])
            try await server.rooms.say("hello", in: room, by: alice)
            let name = EventDraft(type: "m.room.name", stateKey: "", content: Array(#"{"name":"Den"}"#.utf8), sender: alice)
            try await server.rooms.rooms.existing(room).send(name, from: EventOrigin(user: alice))
            let filter = #"{"room":{"timeline":{"limit":2},"state":{"lazy_load_members":true}}}"#
            let first = try await server.sync(bob, filter: filter)
            #expect(first.joined(room)?.stateMembers == [alice.string, bob.string])
            #expect(first.joined(room)?["summary"]?["m.heroes"] == nil)

            try await server.rooms.say("again", in: room, by: alice)
            let second = try await server.sync(bob, since: first.next, filter: filter)
            #expect(second.joined(room)?.texts == ["again"])
            #expect(second.joined(room)?.stateMembers == [])
            try await server.rooms.say("me too", in: room, by: carol)
            let third = try await server.sync(bob, since: second.next, filter: filter)
            #expect(third.joined(room)?.stateMembers == [carol.string])
            // The response was lost: the client asks again.
            let repeated = try await server.sync(bob, since: second.next, filter: filter)
            #expect(repeated.joined(room)?.stateMembers == [carol.string])
            let redundant = #"{"room":{"state":{"lazy_load_members":true,"include_redundant_members":true}}}"#
            try await server.rooms.say("once more", in: room, by: carol)
            #expect(try await server.sync(bob, since: third.next, filter: redundant).joined(room)?.stateMembers == [carol.string])
            #expect(try await server.sync(bob, since: third.next, filter: filter).joined(room)?.stateMembers == [])
        }
    }

    @Test("messages of ignored users do not show, their state does")
    func ignored() async throws {
        try await onEach { server in
            let room = try await server.rooms.room(by: alice, members: [bob])
            let list = #"{"ignored_users":{"\#(alice)":{}}}"#
            var since = try await server.sync(bob).next
            _ = try await server.accountData.put("m.ignored_user_list", room: nil, content: Array(list.utf8), of: bob)
            let change = try await server.sync(bob, since: since)
            #expect(change.json["account_data"]?["events"]?[0]?["type"]?.string == "m.ignored_user_list")
            since = change.next
            try await server.rooms.say("hidden", in: room, by: alice)
            #expect(try await server.sync(bob, since: since, timeout: .milliseconds(100)).joined(room) == nil)
            let topic = EventDraft(type: "m.room.topic", stateKey: "", content: Array(#"{"topic":"t"}"#.utf8), sender: alice)
            try await server.rooms.rooms.existing(room).send(topic, from: EventOrigin(user: alice))
            #expect(try await server.sync(bob, since: since).joined(room)?.texts == ["m.room.topic"])
        }
    }
}
