import MatrixCore
import Persistence
import Rooms
import TestSupport
import Testing

@Suite("Relations")
struct RelationTests {
    private static let alice = RoomsFixture.alice, bob = RoomsFixture.bob, carol = RoomsFixture.carol

    private func bundle(
        of id: EventID, _ fixture: RoomsFixture, _ room: Room, for user: UserID = alice, ignoring: Set<UserID> = []
    ) async throws -> BundledAggregations? {
        try await fixture.history.viewedEvent(id, in: fixture.view(room, user, ignoring: ignoring)).aggregations
    }

    @Test("an event without relations has no aggregations, and memory knows that of new events", arguments: DatabaseKind.allCases)
    func nothing(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let fixture = try await RoomsFixture(database)
            let room = try await fixture.room()
            let id = try await fixture.say("hello", in: room)
            #expect(try await bundle(of: id, fixture, room) == nil)
            let again = try await RoomsFixture(database)
            #expect(try await bundle(of: id, again, again.rooms.existing(room.id)) == nil)
        }
    }

    @Test("the newest valid edit is bundled, also after a restart", arguments: DatabaseKind.allCases)
    func edits(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let fixture = try await RoomsFixture(database)
            let room = try await fixture.room(members: [Self.bob])
            let id = try await fixture.say("one", in: room)
            try await fixture.edit(id, to: "two", in: room)
            let newest = try await fixture.edit(id, to: "three", in: room)
            // None of these is valid: of somebody else, of another type, without new content, of an edit.
            try await fixture.edit(id, to: "four", in: room, by: Self.bob)
            let sticker: JSONObject = ["m.new_content": ["body": "s"], "m.relates_to": relation("m.replace", id)]
            try await room.send(EventDraft(type: "m.sticker", content: sticker, sender: Self.alice), from: origin())
            try await fixture.say("no new content", in: room, relation("m.replace", id))
            try await fixture.edit(newest, to: "five", in: room)

            for fixture in [fixture, try await RoomsFixture(database)] {
                let room = try await fixture.rooms.existing(room.id)
                let found = try await bundle(of: id, fixture, room)?.edit
                // Of edits in the same millisecond the one with the greater id counts.
                #expect(found?.text == "* three" || found?.text == "* two")
                #expect(try await bundle(of: newest, fixture, room) == nil)
            }
        }
    }

    @Test("a redacted event has no edit any more, and a redacted edit makes way for the one before", arguments: DatabaseKind.allCases)
    func redactedEdits(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let fixture = try await RoomsFixture(database)
            let room = try await fixture.room()
            let id = try await fixture.say("one", in: room)
            let first = try await fixture.edit(id, to: "two", in: room)
            try await Task.sleep(for: .milliseconds(5))
            let second = try await fixture.edit(id, to: "three", in: room)
            #expect(try await bundle(of: id, fixture, room)?.edit?.id == second)
            try await fixture.redact(second, in: room)
            #expect(try await bundle(of: id, fixture, room)?.edit?.id == first)
            try await fixture.redact(id, in: room)
            #expect(try await bundle(of: id, fixture, room) == nil)
            var request = RelationsRequest(parent: id, limit: 10)
            request.relType = EventRelation.replace
            #expect(try await fixture.history.relations(request, in: fixture.view(room)).events.isEmpty)
        }
    }

    @Test("a thread tells its newest reply, how many there are, and whether the reader took part", arguments: DatabaseKind.allCases)
    func threads(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let fixture = try await RoomsFixture(database)
            let room = try await fixture.room(members: [Self.bob, Self.carol])
            let root = try await fixture.say("root", in: room, by: Self.bob)
            for index in 1...3 { try await fixture.say("bob \(index)", in: room, by: Self.bob, relation("m.thread", root)) }
            let last = try await fixture.say("alice", in: room, relation("m.thread", root))
            try await fixture.edit(last, to: "edited", in: room)

            for fixture in [fixture, try await RoomsFixture(database)] {
                let room = try await fixture.rooms.existing(room.id)
                let thread = try #require(try await bundle(of: root, fixture, room, for: Self.carol)?.thread)
                #expect(thread.latest.id == last && thread.replyCount == 4 && !thread.hasParticipated)
                #expect(thread.ofLatest?.edit?.text == "* edited")
                #expect(try await bundle(of: root, fixture, room, for: Self.bob)?.thread?.hasParticipated == true)
                #expect(try await bundle(of: root, fixture, room)?.thread?.hasParticipated == true)

                let ignoring = try #require(try await bundle(of: root, fixture, room, for: Self.carol, ignoring: [Self.alice])?.thread)
                #expect(ignoring.replyCount == 3 && ignoring.latest.text == "bob 3")
            }

            try await fixture.redact(last, in: room)
            let thread = try #require(try await bundle(of: root, fixture, room, for: Self.carol)?.thread)
            #expect(thread.replyCount == 3 && thread.latest.text == "bob 3")
        }
    }

    @Test("a thread of which every reply was redacted is none", arguments: DatabaseKind.allCases)
    func emptiedThread(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let fixture = try await RoomsFixture(database)
            let room = try await fixture.room()
            let root = try await fixture.say("root", in: room)
            let reply = try await fixture.say("reply", in: room, relation("m.thread", root))
            try await fixture.redact(reply, in: room)
            #expect(try await bundle(of: root, fixture, room) == nil)
            let threads = try await fixture.history.threads(in: fixture.view(room), participatedOnly: false, before: nil, limit: 5)
            #expect(threads.events.isEmpty)
            // A second redaction takes nothing off a second time.
            try await fixture.redact(reply, in: room)
            try await fixture.say("new", in: room, relation("m.thread", root))
            #expect(try await bundle(of: root, fixture, room)?.thread?.replyCount == 1)
        }
    }

    @Test("references are listed, those of ignored users left out", arguments: DatabaseKind.allCases)
    func references(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let fixture = try await RoomsFixture(database)
            let room = try await fixture.room(members: [Self.bob])
            let id = try await fixture.say("poll", in: room)
            let mine = try await fixture.say("a", in: room, relation("m.reference", id))
            let theirs = try await fixture.say("b", in: room, by: Self.bob, relation("m.reference", id))
            #expect(try await bundle(of: id, fixture, room)?.references == [mine, theirs])
            #expect(try await bundle(of: id, fixture, room, ignoring: [Self.bob])?.references == [mine])
        }
    }

    @Test("the same annotation is refused a second time, until the first one is redacted", arguments: DatabaseKind.allCases)
    func duplicates(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let fixture = try await RoomsFixture(database)
            let room = try await fixture.room(members: [Self.bob])
            let id = try await fixture.say("hello", in: room)
            let like = try await fixture.react("👍", to: id, in: room)
            try await fixture.react("👎", to: id, in: room)
            try await fixture.react("👍", to: id, in: room, by: Self.bob)
            #expect(try await errorCode { try await fixture.react("👍", to: id, in: room) } == "M_DUPLICATE_ANNOTATION")
            let again = try await RoomsFixture(database)
            let sameRoom = try await again.rooms.existing(room.id)
            #expect(try await errorCode { try await again.react("👍", to: id, in: sameRoom) } == "M_DUPLICATE_ANNOTATION")
            try await again.redact(like, in: sameRoom)
            try await again.react("👍", to: id, in: sameRoom)
        }
    }

    @Test("of many equal annotations at once one is taken", arguments: DatabaseKind.allCases)
    func concurrentDuplicates(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let fixture = try await RoomsFixture(database)
            let room = try await fixture.room()
            let id = try await fixture.say("hello", in: room)
            let taken = try await withThrowingTaskGroup(of: Bool.self) { group in
                for _ in 0..<20 { group.addTask { try await errorCode { try await fixture.react("👍", to: id, in: room) } == nil } }
                return try await group.reduce(0) { $0 + ($1 ? 1 : 0) }
            }
            #expect(taken == 1)
        }
    }

    @Test("relations that make no sense are refused", arguments: DatabaseKind.allCases)
    func refusals(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let fixture = try await RoomsFixture(database)
            let room = try await fixture.room()
            let other = try await fixture.room()
            let root = try await fixture.say("root", in: room)
            let reply = try await fixture.say("reply", in: room, relation("m.thread", root))
            let elsewhere = try await fixture.say("elsewhere", in: other)
            func refuses(_ relation: JSONValue) async throws -> Bool {
                try await errorCode { try await fixture.say("x", in: room, relation) } == "M_UNKNOWN"
            }
            #expect(try await refuses(relation("m.thread", reply)))
            #expect(try await refuses(relation("m.reference", elsewhere)))
            #expect(try await refuses(relation("m.reference", EventID(trusted: "$unknown"))))
            #expect(try await refuses(relation("m.annotation", root)))
            #expect(try await refuses(relation("m.annotation", root, key: String(repeating: "x", count: 501))))
            #expect(try await !refuses(["m.in_reply_to": ["event_id": "$unknown"]]))
        }
    }

    @Test("the thread of an event is the one it or what it relates to belongs to", arguments: DatabaseKind.allCases)
    func threadOfEvent(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let fixture = try await RoomsFixture(database)
            let room = try await fixture.room()
            let root = try await fixture.say("root", in: room)
            let reply = try await fixture.say("reply", in: room, relation("m.thread", root))
            let edit = try await fixture.edit(reply, to: "edited", in: room)
            let reaction = try await fixture.react("👍", to: edit, in: room)
            let note = try await fixture.say("note", in: room, relation("m.reference", root))
            for fixture in [fixture, try await RoomsFixture(database)] {
                for (id, thread) in [(root, nil), (reply, root), (edit, root), (reaction, root), (note, nil)] as [(EventID, EventID?)] {
                    let event = try #require(try await fixture.events.event(id))
                    #expect(event.thread == thread)
                    #expect(try await fixture.events.thread(of: event.nid) == thread)
                }
            }
        }
    }

    @Test("pages of relations give each event once, in either direction", arguments: DatabaseKind.allCases)
    func pages(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let fixture = try await RoomsFixture(database)
            let room = try await fixture.room()
            let root = try await fixture.say("root", in: room)
            var direct: [EventID] = []
            var all: [EventID] = []
            for index in 0..<7 {
                let reply = try await fixture.say("\(index)", in: room, relation("m.thread", root))
                let reaction = try await fixture.react("👍", to: reply, in: room)
                direct.append(reply)
                all += [reply, reaction]
            }
            let onRoot = try await fixture.react("👍", to: root, in: room)
            direct.append(onRoot)
            all.append(onRoot)

            func read(_ direction: RoomHistory.Direction, _ change: (inout RelationsRequest) -> Void = { _ in }) async throws -> [EventID] {
                var request = RelationsRequest(parent: root, limit: 3)
                request.direction = direction
                change(&request)
                var found: [EventID] = []
                while true {
                    let page = try await fixture.history.relations(request, in: fixture.view(room))
                    found += page.events.map(\.event.id)
                    guard let next = page.next else { return found }
                    request.from = next
                }
            }
            #expect(try await read(.forwards) == direct)
            #expect(try await read(.backwards) == direct.reversed())
            #expect(try await read(.forwards) { $0.recurses = true } == all)
            #expect(try await read(.backwards) { $0.recurses = true } == all.reversed())
            #expect(try await read(.forwards) { $0.relType = "m.thread" } == Array(direct.dropLast()))
            let reactions = all.filter { !direct.contains($0) } + [onRoot]
            let onlyReactions = try await read(.forwards) { request in
                request.relType = "m.annotation"
                request.eventType = "m.reaction"
                request.recurses = true
            }
            #expect(onlyReactions == reactions)
        }
    }

    @Test("threads are listed by their newest replies, page by page", arguments: DatabaseKind.allCases)
    func threadList(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let fixture = try await RoomsFixture(database)
            let room = try await fixture.room(members: [Self.bob])
            var roots: [EventID] = []
            for index in 0..<5 { roots.append(try await fixture.say("root \(index)", in: room)) }
            for index in [3, 0, 4, 1, 2] { try await fixture.say("reply", in: room, by: Self.bob, relation("m.thread", roots[index])) }
            try await fixture.say("mine", in: room, relation("m.thread", roots[3]))

            func list(_ user: UserID, participatedOnly: Bool = false, ignoring: Set<UserID> = []) async throws -> [ViewedEvent] {
                var found: [ViewedEvent] = []
                var start: StreamPosition?
                repeat {
                    let page = try await fixture.history.threads(
                        in: fixture.view(room, user, ignoring: ignoring), participatedOnly: participatedOnly, before: start, limit: 2)
                    found += page.events
                    start = page.next
                } while start != nil
                return found
            }
            #expect(try await list(Self.bob).map(\.event.id) == [3, 2, 1, 4, 0].map { roots[$0] })
            #expect(try await list(Self.bob).first?.aggregations?.thread?.replyCount == 2)
            #expect(try await list(Self.bob, participatedOnly: true).count == 5)
            try await fixture.join(Self.carol, room)
            #expect(try await list(Self.carol, participatedOnly: true).isEmpty)
            // What an ignored user began is shown without what was said.
            let hidden = try await list(Self.carol, ignoring: [Self.alice])
            #expect(hidden.count == 5 && hidden.allSatisfy { $0.event.contentIfReadable?.count == 0 })
        }
    }

    @Test("who has left gets nothing that came later", arguments: DatabaseKind.allCases)
    func departed(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let fixture = try await RoomsFixture(database)
            let room = try await fixture.room(members: [Self.bob])
            let id = try await fixture.say("one", in: room)
            let reply = try await fixture.say("before", in: room, relation("m.thread", id))
            try await fixture.leave(Self.bob, room)
            try await fixture.edit(id, to: "secret", in: room)
            try await fixture.say("after", in: room, relation("m.thread", id))
            #expect(try await bundle(of: id, fixture, room, for: Self.bob) == nil)
            let page = try await fixture.history.relations(RelationsRequest(parent: id, limit: 10), in: fixture.view(room, Self.bob))
            #expect(page.events.map(\.event.id) == [reply])
        }
    }

    @Test("a redaction sent like any event works in old and new room versions", arguments: [RoomVersion.v10, .v11, .v12])
    func redactionBySend(version: RoomVersion) async throws {
        try await withDatabase(.sqlite) { database in
            let fixture = try await RoomsFixture(database)
            let room = try await fixture.room(version: version, members: [Self.bob])
            let id = try await fixture.say("hello", in: room)
            func redact(_ content: JSONObject, by user: UserID) async throws -> String? {
                try await errorCode {
                    try await room.send(EventDraft(type: "m.room.redaction", content: content, sender: user), from: EventOrigin(user: user))
                }
            }
            #expect(try await redact([:], by: Self.alice) == "M_BAD_JSON")
            #expect(try await redact(["redacts": 1], by: Self.alice) == "M_BAD_JSON")
            #expect(try await redact(["redacts": .string(id.string)], by: Self.bob) == "M_FORBIDDEN")
            #expect(try await redact(["redacts": .string(id.string)], by: Self.alice) == nil)
            #expect(try await fixture.events.event(id)?.text == "")
        }
    }

    @Test("a redaction of an event that is not here yet is noted", arguments: DatabaseKind.allCases)
    func pendingRedactions(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let fixture = try await RoomsFixture(database)
            let room = try await fixture.room(members: [Self.bob])
            let unknown = EventID(trusted: "$later")
            let redaction = try await fixture.redact(unknown, in: room)
            #expect(try await errorCode { try await fixture.redact(unknown, in: room, by: Self.bob) } == "M_NOT_FOUND")
            let nid = try await fixture.events.event(redaction)?.nid
            let found = try await database.read { try PendingRedactionStore.redactions(of: [unknown], on: $0) }
            #expect(found == [unknown: [nid].compactMap { $0 }])
            try await database.write { try PendingRedactionStore.remove(unknown, on: $0) }
            #expect(try await database.read { try PendingRedactionStore.redactions(of: [unknown], on: $0) }.isEmpty)
        }
    }
}
