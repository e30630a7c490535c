import Homeserver
import MatrixCore
import Persistence
import Rooms
import TestSupport
import Testing

@Suite("Sync", .timeLimit(.minutes(10)))
struct SyncEngineTests {
    private let alice = TestRooms.user("alice")
    private let bob = TestRooms.user("bob")
    private let carol = TestRooms.user("carol")

    private func onEach(timelineLimit: Int = 100, _ body: (SyncFixture) async throws -> Void) async throws {
        try await forEachDatabase { try await SyncFixture.run(on: $0, timelineLimit: timelineLimit, body) }
    }

    @Test("an initial sync has the newest events, the state before them, and nothing twice")
    func initial() async throws {
        try await onEach { server in
            let room = try await server.rooms.room(by: alice, members: [bob])
            for number in 1...5 { try await server.rooms.say("\(number)", in: room, by: alice) }
            let answer = try await server.sync(bob, filter: #"{"room":{"timeline":{"limit":3}}}"#)
            let section = try #require(answer.joined(room))
            #expect(section.texts == ["3", "4", "5"])
            #expect(section.isLimited == true)
            #expect(section.state().isSuperset(of: ["m.room.create|", "m.room.power_levels|", "m.room.join_rules|"]))
            #expect(section.stateMembers == [alice.string, bob.string])
            #expect(section["summary"]?["m.joined_member_count"]?.int == 2)
            #expect(section["summary"]?["m.heroes"]?.elements.map(\.string) == [alice.string])
            let whole = try await server.sync(bob, filter: #"{"room":{"timeline":{"limit":100}}}"#)
            #expect(whole.joined(room)?.isLimited == false)
            #expect(whole.joined(room)?.state() == [])
            #expect(whole.joined(room)?.texts.first == "m.room.create")
        }
    }

    @Test("nothing happened: the token stays, at once without a timeout and after the timeout with one")
    func quiet() async throws {
        try await onEach { server in
            let room = try await server.rooms.room(by: alice, members: [bob])
            let since = try await server.sync(bob).next
            let again = try await server.sync(bob, since: since)
            #expect(again.next == since)
            #expect(again.isQuiet)
            // What happens elsewhere is nothing to bob.
            let other = try await server.rooms.room(by: alice)
            try await server.rooms.say("elsewhere", in: other, by: alice)
            let begin = ContinuousClock.now
            let waited = try await server.sync(bob, since: since, timeout: .milliseconds(200))
            #expect(ContinuousClock.now - begin >= .milliseconds(200))
            #expect(waited.next == since)
            #expect(waited.joined(room) == nil)
        }
    }

    @Test("an event ends the wait, and comes once")
    func wake() async throws {
        try await onEach { server in
            let room = try await server.rooms.room(by: alice, members: [bob])
            let since = try await server.sync(bob).next
            let waiting = Task { try await server.sync(bob, since: since, timeout: .seconds(60)) }
            try await Task.sleep(for: .milliseconds(50))
            try await server.rooms.say("hello", in: room, by: alice)
            let answer = try await waiting.value
            #expect(answer.joined(room)?.texts == ["hello"])
            #expect(answer.joined(room)?.isLimited == false)
            #expect(answer.joined(room)?.state() == [])
            #expect(try await server.sync(bob, since: answer.next).isQuiet)
        }
    }

    @Test("over a gap the newest events come with the state that changed before them")
    func gap() async throws {
        try await onEach { server in
            let room = try await server.rooms.room(by: alice, members: [bob])
            let since = try await server.sync(bob).next
            try await server.rooms.join(carol, room)
            for number in 1...12 { try await server.rooms.say("\(number)", in: room, by: alice) }
            let filter = #"{"room":{"timeline":{"limit":4}}}"#
            let answer = try await server.sync(bob, since: since, filter: filter)
            let section = try #require(answer.joined(room))
            #expect(section.texts == ["9", "10", "11", "12"])
            #expect(section.isLimited == true)
            #expect(section.state() == ["m.room.member|\(carol)"])
            #expect(section["summary"]?["m.joined_member_count"]?.int == 3)
            let after = try await server.sync(bob, since: since, filter: filter) { $0.usesStateAfter = true }
            #expect(after.joined(room)?["state"] == nil)
            #expect(after.joined(room)?.state("state_after") == ["m.room.member|\(carol)"])
        }
    }

    @Test("a token from before the server's start is answered from the database")
    func restart() async throws {
        try await forEachDatabase { database in
            nonisolated(unsafe) var since = ""
            nonisolated(unsafe) var room = RoomID(trusted: "!")
            try await SyncFixture.run(on: database) { server in
                room = try await server.rooms.room(by: alice, members: [bob])
                since = try await server.sync(bob).next
                try await server.rooms.say("before", in: room, by: alice)
                _ = try await server.accountData.put("org.example", room: room, content: Array("{}".utf8), of: bob)
                await server.rooms.journal.stop()
            }
            try await SyncFixture.run(on: database) { server in
                let answer = try await server.sync(bob, since: since)
                #expect(answer.joined(room)?.texts == ["before"])
                #expect(answer.joined(room)?["account_data"]?["events"]?.count == 1)
                #expect(try await server.sync(bob, since: answer.next).isQuiet)
            }
        }
    }

    @Test("a token from the future gets everything anew")
    func future() async throws {
        try await onEach { server in
            let room = try await server.rooms.room(by: alice)
            let answer = try await server.sync(alice, since: "s99999999")
            #expect(answer.joined(room)?.state().isEmpty == false || answer.joined(room)?.texts.first == "m.room.create")
            #expect(try SyncToken(parsing: answer.next).position <= server.rooms.journal.position)
        }
    }

    @Test("the transaction id is told to the device that sent the event, and to nobody else")
    func transaction() async throws {
        try await onEach { server in
            let room = try await server.rooms.room(by: alice, members: [bob])
            let tokens = (alice: try await server.sync(alice).next, bob: try await server.sync(bob).next)
            let draft = EventDraft(type: "m.room.message", content: Array(#"{"msgtype":"m.text","body":"x"}"#.utf8), sender: alice)
            let origin = EventOrigin(user: alice, device: DeviceID(trusted: "PHONE"), transactionID: "txn")
            try await server.rooms.rooms.existing(room).send(draft, from: origin)
            func transaction(_ answer: SyncResponse) -> String? {
                answer.joined(room)?["timeline"]?["events"]?[0]?["unsigned"]?["transaction_id"]?.string
            }
            // The others first and last, so that a shared rendering would show.
            #expect(transaction(try await server.sync(bob, since: tokens.bob)) == nil)
            #expect(transaction(try await server.sync(alice, since: tokens.alice)) == "txn")
            #expect(transaction(try await server.sync(alice, since: tokens.alice, device: "LAPTOP")) == nil)
            #expect(transaction(try await server.sync(bob, since: tokens.bob)) == nil)
        }
    }

    @Test("typing and receipts are told to the others in the room")
    func ephemeral() async throws {
        try await onEach { server in
            let room = try await server.rooms.room(by: alice, members: [bob])
            let event = try await server.rooms.say("read me", in: room, by: alice)
            let since = try await server.sync(alice).next
            try await server.typing.start(bob, in: room, for: .seconds(20))
            let typing = try await server.sync(alice, since: since)
            let first = typing.joined(room)?["ephemeral"]?["events"]?[0]
            #expect(first?["type"]?.string == "m.typing")
            #expect(first?["content"]?["user_ids"]?[0]?.string == bob.string)
            try await server.typing.stop(bob, in: room)
            try await server.receipts.send(.read, at: event, thread: nil, in: room, by: bob)
            let receipt = try await server.sync(alice, since: typing.next)
            let kinds = receipt.joined(room)?["ephemeral"]?["events"]?.elements.map { $0["type"]?.string } ?? []
            #expect(Set(kinds) == ["m.typing", "m.receipt"])
            #expect(receipt.joined(room)?.texts == [])
            #expect(try await server.sync(alice, since: receipt.next).isQuiet)
            #expect(
                try await server.sync(alice, since: since, filter: #"{"room":{"ephemeral":{"types":[]}}}"#).joined(room) == nil)
        }
    }

    @Test("messages to a device come in batches, are repeated until confirmed, and none is lost or doubled")
    func toDevice() async throws {
        try await onEach { server in
            let phone = DeviceID(trusted: "PHONE")
            try await server.rooms.addDevice("PHONE", of: bob)
            var since = try await server.sync(bob).next
            for number in 1...120 {
                let body = try json(#"{"messages":{"\#(bob)":{"PHONE":{"number":\#(number)}}}}"#)
                let request = try ToDeviceRequest(type: "m.test", body)
                try await server.toDevice.send(request, transaction: "\(number)", from: Requester(user: alice, device: phone))
            }
            func numbers(_ answer: SyncResponse) -> [Int64] {
                (answer.json["to_device"]?["events"]?.elements).map { $0.compactMap { $0["content"]?["number"]?.int } } ?? []
            }
            let lost = try await server.sync(bob, since: since)
            #expect(numbers(lost) == Array(1...100))
            let first = try await server.sync(bob, since: since)
            #expect(numbers(first) == Array(1...100))
            let second = try await server.sync(bob, since: first.next)
            #expect(numbers(second) == Array(101...120))
            since = second.next
            #expect(try await server.sync(bob, since: since).isQuiet)
            #expect(numbers(try await server.sync(bob)) == [])
        }
    }

    @Test("a filter narrows the timeline, and what it hides of the state comes as state")
    func filters() async throws {
        try await onEach { server in
            let room = try await server.rooms.room(by: alice, members: [bob])
            let since = try await server.sync(bob).next
            try await server.rooms.say("one", in: room, by: alice)
            try await server.rooms.join(carol, room)
            let messages = #"{"room":{"timeline":{"types":["m.room.message"]}}}"#
            let answer = try await server.sync(bob, since: since, filter: messages)
            #expect(answer.joined(room)?.texts == ["one"])
            #expect(answer.joined(room)?.stateMembers == [carol.string])
            #expect(try await server.sync(bob, since: since, filter: #"{"room":{"rooms":[]}}"#).joined(room) == nil)
            let fields = try await server.sync(bob, since: since, filter: #"{"event_fields":["content.body","type"]}"#)
            let event = fields.joined(room)?["timeline"]?["events"]?[0]
            #expect(event?["content"]?["body"]?.string == "one")
            #expect(event?["sender"] == nil)
            let federation = try await server.sync(bob, since: since, filter: #"{"event_format":"federation"}"#)
            #expect(federation.joined(room)?["timeline"]?["events"]?[0]?["auth_events"] != nil)
            #expect(try await errorCode { _ = try await server.engine.filter("17", of: bob) } == "M_INVALID_PARAM")
            #expect(try await errorCode { _ = try await server.engine.filter("{", of: bob) } == "M_NOT_JSON")
        }
    }

    @Test("a client that wants no timeline gets the state alone, all of it first and then what changed")
    func stateOnly() async throws {
        try await onEach { server in
            let room = try await server.rooms.room(by: alice, members: [bob])
            let filter = #"{"room":{"timeline":{"types":[]}}}"#
            let first = try await server.sync(bob, filter: filter)
            #expect(first.joined(room)?.texts == [])
            #expect(first.joined(room)?.state().isSuperset(of: ["m.room.create|", "m.room.member|\(bob)"]) == true)
            try await server.rooms.join(carol, room)
            try await server.rooms.say("not wanted", in: room, by: alice)
            let second = try await server.sync(bob, since: first.next, filter: filter)
            #expect(second.joined(room)?.texts == [])
            #expect(second.joined(room)?.state() == ["m.room.member|\(carol)"])
        }
    }

    @Test("the full state comes when it is asked for, whatever happened")
    func fullState() async throws {
        try await onEach { server in
            let room = try await server.rooms.room(by: alice, members: [bob])
            let since = try await server.sync(bob).next
            let answer = try await server.sync(bob, since: since, timeout: .seconds(60)) { $0.wantsFullState = true }
            #expect(answer.joined(room)?.texts == [])
            #expect(answer.joined(room)?.state().isSuperset(of: ["m.room.create|", "m.room.member|\(bob)"]) == true)
        }
    }

    @Test("a redacted event is shown without its content in a later sync")
    func redaction() async throws {
        try await onEach { server in
            let room = try await server.rooms.room(by: alice, members: [bob])
            let event = try await server.rooms.say("oops", in: room, by: alice)
            #expect(try await server.sync(bob).joined(room)?.texts.contains("oops") == true)
            let redaction = EventDraft(
                type: "m.room.redaction", content: Array(#"{"redacts":"\#(event)"}"#.utf8), sender: alice, redacts: event)
            try await server.rooms.rooms.existing(room).send(redaction, from: EventOrigin(user: alice))
            let later = try await server.sync(bob)
            #expect(later.joined(room)?.texts.contains("oops") == false)
        }
    }

    @Test("a stopping server answers those who wait")
    func stopping() async throws {
        try await onEach { server in
            _ = try await server.rooms.room(by: alice)
            let since = try await server.sync(alice).next
            let waiting = Task { try await server.sync(alice, since: since, timeout: .seconds(60)) }
            try await Task.sleep(for: .milliseconds(50))
            server.engine.shutdown()
            #expect(try await waiting.value.next == since)
        }
    }

    @Test("a client that goes away ends its wait")
    func cancelled() async throws {
        try await onEach { server in
            _ = try await server.rooms.room(by: alice)
            let since = try await server.sync(alice).next
            let waiting = Task { try await server.sync(alice, since: since, timeout: .seconds(60)) }
            try await Task.sleep(for: .milliseconds(50))
            waiting.cancel()
            await #expect(throws: CancellationError.self) { try await waiting.value }
        }
    }
}
