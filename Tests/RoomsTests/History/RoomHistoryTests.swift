import MatrixCore
import Persistence
import Rooms
import TestSupport
import Testing

@Suite("Room history")
struct RoomHistoryTests {
    private static let alice = RoomsFixture.alice, bob = RoomsFixture.bob, carol = RoomsFixture.carol

    @Test(
        "the history visibility decides what a later member sees of the past",
        arguments: [
            ("world_readable", ["3", "2", "1"]), ("shared", ["3", "2", "1"]), ("invited", ["3", "2"]), ("joined", ["3"]),
        ] as [(String, [String])])
    func visibility(setting: String, expected: [String]) async throws {
        try await withDatabase(.sqlite) { database in
            let fixture = try await RoomsFixture(database)
            let room = try await fixture.room(.privateChat)
            try await fixture.setState("m.room.history_visibility", ["history_visibility": .string(setting)], in: room)
            try await fixture.say("1", in: room)
            try await fixture.membership.change(.invite, of: Self.bob, in: room.id, by: MembershipRequester(user: Self.alice))
            try await fixture.say("2", in: room)
            try await fixture.join(Self.bob, room)
            try await fixture.say("3", in: room)
            #expect(try await fixture.texts(room, Self.bob) == expected)
            #expect(try await fixture.texts(room, Self.alice) == ["3", "2", "1"])
        }
    }

    @Test("a change of the setting concerns what comes after it", arguments: DatabaseKind.allCases)
    func visibilityChanges(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let fixture = try await RoomsFixture(database)
            let room = try await fixture.room()
            for (index, setting) in ["joined", "shared", "joined", "world_readable", "joined"].enumerated() {
                try await fixture.setState("m.room.history_visibility", ["history_visibility": .string(setting)], in: room)
                for part in ["a", "b"] { try await fixture.say("\(index)\(part)", in: room) }
            }
            try await fixture.join(Self.bob, room)
            #expect(try await fixture.texts(room, Self.bob) == ["3b", "3a", "1b", "1a"])
        }
    }

    @Test("between two stays a user sees what the setting allows, and each event tells the membership", arguments: DatabaseKind.allCases)
    func memberships(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let fixture = try await RoomsFixture(database)
            let room = try await fixture.room()
            try await fixture.setState("m.room.history_visibility", ["history_visibility": "joined"], in: room)
            try await fixture.say("before", in: room)
            try await fixture.join(Self.bob, room)
            try await fixture.say("first stay", in: room)
            try await fixture.leave(Self.bob, room)
            try await fixture.say("between", in: room)
            try await fixture.join(Self.bob, room)
            try await fixture.say("second stay", in: room)
            #expect(try await fixture.texts(room, Self.bob) == ["second stay", "first stay"])

            try await fixture.setState("m.room.history_visibility", ["history_visibility": "shared"], in: room)
            let page = try await fixture.history.page(
                of: fixture.view(room), .forwards, from: nil, to: nil, limit: 100, filter: .everything)
            #expect(page.events.allSatisfy { $0.membership == .join || $0.event.type == "m.room.create" })
            let own = try await fixture.history.page(
                of: fixture.view(room, Self.bob), .forwards, from: nil, to: nil, limit: 100, filter: .everything)
            let member = own.events.filter { $0.event.stateKey == Self.bob.text }
            #expect(member.map(\.membership) == [.join, .leave, .join])
        }
    }

    @Test("who has left reads up to there, state and members included; who has forgotten reads nothing", arguments: DatabaseKind.allCases)
    func departed(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let fixture = try await RoomsFixture(database)
            let room = try await fixture.room(members: [Self.bob])
            try await fixture.setState("m.room.topic", ["topic": "old"], in: room)
            try await fixture.say("before", in: room)
            try await fixture.leave(Self.bob, room)
            try await fixture.setState("m.room.topic", ["topic": "new"], in: room)
            let later = try await fixture.say("after", in: room)
            try await fixture.join(Self.carol, room)

            #expect(try await fixture.texts(room, Self.bob) == ["before"])
            let view = try await fixture.view(room, Self.bob)
            #expect(try await fixture.history.state(.topic, of: view)?.contentIfReadable?["topic"]?.string == "old")
            let members = try await fixture.history.members(of: view, at: nil) { _ in true }
            #expect(Set(members.compactMap(\.stateKey)) == [Self.alice.text, Self.bob.text])
            #expect(try await errorCode { _ = try await fixture.history.event(later, in: view) } == "M_NOT_FOUND")
            // Nothing is there to page forwards to.
            let page = try await fixture.history.page(
                of: view, .forwards, from: fixture.journal.position, to: nil, limit: 5, filter: .everything)
            #expect(page.events.isEmpty && page.next == nil)

            try await fixture.membership.forget(room.id, by: Self.bob)
            #expect(try await errorCode { _ = try await fixture.view(room, Self.bob) } == "M_FORBIDDEN")
        }
    }

    @Test(
        "who has left a room that all the world may read reads on, and sees its state as it was when they left",
        arguments: DatabaseKind.allCases)
    func departedFromPublic(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let fixture = try await RoomsFixture(database)
            let room = try await fixture.room(members: [Self.bob])
            try await fixture.setState("m.room.topic", ["topic": "old"], in: room)
            try await fixture.say("before", in: room)
            try await fixture.leave(Self.bob, room)
            let hidden = try await fixture.say("among members", in: room)
            try await fixture.setState("m.room.history_visibility", ["history_visibility": "world_readable"], in: room)
            try await fixture.setState("m.room.topic", ["topic": "new"], in: room)
            let shown = try await fixture.say("to all", in: room)

            #expect(try await fixture.texts(room, Self.bob) == ["to all", "before"])
            let view = try await fixture.view(room, Self.bob)
            #expect(try await fixture.history.event(shown, in: view).id == shown)
            #expect(try await errorCode { _ = try await fixture.history.event(hidden, in: view) } == "M_NOT_FOUND")
            #expect(try await fixture.history.state(.topic, of: view)?.contentIfReadable?["topic"]?.string == "old")
            try await fixture.setState("m.room.history_visibility", ["history_visibility": "shared"], in: room)
            #expect(try await fixture.texts(room, Self.bob) == ["before"])
        }
    }

    @Test("an invite that was declined opens nothing", arguments: DatabaseKind.allCases)
    func declined(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let fixture = try await RoomsFixture(database)
            let room = try await fixture.room(.privateChat)
            try await fixture.membership.change(.invite, of: Self.bob, in: room.id, by: MembershipRequester(user: Self.alice))
            try await fixture.leave(Self.bob, room)
            #expect(try await errorCode { _ = try await fixture.view(room, Self.bob) } == "M_FORBIDDEN")
        }
    }

    @Test("a room that all the world may read is open to visitors, from then on", arguments: DatabaseKind.allCases)
    func visitors(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let fixture = try await RoomsFixture(database)
            let room = try await fixture.room()
            try await fixture.say("private", in: room)
            #expect(try await errorCode { _ = try await fixture.view(room, Self.carol) } == "M_FORBIDDEN")
            try await fixture.setState("m.room.history_visibility", ["history_visibility": "world_readable"], in: room)
            try await fixture.say("public", in: room)
            #expect(try await fixture.texts(room, Self.carol) == ["public"])
            let all = try await fixture.history.page(
                of: fixture.view(room, Self.carol), .backwards, from: nil, to: nil, limit: 10, filter: .everything)
            #expect(all.events.map(\.event.type) == ["m.room.message", "m.room.history_visibility"])
        }
    }

    @Test("pages name a next one as long as they are not empty, and give every event once", arguments: DatabaseKind.allCases)
    func pages(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let fixture = try await RoomsFixture(database)
            let room = try await fixture.room()
            for index in 0..<20 { try await fixture.say("\(index)", in: room) }
            let view = try await fixture.view(room)
            let whole = try await fixture.timeline(of: room).map(\.id)
            for size in [1, 3, whole.count, 100] {
                var backwards: [EventID] = []
                var start: StreamPosition?
                while true {
                    let page = try await fixture.history.page(of: view, .backwards, from: start, to: nil, limit: size, filter: .everything)
                    #expect(page.events.count <= size && page.events.isEmpty == (page.next == nil))
                    backwards += page.events.map(\.event.id)
                    guard let next = page.next else { break }
                    start = next
                }
                #expect(backwards == whole.reversed())
            }
        }
    }

    @Test("a filter picks by type, sender and url, however far it has to look", arguments: DatabaseKind.allCases)
    func filters(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let fixture = try await RoomsFixture(database)
            let room = try await fixture.room(members: [Self.bob])
            try await fixture.say("needle", in: room, by: Self.bob)
            for index in 0..<60 { try await fixture.say("\(index)", in: room) }
            func found(_ filter: String, limit: Int = 5) async throws -> [String] {
                let filter = try RoomEventFilter(json: JSONDocument(parsing: Array(filter.utf8)).root)
                let page = try await fixture.history.page(
                    of: fixture.view(room), .backwards, from: nil, to: nil, limit: limit, filter: filter)
                return page.events.map { $0.event.text.isEmpty ? $0.event.type.string : $0.event.text }
            }
            #expect(try await found(#"{"types":["m.room.message"],"senders":["@bob:test"]}"#) == ["needle"])
            #expect(try await found(#"{"types":["m.room.create"]}"#) == ["m.room.create"])
            #expect(try await found(#"{"not_senders":["@alice:test"],"not_types":["m.room.member"]}"#) == ["needle"])
            #expect(try await found(#"{"contains_url":true}"#) == [])
            #expect(try await found(#"{"types":[]}"#) == [])
            #expect(try await found(#"{"not_rooms":["\#(room.id)"]}"#) == [])
            #expect(try await found("{}", limit: 0) == [])
        }
    }

    @Test("messages of ignored users are left out, state of theirs is not", arguments: DatabaseKind.allCases)
    func ignored(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let fixture = try await RoomsFixture(database)
            let room = try await fixture.room(members: [Self.bob])
            let id = try await fixture.say("theirs", in: room, by: Self.bob)
            try await fixture.say("mine", in: room)
            #expect(try await fixture.texts(room, Self.alice, ignoring: [Self.bob]) == ["mine"])
            let view = try await fixture.view(room, Self.alice, ignoring: [Self.bob])
            #expect(try await errorCode { _ = try await fixture.history.event(id, in: view) } == "M_NOT_FOUND")
            let page = try await fixture.history.page(of: view, .backwards, from: nil, to: nil, limit: 50, filter: .everything)
            #expect(page.events.contains { $0.event.stateKey == Self.bob.text })
        }
    }

    @Test("what an erased user said is for those who were there", arguments: DatabaseKind.allCases)
    func erased(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let fixture = try await RoomsFixture(database)
            let room = try await fixture.room(members: [Self.bob])
            try await fixture.say("mine", in: room)
            try await fixture.join(Self.carol, room)
            fixture.membership.erasedUsers.insert(Self.alice)
            #expect(try await fixture.texts(room, Self.bob) == ["mine"])
            #expect(try await fixture.texts(room, Self.carol) == [""])
        }
    }

    @Test("the surroundings of an event are half before and half after it, with the state at the end", arguments: DatabaseKind.allCases)
    func surroundings(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let fixture = try await RoomsFixture(database)
            let room = try await fixture.room(members: [Self.bob])
            var ids: [EventID] = []
            for index in 0..<9 {
                if index == 6 { try await fixture.setState("m.room.topic", ["topic": "later"], in: room) }
                ids.append(try await fixture.say("\(index)", in: room))
            }
            let view = try await fixture.view(room)
            let found = try await fixture.history.surroundings(of: ids[4], in: view, limit: 3, filter: .everything)
            #expect(found.event.event.id == ids[4])
            #expect(found.before.map(\.event.id) == [ids[3]])
            #expect(found.after.map(\.event.id) == [ids[5]] || found.after.map(\.event.id).prefix(1) == [ids[5]])
            #expect(!found.state.contains { $0.type == "m.room.topic" } || found.after.count > 1)
            let lazy = try RoomEventFilter(json: JSONDocument(parsing: Array(#"{"lazy_load_members":true}"#.utf8)).root)
            let members = try await fixture.history.surroundings(of: ids[8], in: view, limit: 2, filter: lazy).state
                .filter { $0.type == "m.room.member" }
            #expect(members.map(\.stateKey) == [Self.alice.text])

            let before = try await fixture.history.page(of: view, .backwards, from: found.start, to: nil, limit: 1, filter: .everything)
            #expect(before.events.first?.event.id == ids[2])
            let nothing = try await fixture.history.surroundings(of: ids[0], in: view, limit: 0, filter: .everything)
            #expect(nothing.before.isEmpty && nothing.after.isEmpty)
        }
    }

    @Test("the event nearest to a time is found in both directions", arguments: DatabaseKind.allCases)
    func times(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let fixture = try await RoomsFixture(database)
            let room = try await fixture.room()
            let first = try await fixture.say("1", in: room)
            try await Task.sleep(for: .milliseconds(20))
            let second = try await fixture.say("2", in: room)
            let view = try await fixture.view(room)
            let time = try #require(try await fixture.events.event(second)?.timestamp)
            let between = Timestamp(milliseconds: time.milliseconds - 5)
            #expect(try await fixture.history.event(nearest: between, .forwards, in: view).id == second)
            #expect(try await fixture.history.event(nearest: between, .backwards, in: view).id == first)
            #expect(try await fixture.history.event(nearest: time, .backwards, in: view).id == second)
            let future = Timestamp(milliseconds: time.milliseconds + 100_000)
            #expect(try await errorCode { _ = try await fixture.history.event(nearest: future, .forwards, in: view) } == "M_NOT_FOUND")
            let past = Timestamp(milliseconds: 0)
            #expect(try await fixture.history.event(nearest: past, .forwards, in: view).type == "m.room.create")
        }
    }

    /// Others who always have more, and never anything that helps.
    private actor EndlessPast: RoomPast {
        private(set) var count = 0
        func extend(_ room: Room, in gap: StreamPosition) async throws -> Bool {
            count += 1
            return true
        }
    }

    @Test("for a time before all that is known others are asked for more, a few times", arguments: DatabaseKind.allCases)
    func timesInThePast(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let fixture = try await RoomsFixture(database)
            let room = try await fixture.room()
            let id = try await fixture.say("1", in: room)
            let past = EndlessPast()
            let history = RoomHistory(rooms: fixture.rooms, events: fixture.events, past: past)
            let view = try await fixture.view(room)
            let time = try #require(try await fixture.events.event(id)?.timestamp)
            #expect(try await history.event(nearest: time, .backwards, in: view).id == id)
            #expect(await past.count == 0)
            #expect(try await history.event(nearest: Timestamp(milliseconds: 0), .forwards, in: view).type == "m.room.create")
            #expect(await past.count == 10)
        }
    }

    @Test("a page with lazily loaded members has those of its senders, as they were", arguments: DatabaseKind.allCases)
    func senders(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let fixture = try await RoomsFixture(database)
            let room = try await fixture.room(members: [Self.bob, Self.carol])
            try await fixture.say("hello", in: room, by: Self.bob)
            let then = fixture.journal.position
            try await fixture.membership.change(
                to: ["membership": "join", "displayname": "Bobby"], of: Self.bob, in: room.id, by: MembershipRequester(user: Self.bob))
            let view = try await fixture.view(room)
            let page = try await fixture.history.page(of: view, .backwards, from: then, to: nil, limit: 1, filter: .everything)
            let members = try await fixture.history.senders(of: page.events, in: view)
            #expect(members.map(\.stateKey) == [Self.bob.text])
            #expect(members.first?.contentIfReadable?["displayname"] == nil)
        }
    }
}
