import Homeserver
import MatrixCore
import Persistence
import Rooms
import TestSupport
import Testing

@Suite("Unread counts", .timeLimit(.minutes(10)))
struct UnreadServiceTests {
    private let alice = TestRooms.user("alice")
    private let bob = TestRooms.user("bob")

    private func onEach(_ body: (SyncFixture) async throws -> Void) async throws {
        try await forEachDatabase { try await SyncFixture.run(on: $0, body) }
    }

    /// `notification_count/highlight_count` of a room in a response.
    private func counts(_ response: SyncResponse, _ room: RoomID) -> String? {
        response.joined(room)?["unread_notifications"].flatMap(text)
    }

    private func text(_ counts: JSON) -> String? {
        guard let notifications = counts["notification_count"]?.int, let highlights = counts["highlight_count"]?.int else { return nil }
        return "\(notifications)/\(highlights)"
    }

    private let threadFilter = #"{"room":{"timeline":{"unread_thread_notifications":true}}}"#

    @Test("messages of others count after the join, own ones do not, and a receipt reads them")
    func messages() async throws {
        try await onEach { server in
            let room = try await server.rooms.room(by: alice)
            try await server.rooms.say("before bob came", in: room, by: alice)
            try await server.rooms.join(bob, room)
            let first = try await server.rooms.say("1", in: room, by: alice)
            try await server.rooms.say("2", in: room, by: alice)
            #expect(try await counts(server.sync(bob), room) == "2/0")
            #expect(try await counts(server.sync(alice), room) == "0/0")
            try await server.receipts.send(.read, at: first, thread: nil, in: room, by: bob)
            let answer = try await server.sync(bob)
            #expect(counts(answer, room) == "1/0")
            try await server.rooms.say("3", in: room, by: alice)
            #expect(try await counts(server.sync(bob, since: answer.next), room) == "2/0")
        }
    }

    @Test("sending reads what came before, in the same thread")
    func sending() async throws {
        try await onEach { server in
            let room = try await server.rooms.room(by: alice, members: [bob])
            let root = try await server.rooms.say("root", in: room, by: alice)
            try await server.rooms.say(
                "in thread", in: room, by: alice, relatesTo: ["rel_type": "m.thread", "event_id": .string(root.string)])
            #expect(try await counts(server.sync(bob), room) == "2/0")
            try await server.rooms.say("answer", in: room, by: bob)
            let section = try #require(try await server.sync(bob, filter: threadFilter).joined(room))
            #expect(section["unread_notifications"].flatMap(text) == "0/0")
            #expect(section["unread_thread_notifications"]?[root.string].flatMap(text) == "1/0")
        }
    }

    @Test("threads have counters of their own for clients that ask for them")
    func threads() async throws {
        try await onEach { server in
            let room = try await server.rooms.room(by: alice, members: [bob])
            let root = try await server.rooms.say("root", in: room, by: alice)
            let relation: JSONValue = ["rel_type": "m.thread", "event_id": .string(root.string)]
            let inThread = try await server.rooms.say("reply", in: room, by: alice, relatesTo: relation)
            let together = try #require(try await server.sync(bob).joined(room))
            #expect(together["unread_notifications"].flatMap(text) == "2/0")
            #expect(together["unread_thread_notifications"] == nil)
            try await server.receipts.send(.readPrivate, at: root, thread: "main", in: room, by: bob)
            let apart = try #require(try await server.sync(bob, filter: threadFilter).joined(room))
            #expect(apart["unread_notifications"].flatMap(text) == "0/0")
            #expect(apart["unread_thread_notifications"]?[root.string].flatMap(text) == "1/0")
            let since = try await server.sync(bob, filter: threadFilter).next
            try await server.receipts.send(.read, at: inThread, thread: root.text, in: room, by: bob)
            let read = try #require(try await server.sync(bob, since: since, filter: threadFilter).joined(room))
            #expect(read["unread_notifications"].flatMap(text) == "0/0")
            #expect(read["unread_thread_notifications"] == nil)
        }
    }

    @Test("what push rules say counts: mentions, notices, mutes, ignored users, redactions")
    func rules() async throws {
        try await onEach { server in
            let room = try await server.rooms.room(by: alice, members: [bob])
            func send(_ content: JSONObject, by user: UserID) async throws -> EventID {
                var writer = JSONWriter()
                writer.value(.object(content))
                let draft = EventDraft(type: "m.room.message", stateKey: nil, content: writer.bytes, sender: user, redacts: nil)
                return try await server.rooms.rooms.existing(room).send(draft, from: EventOrigin(user: user))
            }
            _ = try await send(["msgtype": "m.notice", "body": "a robot"], by: alice)
            let mention = try await send(
                ["msgtype": "m.text", "body": "bob!", "m.mentions": ["user_ids": [.string(bob.string)]]], by: alice)
            #expect(try await counts(server.sync(bob), room) == "1/1")
            let redaction = EventDraft(
                type: "m.room.redaction", stateKey: nil, content: Array(#"{"redacts":"\#(mention)"}"#.utf8), sender: alice,
                redacts: mention)
            try await server.rooms.rooms.existing(room).send(redaction, from: EventOrigin(user: alice))
            #expect(try await counts(server.sync(bob), room) == "0/0")

            let carol = TestRooms.user("carol")
            try await server.rooms.join(carol, room)
            try await server.accountData.put(
                "m.ignored_user_list", room: nil, content: Array(#"{"ignored_users":{"\#(carol)":{}}}"#.utf8), of: bob)
            try await server.rooms.say("nobody hears me", in: room, by: carol)
            #expect(try await counts(server.sync(bob), room) == "0/0")

            let mute = try PushRule(.room, id: room.text, json: JSONDocument(parsing: Array(#"{"actions":[]}"#.utf8)).root)
            try await server.pushRules.put(mute, at: .mostImportant, for: bob)
            try await server.rooms.say("muted", in: room, by: alice)
            #expect(try await counts(server.sync(bob), room) == "0/0")
        }
    }

    @Test("a change of the rules leaves what was counted, also over a restart")
    func restart() async throws {
        try await forEachDatabase { database in
            nonisolated(unsafe) var room: RoomID?
            try await SyncFixture.run(on: database) { server in
                let made = try await server.rooms.room(by: alice, members: [bob])
                room = made
                for number in 1...70 { try await server.rooms.say("\(number)", in: made, by: alice) }
                #expect(try await counts(server.sync(bob), made) == "70/0")
                await server.unread.save()
                await server.rooms.journal.stop()
            }
            let known = try #require(room)
            try await SyncFixture.run(on: database) { server in
                let mute = try PushRule(.room, id: known.text, json: JSONDocument(parsing: Array(#"{"actions":[]}"#.utf8)).root)
                try await server.pushRules.put(mute, at: .mostImportant, for: bob)
                try await server.rooms.say("muted", in: known, by: alice)
                #expect(try await counts(server.sync(bob), known) == "70/0")
            }
        }
    }

    @Test("a receipt that this client does not want to see brings no room, as with Synapse; the counts come with what happens next")
    func countsAlone() async throws {
        try await onEach { server in
            let room = try await server.rooms.room(by: alice, members: [bob])
            let event = try await server.rooms.say("1", in: room, by: alice)
            let filter = #"{"room":{"ephemeral":{"types":[]}}}"#
            let since = try await server.sync(bob, filter: filter).next
            try await server.receipts.send(.read, at: event, thread: nil, in: room, by: bob)
            let quiet = try await server.sync(bob, since: since, filter: filter)
            #expect(quiet.joined(room) == nil)
            try await server.rooms.say("2", in: room, by: alice)
            #expect(try await counts(server.sync(bob, since: quiet.next, filter: filter), room) == "1/0")
        }
    }

    @Test("who leaves and comes back begins with nothing unread")
    func comingBack() async throws {
        try await onEach { server in
            let room = try await server.rooms.room(by: alice, members: [bob])
            try await server.rooms.say("1", in: room, by: alice)
            #expect(try await counts(server.sync(bob), room) == "1/0")
            try await server.rooms.leave(bob, room)
            try await server.rooms.say("2", in: room, by: alice)
            try await server.rooms.join(bob, room)
            try await server.rooms.say("3", in: room, by: alice)
            #expect(try await counts(server.sync(bob), room) == "1/0")
        }
    }

    @Test("the list of notifications is newest first, in pages, and says what is read")
    func notifications() async throws {
        try await onEach { server in
            let one = try await server.rooms.room(by: alice, members: [bob])
            let two = try await server.rooms.room(by: alice, members: [bob])
            var sent: [EventID] = []
            for number in 1...6 {
                sent.append(try await server.rooms.say("\(number)", in: number % 2 == 0 ? one : two, by: alice))
            }
            try await server.receipts.send(.read, at: sent[3], thread: nil, in: one, by: bob)
            var found: [(EventID, Bool)] = []
            var before: StreamPosition?
            repeat {
                let page = try await server.notifications.page(of: bob, before: before, limit: 4, onlyHighlights: false)
                found += page.notifications.map { ($0.event.id, $0.isRead) }
                #expect(page.notifications.allSatisfy { $0.actions.first == "notify" })
                before = page.next
            } while before != nil
            #expect(found.map(\.0) == sent.reversed())
            #expect(found.map(\.1) == [false, false, true, false, true, false])
            #expect(try await server.notifications.page(of: bob, before: nil, limit: 4, onlyHighlights: true).notifications.isEmpty)
            #expect(try await server.notifications.page(of: alice, before: nil, limit: 4, onlyHighlights: false).notifications.isEmpty)
        }
    }
}
