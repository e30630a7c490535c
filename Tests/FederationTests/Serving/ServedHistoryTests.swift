// Events as other servers get them: one, those before others, and as much of each as the server may see.

import Federation
import MatrixCore
import Persistence
import Rooms
import TestSupport
import Testing

private let (remote, other) = (ServingFixture.remote, ServingFixture.other)
private let (alice, bob, rita, rolf) = (ServingFixture.alice, ServingFixture.bob, ServingFixture.rita, ServingFixture.rolf)

@Suite("What other servers read of histories")
struct ServedHistoryTests {
    // MARK: Walks

    @Test("backfill begins with the events named and goes back to the beginning", arguments: DatabaseKind.allCases, [RoomVersion.v1, .v10])
    func backfill(kind: DatabaseKind, version: RoomVersion) async throws {
        try await withDatabase(kind) { database in
            let fixture = try await ServingFixture(database)
            let room = try await fixture.room(version: version, members: [rita])
            var messages: [EventID] = []
            for number in 0..<5 { messages.append(try await fixture.say("\(number)", in: room)) }
            let joined = try await fixture.served.joined(room.id, by: remote)
            func backfill(_ start: [EventID], _ limit: Int) async throws -> [EventID] {
                try ids(try await fixture.served.events(upTo: start, in: joined, limit: limit), version)
            }
            #expect(try await backfill([messages[3]], 3) == [messages[3], messages[2], messages[1]])
            let all = try await fixture.timeline(of: room).reversed().map(\.id)
            #expect(try await backfill([messages[4]], 100) == all)
            #expect(try await backfill([messages[0], messages[4]], 2) == [messages[4], messages[3]])
            #expect(try await backfill([EventID(trusted: "$nothing:x")], 100) == [])
            let elsewhere = try await fixture.say("secret", in: try await fixture.room(.privateChat))
            #expect(try await backfill([elsewhere], 10) == [])
            for number in 0..<120 { try await fixture.say("\(number)", in: room) }
            #expect(try await backfill([try await fixture.say("last", in: room)], 1000).count == 100)
        }
    }

    /// Two branches that fork at `base` and meet again, with a rejected event on one of them.
    private func fork(_ fixture: ServingFixture, _ room: Room) async throws -> (
        base: EventID, left: [EventID], right: [EventID], end: EventID
    ) {
        let base = try await fixture.say("base", in: room)
        let depth = try #require(try await fixture.timeline(of: room).last?.depth)
        var position = StreamPosition(1_000_000)
        func add(_ text: String, after previous: [EventID], _ steps: Int64, _ flags: EventFlags = []) async throws -> EventID {
            defer { position = position.next }
            return try await fixture.store(
                fixture.event(text, after: previous, depth: depth + steps, in: room), in: room, at: position, flags: flags)
        }
        let left1 = try await add("left 1", after: [base], 1)
        let right1 = try await add("right 1", after: [base], 1)
        let left2 = try await add("left 2", after: [left1], 2, .rejected)
        let right2 = try await add("right 2", after: [right1], 2)
        let left3 = try await add("left 3", after: [left2], 3, .softFailed)
        let end = try await add("end", after: [left3, right2], 4)
        return (base, [left1, left2, left3], [right1, right2], end)
    }

    @Test("both branches of a fork are walked, the deeper event first; rejected events are passed over", arguments: DatabaseKind.allCases)
    func forks(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let fixture = try await ServingFixture(database)
            let room = try await fixture.room(members: [rita])
            let graph = try await fork(fixture, room)
            let joined = try await fixture.served.joined(room.id, by: remote)
            let found = try ids(try await fixture.served.events(upTo: [graph.end], in: joined, limit: 7), room.version)
            #expect(found == [graph.end, graph.left[2], graph.right[1], graph.right[0], graph.left[0], graph.base])

            let missing = MissingEventsRequest(earliest: [graph.base], latest: [graph.end], limit: 10)
            let events = try ids(try await fixture.served.missingEvents(missing, in: joined), room.version)
            #expect(events.count == 4 && Set(events) == [graph.left[0], graph.left[2], graph.right[0], graph.right[1]])
            #expect(Set(events.suffix(2)) == [graph.left[2], graph.right[1]])
        }
    }

    @Test("missing events end at what the server has, at the depth it names, and at twenty", arguments: DatabaseKind.allCases)
    func missingEvents(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let fixture = try await ServingFixture(database)
            let room = try await fixture.room(members: [rita])
            var messages: [EventID] = []
            for number in 0..<30 { messages.append(try await fixture.say("\(number)", in: room)) }
            let joined = try await fixture.served.joined(room.id, by: remote)
            func missing(_ request: MissingEventsRequest) async throws -> [EventID] {
                try ids(try await fixture.served.missingEvents(request, in: joined), room.version)
            }
            let between = MissingEventsRequest(earliest: [messages[2]], latest: [messages[6]], limit: 10)
            #expect(try await missing(between) == Array(messages[3...5]))
            #expect(try await missing(MissingEventsRequest(earliest: [], latest: [messages[6]], limit: 2)) == Array(messages[4...5]))
            #expect(try await missing(MissingEventsRequest(earliest: [], latest: [messages[29]], limit: 500)) == Array(messages[9...28]))
            let depth = try #require(try await fixture.timeline(of: room).first { $0.id == messages[20] }?.depth)
            let shallow = MissingEventsRequest(earliest: [], latest: [messages[29]], limit: 20, minimumDepth: depth)
            #expect(try await missing(shallow) == Array(messages[20...28]))
            let elsewhere = try await fixture.say("secret", in: try await fixture.room(.privateChat))
            #expect(try await missing(MissingEventsRequest(earliest: [], latest: [elsewhere], limit: 20)) == [])
            #expect(try await missing(MissingEventsRequest(earliest: [], latest: [messages[3]], limit: 0)) == [])
        }
    }

    // MARK: One event

    @Test("an event is for the servers of its room; a rejected one too, so that others can see why", arguments: DatabaseKind.allCases)
    func event(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let fixture = try await ServingFixture(database)
            let room = try await fixture.room(members: [rita])
            let message = try await fixture.say("hello", in: room)
            let stored = try #require(try await fixture.timeline(of: room).last)
            #expect(try await fixture.served.event(message, for: remote) == stored.json)
            #expect(try await errorCode { _ = try await fixture.served.event(message, for: other) } == "M_FORBIDDEN")
            #expect(try await errorCode { _ = try await fixture.served.event(EventID(trusted: "$none"), for: remote) } == "M_NOT_FOUND")
            let event = try fixture.event("rejected", after: [message], depth: 99, in: room)
            try await fixture.store(event, in: room, at: StreamPosition(1_000_000), flags: .rejected)
            #expect(try await fixture.served.event(event.id, for: remote) == event.json)
            let outlier = try fixture.event("outlier", after: [message], depth: 99, in: room)
            try await fixture.store(outlier, in: room, at: nil)
            #expect(try await fixture.served.event(outlier.id, for: remote) == outlier.json)
        }
    }

    @Test("a time leads to the event nearest to it, in either direction", arguments: DatabaseKind.allCases)
    func timestamp(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let fixture = try await ServingFixture(database)
            let room = try await fixture.room(members: [rita])
            let message = try await fixture.say("hello", in: room)
            let joined = try await fixture.served.joined(room.id, by: remote)
            let first = try #require(try await fixture.timeline(of: room).first)
            let found = try await fixture.served.event(nearest: Timestamp(milliseconds: 0), isBackwards: false, in: joined)
            #expect(found.id == first.id && found.timestamp == first.timestamp)
            let last = try await fixture.served.event(nearest: Timestamp(milliseconds: .max), isBackwards: true, in: joined)
            #expect(last.id == message)
            let nothing = Timestamp(milliseconds: 0)
            #expect(
                try await errorCode { _ = try await fixture.served.event(nearest: nothing, isBackwards: true, in: joined) } == "M_NOT_FOUND"
            )
        }
    }

    // MARK: Visibility

    /// The texts that a server reads of what it is sent; nil for a redacted message.
    private func texts(_ events: [[UInt8]]) throws -> [String?] {
        try events.map { try parsed($0) }.filter { $0["type"]?.isString("m.room.message") == true }.reversed().map {
            $0["content"]?["body"]?.string
        }
    }

    private func history(_ fixture: ServingFixture, _ room: Room, for server: ServerName) async throws -> [String?] {
        let last = try #require(try await fixture.timeline(of: room).last)
        let joined = try await fixture.served.joined(room.id, by: server)
        let events = try await fixture.served.events(upTo: [last.id], in: joined, limit: 100)
        #expect(try ids(events, room.version) == (try await fixture.timeline(of: room).reversed().map(\.id)))
        return try texts(events)
    }

    @Test("what a server may not see, it gets as after a redaction", arguments: DatabaseKind.allCases)
    func visibility(kind: DatabaseKind) async throws {
        let cases: [(HistoryVisibility, [String?])] = [
            (.shared, ["before", "invited", "joined", "gone", "back"]), (.worldReadable, ["before", "invited", "joined", "gone", "back"]),
            (.invited, [nil, "invited", "joined", nil, "back"]), (.joined, [nil, nil, "joined", nil, "back"]),
        ]
        try await withDatabase(kind) { database in
            let fixture = try await ServingFixture(database)
            for (setting, expected) in cases {
                let room = try await fixture.room(visibility: setting)
                try await fixture.say("before", in: room)
                try await fixture.become(.invite, rita, by: alice, in: room)
                try await fixture.say("invited", in: room)
                try await fixture.become(.join, rita, in: room)
                try await fixture.say("joined", in: room)
                try await fixture.become(.leave, rita, in: room)
                try await fixture.say("gone", in: room)
                try await fixture.become(.join, rolf, in: room)
                try await fixture.say("back", in: room)
                #expect(try await history(fixture, room, for: remote) == expected, "\(setting)")
            }
        }
    }

    @Test("a setting counts from its event on", arguments: DatabaseKind.allCases)
    func changedVisibility(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let fixture = try await ServingFixture(database)
            let room = try await fixture.room(visibility: .joined, members: [bob])
            try await fixture.say("hidden", in: room)
            try await fixture.set("m.room.history_visibility", ["history_visibility": "shared"], in: room)
            try await fixture.say("open", in: room)
            try await fixture.set("m.room.history_visibility", ["history_visibility": "joined"], in: room)
            try await fixture.say("hidden again", by: bob, in: room)
            try await fixture.become(.join, rita, in: room)
            #expect(try await history(fixture, room, for: remote) == [nil, "open", nil])
        }
    }

    @Test("a redacted event keeps its ID and its signatures")
    func redactedForm() async throws {
        try await withDatabase(.sqlite) { database in
            let fixture = try await ServingFixture(database)
            let room = try await fixture.room(visibility: .joined)
            let hidden = try await fixture.say("hidden", in: room)
            try await fixture.become(.join, rita, in: room)
            let event = try Event(parsing: try await fixture.served.event(hidden, for: remote), version: room.version)
            #expect(event.id == hidden && event.content().count == 0)
            let keys = [ByteString(fixture.key.keyID): fixture.key.verifyKey]
            #expect(try event.isSigned(by: ServingFixture.server, keys: keys))
            #expect(try !event.hasValidContentHash())
        }
    }

    @Test("what an erased user said is hidden from other servers", arguments: DatabaseKind.allCases)
    func erasure(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let fixture = try await ServingFixture(database)
            let room = try await fixture.room(members: [bob, rita])
            try await fixture.say("of bob", by: bob, in: room)
            try await fixture.say("of alice", in: room)
            #expect(try await history(fixture, room, for: remote) == ["of bob", "of alice"])
            fixture.rooms.environment.erasedUsers.insert(bob)
            #expect(try await history(fixture, room, for: remote) == [nil, "of alice"])
        }
    }
}
