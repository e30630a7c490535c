// What other servers tell, and what of it is taken in.

import Federation
import Homeserver
import MatrixCore
import Persistence
import Rooms
import ServerConfiguration
import TestSupport
import Testing

@Suite("What other servers tell", .timeLimit(.minutes(10)))
struct IncomingEDUTests {
    private let alice = TestRooms.user("alice")
    private let bob = TestRooms.user("bob")
    private let rita = OtherServer.user("rita")
    private let remo = OtherServer.user("remo")
    private let other = OtherServer.name
    private let third = ServerName(trusted: "third.example")

    /// A server with a room of Alice, Bob and Rita; Remo is in none.
    private func withRoom(_ body: (SyncFixture, IncomingEDUs, RoomID) async throws -> Void) async throws {
        try await forEachDatabase { database in
            try await SyncFixture.run(on: database) { server in
                let room = try await server.rooms.room(by: alice, members: [bob])
                try await server.rooms.move(rita, to: .join, in: room)
                try await body(server, receiver(server), room)
            }
        }
    }

    private func receiver(_ server: SyncFixture) -> IncomingEDUs {
        let (database, journal) = (server.rooms.database, server.rooms.journal)
        let shared = SharedRooms(database: database, serverName: TestRooms.serverName)
        let lists = RemoteDeviceLists(
            database: database, journal: journal, source: OtherServer(), sharedRooms: shared, logger: DatabaseFixture.logger)
        let gate = RoomGate(rooms: server.rooms.rooms)
        var limits = RateLimits.none
        limits.keyRequests = RateLimit(0.001, 2)
        return IncomingEDUs(
            [
                TypingEDU(gate: gate, typing: server.typing), ReceiptEDU(gate: gate, receipts: server.receipts),
                PresenceEDU(presence: server.presence, sharedRooms: shared),
                DirectToDeviceEDU(toDevice: server.toDevice, lists: lists, rateLimits: RateLimiter(limits)),
                DeviceListEDU(lists: lists), SigningKeyEDU(lists: lists),
            ], logger: DatabaseFixture.logger)
    }

    private func deny(_ server: ServerName, in room: RoomID, _ fixture: SyncFixture) async throws {
        try await fixture.rooms.rooms.existing(room).send(
            EventDraft(
                type: "m.room.server_acl", stateKey: "", content: ["allow": ["*"], "deny": [.string(server.string)]], sender: alice),
            from: EventOrigin(user: alice))
    }

    private func tell(
        _ type: ByteString, _ content: String, from origin: ServerName? = nil, to receiver: IncomingEDUs
    ) async throws {
        try await receiver.receive(EDU(type: type, content: json(content)), from: origin ?? other)
    }

    // MARK: Typing

    @Test("who types in a room where they are is shown, if their own server says so")
    func typing() async throws {
        try await withRoom { server, receiver, room in
            func tell(_ user: UserID, _ isTyping: String = "true", in place: RoomID? = nil, from origin: ServerName? = nil) async throws {
                try await self.tell(
                    "m.typing", #"{"room_id":"\#(place ?? room)","user_id":"\#(user)","typing":\#(isTyping)}"#, from: origin, to: receiver)
            }
            let elsewhere = try await server.rooms.room(by: bob)
            for refused in [bob, remo] { try await tell(refused) }
            try await tell(rita, from: third)
            try await tell(rita, in: elsewhere)
            try await tell(rita, in: RoomID(trusted: "!nowhere:test"))
            try await tell(rita, #""yes""#)
            #expect(server.typing.state(in: room).users == [])
            #expect(server.typing.state(in: elsewhere).users == [])
            try await tell(rita)
            #expect(server.typing.state(in: room).users == [rita])
            let shown = try await server.sync(alice).json["rooms"]?["join"]?[room.string]?["ephemeral"]?["events"]?.elements.first {
                $0["type"]?.isString("m.typing") == true
            }
            #expect(shown?["content"]?["user_ids"]?[0]?.isString(rita.string) == true)
            try await tell(rita, "false")
            #expect(server.typing.state(in: room).users == [])
            try await deny(other, in: room, server)
            try await tell(rita)
            #expect(server.typing.state(in: room).users == [])
        }
    }

    // MARK: Receipts

    private func receipt(_ user: UserID, at event: EventID, in room: RoomID, type: String = "m.read", data: String = #"{"ts":7}"#) -> String
    {
        #"{"\#(room)":{"\#(type)":{"\#(user)":{"event_ids":["\#(event)"],"data":\#(data)}}}}"#
    }

    /// `USER EVENT TIME [THREAD]` of each receipt that Alice is told of.
    private func receipts(_ server: SyncFixture, _ room: RoomID) async throws -> [String] {
        let contents = try await server.receipts.receipts(in: [room], for: alice, after: nil, upTo: server.rooms.journal.position)
        guard let content = contents[room] else { return [] }
        var found: [String] = []
        for (event, types) in try JSONDocument(parsing: content).root.members {
            for (_, users) in types.members {
                for (user, data) in users.members {
                    found.append("\(user) \(event) \(data["ts"]?.int ?? 0) \(data["thread_id"]?.string ?? "")")
                }
            }
        }
        return found.sorted()
    }

    @Test("receipts are shown as those of this server's users, and move forward only")
    func receiptsForward() async throws {
        try await withRoom { server, receiver, room in
            let first = try await server.rooms.say("1", in: room, by: alice)
            let second = try await server.rooms.say("2", in: room, by: alice)
            try await tell("m.receipt", receipt(rita, at: first, in: room), to: receiver)
            #expect(try await receipts(server, room) == ["\(rita) \(first) 7 "])
            let since = try await server.sync(alice).next
            try await tell(
                "m.receipt", receipt(rita, at: second, in: room, data: #"{"ts":99999999999999,"thread_id":"main"}"#), to: receiver)
            try await tell("m.receipt", receipt(rita, at: second, in: room), to: receiver)
            try await tell("m.receipt", receipt(rita, at: first, in: room), to: receiver)
            let told = try await server.sync(alice, since: since).joined(room)?["ephemeral"]?["events"]?[0]?["content"]
            #expect(told?[second.text]?["m.read"]?[rita.text] != nil)
            #expect(told?[first.text] == nil)
            // Nobody's unread counts are touched by what others read.
            #expect(try await server.sync(bob).joined(room)?["unread_notifications"]?["notification_count"]?.int == 2)
        }
    }

    @Test("what is no receipt of a member by their own server is dropped, and the rest of it is not")
    func receiptsRefused() async throws {
        try await withRoom { server, receiver, room in
            let event = try await server.rooms.say("1", in: room, by: alice)
            let elsewhere = try await server.rooms.room(by: bob)
            let strange = try await server.rooms.say("2", in: elsewhere, by: bob)
            for refused in [
                receipt(bob, at: event, in: room), receipt(remo, at: event, in: room),
                receipt(rita, at: event, in: room, type: "m.read.private"),
                receipt(rita, at: strange, in: room), receipt(rita, at: strange, in: elsewhere),
                receipt(rita, at: EventID(trusted: "$unknown"), in: room), receipt(rita, at: event, in: room, data: #"{"thread_id":"$x"}"#),
                "{\"\(room)\":5}", "{\"\(room)\":{\"m.read\":{\"\(rita)\":{\"event_ids\":\"\(event)\"}}}}", "{\"x\":{}}",
            ] {
                try await tell("m.receipt", refused, to: receiver)
            }
            try await tell("m.receipt", receipt(rita, at: event, in: room), from: third, to: receiver)
            #expect(try await receipts(server, room) == [])
            try await tell(
                "m.receipt",
                #"{"\#(room)":{"m.read":{"\#(bob)":{"event_ids":["\#(event)"]},"\#(rita)":{"event_ids":[1,"\#(event)"],"data":{"ts":1}}}}}"#,
                to: receiver)
            #expect(try await receipts(server, room) == ["\(rita) \(event) 1 "])
            try await deny(other, in: room, server)
            let next = try await server.rooms.say("3", in: room, by: alice)
            try await tell("m.receipt", receipt(rita, at: next, in: room), to: receiver)
            #expect(try await receipts(server, room) == ["\(rita) \(event) 1 "])
        }
    }

    // MARK: Presence

    @Test("those who share a room see the presence of another server's user, others do not")
    func presence() async throws {
        try await withRoom { server, receiver, room in
            let carol = TestRooms.user("carol")
            _ = try await server.rooms.room(by: carol)
            let (since, strange) = (try await server.sync(alice).next, try await server.sync(carol).next)
            let waiting = Task { try await server.sync(alice, since: since, timeout: .seconds(60)) }
            try await Task.sleep(for: .milliseconds(50))
            try await tell(
                "m.presence",
                #"""
                {"push":[{"user_id":"\#(rita)","presence":"online","last_active_ago":5000,"status_msg":"here","currently_active":true},
                {"user_id":"\#(bob)","presence":"online"},{"user_id":"\#(remo)","presence":"online"},{"user_id":"\#(rita)"},5]}
                """#, to: receiver)
            let events = try await waiting.value.json["presence"]?["events"]
            #expect(events?.count == 1)
            let content = events?[0]?["content"]
            #expect(events?[0]?["sender"]?.isString(rita.string) == true)
            #expect(content?["presence"]?.isString("online") == true && content?["status_msg"]?.isString("here") == true)
            #expect(content?["currently_active"]?.bool == true && content?["last_active_ago"]?.int ?? 0 >= 5000)
            #expect(try await server.sync(carol, since: strange).next == strange)
            for user in [bob, remo] { #expect(try await server.presence.presence(of: user).state == .offline) }
            #expect(try await server.presence.isVisible(rita, to: alice))
            #expect(try await !server.presence.isVisible(rita, to: carol))
            try await tell("m.presence", #"{"push":[{"user_id":"\#(rita)","presence":"offline"}]}"#, from: third, to: receiver)
            #expect(try await server.presence.presence(of: rita).state == .online)
        }
    }

    // MARK: Messages to devices

    private func message(_ id: String, _ messages: String, type: String = "m.test", sender: UserID? = nil) -> String {
        #"{"sender":"\#(sender ?? rita)","type":"\#(type)","message_id":"\#(id)","messages":\#(messages)}"#
    }

    private func pending(_ device: String, of user: UserID, _ server: SyncFixture) async throws -> [String] {
        try await server.toDevice.pending(
            for: user, device: DeviceID(trusted: device), after: .zero, upTo: server.rooms.journal.position, limit: 100
        ).events.map { String(decoding: $0, as: UTF8.self) }
    }

    @Test("a message comes into the inboxes it is for, once, also over a restart")
    func messages() async throws {
        try await withRoom { server, receiver, _ in
            for device in ["A1", "A2"] { try await server.rooms.addDevice(device, of: alice) }
            try await server.rooms.addDevice("B", of: bob)
            let content = message(
                "1", #"{"\#(alice)":{"A1":{"n":1},"A9":{"n":2}},"\#(bob)":{"*":{"n":3}},"\#(remo)":{"*":{"n":4}},"x":{"*":{}}}"#)
            try await tell("m.direct_to_device", content, to: receiver)
            try await tell("m.direct_to_device", content, to: receiver)
            try await tell("m.direct_to_device", content, to: self.receiver(server))
            let event = #"{"content":{"n":1},"sender":"\#(rita)","type":"m.test"}"#
            #expect(try await pending("A1", of: alice, server) == [event])
            #expect(try await pending("A2", of: alice, server) == [])
            #expect(try await pending("B", of: bob, server).count == 1)
            #expect(try await server.sync(alice, device: "A1").json["to_device"]?["events"]?.count == 1)
            // The same name by another server is another message.
            let stranger = UserID(trusted: "@s:third.example")
            try await tell("m.direct_to_device", message("1", #"{"\#(alice)":{"A2":{}}}"#, sender: stranger), from: third, to: receiver)
            #expect(try await pending("A2", of: alice, server).count == 1)
        }
    }

    @Test("what is no message of the server's own user is dropped, too many requests for keys are too")
    func messagesRefused() async throws {
        try await withRoom { server, receiver, _ in
            try await server.rooms.addDevice("A", of: alice)
            let large = "\"" + String(repeating: "x", count: ToDeviceRequest.contentLimit) + "\""
            for refused in [
                message("1", #"{"\#(alice)":{"A":{}}}"#, sender: bob), message("", #"{"\#(alice)":{"A":{}}}"#),
                message("2\\u0000", #"{"\#(alice)":{"A":{}}}"#), message("3", #"{"\#(alice)":{"A":5}}"#), message("4", "[]"),
                message("5", #"{"\#(alice)":{"A":{"x":\#(large)}}}"#), message("6", #"{"\#(alice)":{"A":{}}}"#, type: ""), "{}",
            ] {
                try await tell("m.direct_to_device", refused, to: receiver)
            }
            #expect(try await pending("A", of: alice, server) == [])
            for id in ["a", "b", "c", "d"] {
                try await tell("m.direct_to_device", message(id, #"{"\#(alice)":{"*":{}}}"#, type: "m.room_key_request"), to: receiver)
            }
            #expect(try await pending("A", of: alice, server).count == 2)
        }
    }

    @Test("one server does not speak of another one's devices and keys, and an unknown type is nothing")
    func otherTypes() async throws {
        try await withRoom { server, receiver, _ in
            let start = server.rooms.journal.position
            let update = #"{"user_id":"\#(rita)","device_id":"D","stream_id":1,"prev_id":[]}"#
            try await tell("m.device_list_update", update, from: third, to: receiver)
            try await tell("m.signing_key_update", #"{"user_id":"\#(rita)"}"#, from: third, to: receiver)
            try await tell("m.of.nobody", "{}", to: receiver)
            #expect(server.rooms.journal.position == start)
            #expect(try await server.rooms.database.read { try RemoteDeviceStore.lists(of: [rita], on: $0) }.isEmpty)
            for malformed in ["{}", #"{"edu_type":5,"content":{}}"#, #"{"edu_type":"m.typing","content":[]}"#, #"{"edu_type":"m.typing"}"#]
            {
                #expect(try EDU(json(malformed)) == nil)
            }
        }
    }
}
