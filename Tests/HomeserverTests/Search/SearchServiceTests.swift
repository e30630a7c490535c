// Finding what was said, and only what one may see, on both databases.

import Homeserver
import MatrixCore
import Persistence
import Rooms
import TestSupport
import Testing

private let (alice, bob, carol) = (TestRooms.user("alice"), TestRooms.user("bob"), TestRooms.user("carol"))

@Suite("Search", .timeLimit(.minutes(10)))
struct SearchServiceTests {
    private func onEach(_ body: (SearchFixture) async throws -> Void) async throws {
        try await forEachDatabase { try await SearchFixture.run(on: $0, body) }
    }

    private func filter(_ text: String) throws -> RoomEventFilter { try RoomEventFilter(json: try json(text)) }

    @Test("what was just said is found, by those who are in the room only")
    func finding() async throws {
        try await onEach { server in
            let room = try await server.rooms.room(by: alice, members: [bob])
            let event = try await server.rooms.say("Hello, wide World!", in: room, by: alice)
            try await server.rooms.say("nothing of interest", in: room, by: bob)
            let found = try await server.find("hello world", by: bob)
            #expect(found.results.map(\.event.event.id) == [event] && found.count == 1)
            #expect(found.highlights == ["hello", "world"] && found.next == nil)
            #expect(try await server.find("hello", by: carol).results.isEmpty)
            #expect(try await server.find("hello -wide", by: alice).results.isEmpty)
            #expect(try await server.find("\"wide hello\"", by: alice).results.isEmpty)
            #expect(try await server.find("", by: alice).results.isEmpty)
        }
    }

    @Test("names and topics are found, each by its key, and encrypted events are not")
    func keys() async throws {
        try await onEach { server in
            let room = try await server.rooms.room(by: alice)
            try await server.rooms.say("a body of kittens", in: room, by: alice)
            try await server.setState("m.room.name", ["name": "the name of kittens"], in: room, by: alice)
            try await server.setState("m.room.topic", ["topic": "a topic of kittens"], in: room, by: alice)
            try await server.rooms.rooms.existing(room).send(
                EventDraft(type: "m.room.encrypted", stateKey: nil, content: ["body": "kittens", "ciphertext": "kittens"], sender: alice),
                from: EventOrigin(user: alice))
            let all = ["a topic of kittens", "the name of kittens", "a body of kittens"]
            #expect(try await server.find("kitten", by: alice).bodies == all)
            for (key, text) in [(SearchKey.body, "a body of kittens"), (.name, "the name of kittens"), (.topic, "a topic of kittens")] {
                #expect(try await server.find("kitten", by: alice) { $0.keys = [key] }.bodies == [text])
            }
            #expect(try await server.find("kitten", by: alice) { $0.keys = [] }.bodies == [])
            let types = try filter(#"{"types":["m.room.n*"]}"#)
            #expect(try await server.find("kitten", by: alice) { $0.filter = types }.bodies == ["the name of kittens"])
        }
    }

    @Test("a redacted message is not found, and what ignored users say is not either")
    func hidden() async throws {
        try await onEach { server in
            let room = try await server.rooms.room(by: alice, members: [bob])
            let event = try await server.rooms.say("secret one", in: room, by: alice)
            try await server.rooms.say("secret two", in: room, by: bob)
            #expect(try await server.find("secret", by: alice).bodies == ["secret two", "secret one"])
            try await server.redact(event, in: room, by: alice)
            #expect(try await server.find("secret", by: alice).bodies == ["secret two"])
            try await server.accountData.put(
                "m.ignored_user_list", room: nil, content: Array(#"{"ignored_users":{"@bob:example.org":{}}}"#.utf8), of: alice)
            #expect(try await server.find("secret", by: alice).bodies == [])
            #expect(try await server.find("secret", by: bob).bodies == ["secret two"])
        }
    }

    @Test("who left finds what was said before, who came later only what the room lets them see")
    func memberships() async throws {
        try await onEach { server in
            let room = try await server.rooms.room(by: alice, members: [bob])
            try await server.rooms.say("word before", in: room, by: alice)
            try await server.rooms.leave(bob, room)
            try await server.rooms.say("word between", in: room, by: alice)
            let found = try await server.find("word", by: bob)
            #expect(found.bodies == ["word before"] && found.count == 1)
            try await server.setState("m.room.history_visibility", ["history_visibility": "joined"], in: room, by: alice)
            try await server.rooms.say("word while away", in: room, by: alice)
            try await server.rooms.join(bob, room)
            try await server.rooms.say("word after", in: room, by: alice)
            #expect(try await server.find("word", by: bob).bodies == ["word after", "word between", "word before"])
            let small = try filter(#"{"limit":2}"#)
            #expect(try await server.find("word", by: bob) { $0.filter = small }.bodies == ["word after", "word between"])
            try await server.rooms.leave(bob, room)
            try await server.rooms.membership.forget(room, by: bob)
            #expect(try await server.find("word", by: bob).bodies == [])
        }
    }

    @Test("pages follow each other, in all and in a group, and each result comes once")
    func paging() async throws {
        try await onEach { server in
            let first = try await server.rooms.room(by: alice, members: [bob])
            let second = try await server.rooms.room(by: alice, members: [bob])
            for number in 1...9 {
                try await server.rooms.say("word \(number)", in: number % 3 == 0 ? first : second, by: number % 2 == 0 ? alice : bob)
            }
            let small = try filter(#"{"limit":2}"#)
            func all(from start: SearchToken?) async throws -> [String] {
                var (bodies, token): ([String], SearchToken?) = ([], start)
                repeat {
                    let page = try await server.find("word", by: bob, from: token) { $0.filter = small }
                    #expect(page.results.count <= 2 && page.count == 9)
                    bodies += page.bodies
                    token = page.next
                } while token != nil
                return bodies
            }
            #expect(try await all(from: nil) == (1...9).reversed().map { "word \($0)" })

            let page = try await server.find("word", by: bob) { request in
                request.filter = small
                request.groupings = [.room, .sender]
            }
            #expect(page.bodies == ["word 9", "word 8"])
            #expect(page.groups[.room]?.map(\.name) == [.room(first), .room(second)])
            #expect(page.groups[.sender]?.map(\.name) == [.sender(bob), .sender(alice)])
            #expect(page.groups[.room]?.map(\.events.count) == [1, 1])
            let rest = try await server.find("word", by: bob, from: page.groups[.room]?.first?.next) { $0.groupings = [.room] }
            #expect(rest.bodies == ["word 6", "word 3"] && rest.next == nil)
            let others = try await server.find("word", by: bob, from: page.groups[.sender]?.last?.next)
            #expect(others.bodies == ["word 6", "word 4", "word 2"])
        }
    }

    @Test("filters choose rooms, senders and what has an address")
    func filters() async throws {
        try await onEach { server in
            let first = try await server.rooms.room(by: alice, members: [bob])
            let second = try await server.rooms.room(by: alice, members: [bob])
            try await server.rooms.say("word 1", in: first, by: alice)
            try await server.rooms.say("word 2", in: second, by: bob)
            let picture: JSONObject = ["msgtype": "m.image", "body": "word 3", "url": "mxc://example.org/abc"]
            try await server.rooms.rooms.existing(first).send(
                EventDraft(type: "m.room.message", stateKey: nil, content: picture, sender: bob), from: EventOrigin(user: bob))
            let cases: [(String, [String])] = [
                (#"{"rooms":["\#(first)"]}"#, ["word 3", "word 1"]), (#"{"not_rooms":["\#(first)"]}"#, ["word 2"]),
                (#"{"rooms":[]}"#, []), (#"{"rooms":["!unknown:example.org"]}"#, []),
                (#"{"senders":["@alice:example.org"]}"#, ["word 1"]), (#"{"not_senders":["@alice:example.org"]}"#, ["word 3", "word 2"]),
                (#"{"contains_url":true}"#, ["word 3"]), (#"{"contains_url":false,"limit":1}"#, ["word 2"]),
                (#"{"limit":0}"#, []), (#"{"not_types":["*"]}"#, []),
            ]
            for (text, bodies) in cases {
                let wanted = try filter(text)
                #expect(try await server.find("word", by: alice) { $0.filter = wanted }.bodies == bodies, "\(text)")
            }
        }
    }

    @Test("a filter that names a room means those too that it replaced")
    func upgrades() async throws {
        try await onEach { server in
            let old = try await server.rooms.room(by: alice)
            try await server.rooms.say("word old", in: old, by: alice)
            var request = CreateRoomRequest()
            request.creationContent["predecessor"] = ["room_id": .string(old.string), "event_id": "$tombstone"]
            let new = try await server.rooms.creation.create(request, by: alice)
            try await server.rooms.say("word new", in: new, by: alice)
            let wanted = try filter(#"{"rooms":["\#(new)"]}"#)
            #expect(try await server.find("word", by: alice) { $0.filter = wanted }.bodies == ["word new", "word old"])
            let without = try filter(#"{"rooms":["\#(new)"],"not_rooms":["\#(old)"]}"#)
            #expect(try await server.find("word", by: alice) { $0.filter = without }.bodies == ["word new"])
        }
    }

    @Test("the best match comes first, and what was said around it comes with it")
    func context() async throws {
        try await onEach { server in
            let room = try await server.rooms.room(by: alice, members: [bob])
            for number in 1...4 { try await server.rooms.say("before \(number)", in: room, by: bob) }
            try await server.rooms.say("needle needle needle", in: room, by: alice)
            for number in 1...4 { try await server.rooms.say("after \(number)", in: room, by: bob) }
            try await server.rooms.say("a needle in a very large haystack of other words", in: room, by: alice)
            let found = try await server.find("needle", by: bob) { request in
                request.order = .rank
                request.context = SearchRequest.Context(before: 2, after: 1, includesProfiles: true)
                request.includesState = true
            }
            #expect(found.bodies.first == "needle needle needle" && found.count == 2 && found.next == nil)
            let around = try #require(found.results.first?.surroundings)
            #expect(around.before.map { $0.event.contentIfReadable?["body"]?.string } == ["before 4", "before 3"])
            #expect(around.after.map { $0.event.contentIfReadable?["body"]?.string } == ["after 1"])
            #expect(Set(around.senders?.compactMap(\.stateKey) ?? []) == [alice.text, bob.text])
            #expect(found.state?.map { $0.room } == [room])
            #expect(found.state?.first?.events.contains { $0.type == "m.room.create" } == true)
            let bare = try await server.find("needle", by: bob)
            #expect(bare.state == nil && bare.results.allSatisfy { $0.surroundings == nil })
        }
    }

    @Test("a history that was there before the index is taken in")
    func history() async throws {
        try await forEachDatabase { database in
            let rooms = try await TestRooms(on: database)
            let room = try await rooms.room(by: alice)
            let event = try await rooms.say("word of old", in: room, by: alice)
            try await rooms.say("another word of old", in: room, by: alice)
            try await rooms.rooms.existing(room).send(
                EventDraft(type: "m.room.redaction", content: [:], sender: alice, redacts: event), from: EventOrigin(user: alice))
            try await SearchFixture.run(on: database) { server in
                let found = try await server.find("word", by: alice)
                #expect(found.bodies == ["another word of old"])
            }
            try await SearchFixture.run(on: database, isEnabled: false) { server in
                let code = try await errorCode { _ = try await server.find("word", by: alice) }
                #expect(code == "M_UNKNOWN")
            }
        }
    }

    @Test("a user of many rooms costs a few questions to the database")
    func manyRooms() async throws {
        try await onEach { server in
            for number in 1...40 {
                let room = try await server.rooms.room(by: alice)
                try await server.rooms.say("word \(number)", in: room, by: alice)
            }
            _ = try await server.find("word", by: alice)
            let time = DatabaseTime()
            let found = try await DatabaseTime.$current.withValue(time) { try await server.find("word 7", by: alice) }
            #expect(found.bodies == ["word 7"])
            #expect(time.count < 15)
        }
    }
}
