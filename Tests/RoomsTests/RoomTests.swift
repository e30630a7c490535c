import MatrixCore
import Persistence
import Rooms
import TestSupport
import Testing

@Suite("Room")
struct RoomTests {
    @Test("a transaction id makes one event, however often and however soon it comes again", arguments: DatabaseKind.allCases)
    func transactionsAreIdempotent(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let fixture = try await RoomsFixture(database)
            let room = try await fixture.room()
            let ids = try await withThrowingTaskGroup(of: EventID.self) { group in
                for _ in 0..<20 { group.addTask { try await room.send(message("hello"), from: origin(transaction: "t")) } }
                return try await group.reduce(into: Set()) { $0.insert($1) }
            }
            #expect(ids.count == 1)

            let other = EventOrigin(user: RoomsFixture.alice, device: DeviceID(trusted: "OTHER"), transactionID: "t")
            #expect(try await !ids.contains(room.send(message("hello"), from: other)))
        }
    }

    @Test(
        "a transaction id is remembered across a restart, and its repetition harms nobody in the same batch",
        arguments: DatabaseKind.allCases)
    func transactionsSurviveRestarts(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let before = try await RoomsFixture(database)
            let room = try await before.room()
            let first = try await room.send(message("hello"), from: origin(transaction: "t"))

            let after = try await RoomsFixture(database)
            let again = try await after.rooms.existing(room.id)
            let ids = try await withThrowingTaskGroup(of: (Int, EventID).self) { group in
                for index in 0..<10 {
                    group.addTask {
                        (index, try await again.send(message("m\(index)"), from: origin(transaction: index == 5 ? "t" : "u\(index)")))
                    }
                }
                return try await group.reduce(into: [:]) { $0[$1.0] = $1.1 }
            }
            #expect(ids[5] == first)
            #expect(Set(ids.values).count == 10)
            #expect(try await after.timeline(of: again).filter { $0.type == "m.room.message" }.count == 10)
        }
    }

    @Test("events follow one another: each names the one before as its only predecessor", arguments: DatabaseKind.allCases)
    func eventsMakeAChain(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let fixture = try await RoomsFixture(database)
            let room = try await fixture.room()
            try await withThrowingTaskGroup(of: Void.self) { group in
                for index in 0..<50 { group.addTask { try await room.send(message("m\(index)"), from: origin()) } }
                try await group.waitForAll()
            }
            let timeline = try await fixture.timeline(of: room)
            #expect(timeline.map(\.depth) == Array(1...Int64(timeline.count)))
            let rows = try await fixture.rows(of: room)
            for (previous, row) in zip(rows, rows.dropFirst()) {
                #expect(try Event(parsing: row.json, version: room.version).prevEvents == [previous.id])
            }
        }
    }

    @Test("a refused command fails alone", arguments: DatabaseKind.allCases)
    func refusalsAreIsolated(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let fixture = try await RoomsFixture(database)
            let room = try await fixture.room()
            let codes = try await withThrowingTaskGroup(of: (Int, String?).self) { group in
                for index in 0..<30 {
                    group.addTask {
                        let sender = index % 2 == 0 ? RoomsFixture.alice : RoomsFixture.bob
                        return (index, try await errorCode { try await room.send(message("m", by: sender), from: origin(sender)) })
                    }
                }
                return try await group.reduce(into: [:]) { $0[$1.0] = $1.1 }
            }
            for index in 0..<30 { #expect(codes[index] == .some(index % 2 == 0 ? nil : "M_FORBIDDEN")) }
        }
    }

    @Test("several events of one command are stored together or not at all", arguments: DatabaseKind.allCases)
    func unitsAreWhole(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let fixture = try await RoomsFixture(database)
            let room = try await fixture.room()
            let before = room.current
            let drafts = [
                message("one"), EventDraft(type: "m.room.topic", stateKey: "", content: ["topic": "x"], sender: RoomsFixture.alice),
                message("two", by: RoomsFixture.bob),
            ]
            #expect(try await errorCode { try await room.send(drafts, from: origin()) } == "M_FORBIDDEN")
            #expect(room.current.entry(.topic) == nil)
            #expect(room.current.snapshotID == before.snapshotID)
            #expect(try await room.send(Array(drafts.prefix(2)), from: origin()).count == 2)
            #expect(room.current.entry(.topic) != nil)
        }
    }

    @Test("a state event that says what the current one says makes no new event", arguments: DatabaseKind.allCases)
    func sameStateTwice(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let fixture = try await RoomsFixture(database)
            let room = try await fixture.room()
            func name(_ text: String) -> EventDraft {
                EventDraft(type: "m.room.name", stateKey: "", content: ["name": .string(text)], sender: RoomsFixture.alice)
            }
            let first = try await room.send(name("a"), from: origin())
            #expect(try await room.send(name("a"), from: origin()) == first)
            let second = try await room.send(name("b"), from: origin())
            #expect(second != first)

            let event = try #require(try await fixture.events.event(second))
            #expect(event.replaced?.id == first)
            #expect(event.replaced?.content == Array(#"{"name":"a"}"#.utf8))
        }
    }

    @Test("a room wakes as it fell asleep, and old states stay readable", arguments: DatabaseKind.allCases)
    func roomsWake(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let fixture = try await RoomsFixture(database)
            let room = try await fixture.room(members: [RoomsFixture.bob])
            for index in 0..<40 {
                try await room.send(
                    EventDraft(
                        type: "x", stateKey: ByteString("k\(index % 17)"), content: ["n": .int(Int64(index))], sender: RoomsFixture.alice),
                    from: origin())
            }
            try await room.send(message("the last event is no state"), from: origin())
            let slept = room.current
            let woken = try #require(try await RoomsFixture(database).rooms.room(room.id)).current
            #expect(woken.state == slept.state)
            #expect(woken.snapshotID == slept.snapshotID)
            #expect(woken.position == slept.position)
            #expect(woken.joinedCount == 2)
            #expect(woken.earliestMembers == slept.earliestMembers)
            #expect(woken.powerLevels.level(of: RoomsFixture.alice) == slept.powerLevels.level(of: RoomsFixture.alice))

            var state: [StateKey: EventNID] = [:]
            for event in try await fixture.timeline(of: room) {
                #expect(try await fixture.events.state(at: event.snapshotBefore) == state)
                if let key = event.stateKey { state[StateKey(type: event.type, stateKey: key)] = event.nid }
            }
            #expect(try await fixture.events.state(at: slept.snapshotID) == state)
            let some: [StateKey] = [.create, .name, StateKey(type: "x", stateKey: "k3")]
            let part = try await fixture.events.state(some, at: slept.snapshotID)
            #expect(part == state.filter { some.contains($0.key) })
        }
    }

    @Test("rooms beyond the budget are put to sleep, and a room that is held stays the only one of its id")
    func roomsSleep() async throws {
        try await withDatabase(.sqlite) { database in
            let fixture = try await RoomsFixture(database, roomByteLimit: 60_000)
            let held = try await fixture.room()
            for _ in 0..<30 { _ = try await fixture.room() }
            #expect(fixture.rooms.usage.bytes <= 60_000)
            #expect(try await fixture.rooms.room(held.id) === held)
        }
    }

    @Test("a redaction takes the content away for good, when the sender may", arguments: DatabaseKind.allCases)
    func redactions(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let fixture = try await RoomsFixture(database)
            for version in RoomVersion.all {
                let room = try await fixture.room(version: version, members: [RoomsFixture.bob, RoomsFixture.carol])
                let id = try await room.send(message("secret", by: RoomsFixture.bob), from: origin(RoomsFixture.bob))
                func redact(_ user: UserID) async throws -> EventID {
                    try await room.send(
                        EventDraft(type: "m.room.redaction", content: [:], sender: user, redacts: id), from: origin(user))
                }
                #expect(try await fixture.events.event(id)?.content()?["body"]?.string == "secret")
                #expect(try await errorCode { _ = try await redact(RoomsFixture.carol) } == "M_FORBIDDEN")
                let redaction = try await redact(RoomsFixture.bob)
                let event = try #require(try await fixture.events.event(id))
                #expect(try event.content()?["body"] == nil)
                #expect(event.redactedBy == redaction)
                #expect(try await fixture.events.event(event.nid)?.redactedBy == redaction)
                #expect(try await fixture.events.event(redaction)?.redacts == id)
                // The power to redact is enough for what is there and for what is not.
                _ = try await redact(RoomsFixture.alice)
                #expect(try await fixture.events.event(id)?.redactedBy == redaction)
            }
        }
    }

    @Test("an event of another room is not redacted", arguments: DatabaseKind.allCases)
    func foreignRedactions(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let fixture = try await RoomsFixture(database)
            let (one, two) = (try await fixture.room(), try await fixture.room())
            let id = try await one.send(message("x"), from: origin())
            let draft = EventDraft(type: "m.room.redaction", content: [:], sender: RoomsFixture.alice, redacts: id)
            #expect(try await errorCode { try await two.send(draft, from: origin()) } == "M_INVALID_PARAM")
        }
    }

    @Test(
        "what is no event is refused with the specification's code",
        arguments: [
            ("x", #"{"a":"#, "M_NOT_JSON"), ("x", "[]", "M_BAD_JSON"), ("x", #"{"a":1.5}"#, "M_BAD_JSON"),
            ("x", #"{"a":9007199254740992}"#, "M_BAD_JSON"),
            ("x", "{\"a\":\"" + String(repeating: "a", count: 66_000) + "\"}", "M_TOO_LARGE"),
            (String(repeating: "t", count: 256), "{}", "M_TOO_LARGE"),
        ])
    func malformedEvents(type: String, content: String, code: String) async throws {
        try await withDatabase(.sqlite) { database in
            let fixture = try await RoomsFixture(database)
            let room = try await fixture.room()
            let draft = EventDraft(type: ByteString(type), content: Array(content.utf8), sender: RoomsFixture.alice)
            #expect(try await errorCode { try await room.send(draft, from: origin()) } == code)
        }
    }

    @Test("an event is written for its reader: the transaction id only for the device that sent it")
    func rendering() async throws {
        try await withDatabase(.sqlite) { database in
            let fixture = try await RoomsFixture(database)
            let room = try await fixture.room()
            let id = try await room.send(message("hi"), from: origin(transaction: "t1"))
            let event = try #require(try await fixture.events.event(id))
            func written(_ viewer: EventViewer?) throws -> JSON {
                var writer = JSONWriter()
                event.write(to: &writer, includeRoomID: true, for: viewer, now: event.timestamp.advanced(byMilliseconds: 5))
                return try JSONDocument(parsing: writer.bytes).root
            }
            let own = try written(EventViewer(user: RoomsFixture.alice, device: DeviceID(trusted: "DEVICE")))
            #expect(own["unsigned"]?["transaction_id"]?.string == "t1")
            #expect(own["unsigned"]?["age"]?.int == 5)
            #expect(own["event_id"]?.string == id.string)
            #expect(own["room_id"]?.string == room.id.string)
            #expect(own["content"]?["body"]?.string == "hi")
            let other = try written(EventViewer(user: RoomsFixture.alice, device: DeviceID(trusted: "OTHER")))
            #expect(other["unsigned"]?["transaction_id"] == nil)
            #expect(try written(nil)["unsigned"]?["transaction_id"] == nil)
        }
    }
}
