// What was missed and stands where it was said when it is found.

import MatrixCore
import Persistence
import Rooms
import TestSupport
import Testing

@Suite("Gaps in timelines")
struct GapTests {
    /// Two servers in a room, of which one misses what the other says.
    private struct Scene {
        let here: FederatedServer
        let other: FederatedServer
        let room: RoomID
        /// The room's state before the first server came into it.
        let beginning: [EventID]
        /// What was said before.
        let early: [Event]
        let join: Event
        let ours: Room

        init(_ one: any Database, _ two: any Database, earlyCount: Int = 0) async throws {
            (here, other) = (try await FederatedServer("here", one), try await FederatedServer("other", two))
            room = try await other.newRoom(.v11).id
            beginning = Array(try await other.state(of: room).values)
            early = try await Self.say(earlyCount, "early", at: other, in: room)
            let handover = try await other.letIn(here.admin, of: here, to: room)
            join = handover.join
            ours = try await here.rooms.takeOver(handover)
        }

        func say(_ text: String) async throws -> Event { try #require(try await say(1, text).first) }

        func say(_ count: Int, _ text: String) async throws -> [Event] { try await Self.say(count, text, at: other, in: room) }

        private static func say(_ count: Int, _ text: String, at server: FederatedServer, in room: RoomID) async throws -> [Event] {
            var said: [Event] = []
            for number in 0..<count {
                let draft = EventDraft(
                    type: "m.room.message", content: ["msgtype": "m.text", "body": .string("\(text) \(number)")], sender: server.admin)
                said.append(try #require(try await server.send(draft, in: room)))
            }
            return said
        }

        /// An event comes of which nobody tells what it follows.
        func hear(afterGap event: Event) async throws {
            var remote = RemoteEvent(event)
            for id in event.prevEvents { remote.statesAfterMissing[id] = Array(try await other.state(of: room).values) }
            #expect(try await ours.receive(remote).refusal == nil)
        }

        func hear(_ events: [Event]) async throws {
            for event in events { #expect(try await ours.receive(RemoteEvent(event)).refusal == nil) }
        }

        func history(_ past: (any RoomPast)?, of server: FederatedServer? = nil) -> RoomHistory {
            let server = server ?? here
            return RoomHistory(rooms: server.rooms, events: EventReader(environment: server.rooms.environment), past: past)
        }

        /// All pages back to the beginning: the messages in the order in which they come.
        func messages(_ history: RoomHistory, limit: Int = 4) async throws -> [EventID] {
            let view = try await history.view(of: room, for: here.admin)
            var found: [EventID] = []
            var next: StreamPosition? = view.end
            while let start = next {
                let page = try await history.page(of: view, .backwards, from: start, to: nil, limit: limit, filter: .everything)
                found += page.events.filter { $0.event.type == "m.room.message" }.map(\.event.id)
                next = page.next
            }
            return found
        }

        var gaps: [StreamPosition] {
            get async throws {
                let nid = ours.nid
                return try await here.database.read { try MissingEventStore.gaps(in: nid, on: $0) }.map(\.floor).filter { $0 > .zero }
            }
        }
    }

    /// Others who have what was said, and give some of it at a time.
    private actor Memory: RoomPast {
        private let events: [EventID: Event]
        private let state: [EventID]
        private let size: Int
        private(set) var questions: [StreamPosition] = []

        init(_ events: [Event], state: some Sequence<EventID>, size: Int = 3) {
            self.events = Dictionary(uniqueKeysWithValues: events.map { ($0.id, $0) })
            self.state = Array(state)
            self.size = size
        }

        func extend(_ room: Room, in gap: StreamPosition) async throws -> Bool {
            questions.append(gap)
            let nid = room.nid
            let missing = try await room.environment.database.read { try MissingEventStore.events(in: nid, floor: gap, limit: 1, on: $0) }
            var part: [Event] = []
            var next = missing.first.flatMap { events[$0.id] }
            while let event = next, part.count < size {
                part.append(event)
                next = event.prevEvents.first.flatMap { events[$0] }
            }
            part.reverse()
            let past = try await room.pastPlaces(for: part)
            for (event, place) in zip(part, past.places) {
                var remote = RemoteEvent(event, path: .past)
                (remote.position, remote.floor) = (place.position, place.floor)
                for id in event.prevEvents { remote.statesAfterMissing[id] = state }
                _ = try await room.receive(remote)
            }
            try await room.didFill(past)
            return !part.isEmpty
        }
    }

    @Test("what is fetched for a gap stands in it, and what is fetched for the beginning before all", arguments: DatabaseKind.allCases)
    func filling(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { one in
            try await withDatabase(.sqlite) { two in
                let scene = try await Scene(one, two, earlyCount: 4)
                let heard = try await scene.say(2, "heard")
                try await scene.hear(heard)
                let missed = try await scene.say(8, "missed")
                let later = try await scene.say(2, "later")
                try await scene.hear(afterGap: later[0])
                try await scene.hear([later[1]])
                let missedAgain = try await scene.say(3, "missed again")
                let last = try await scene.say("last")
                try await scene.hear(afterGap: last)
                #expect(try await scene.gaps.count == 2)

                // Nobody can be asked: all that is here comes.
                let known = [last] + later.reversed() + heard.reversed()
                #expect(try await scene.messages(scene.history(nil)) == known.map(\.id))

                // After a restart the gaps are still there.
                let again = try await scene.here.restarted()
                try await again.rooms.environment.gaps.restore(from: one)
                let memory = Memory(scene.early + missed + missedAgain, state: scene.beginning)
                let history = scene.history(memory, of: again)
                let all = (scene.early + heard + missed + later + missedAgain + [last]).reversed()
                #expect(try await scene.messages(history) == all.map(\.id))
                // Once more, from what is here now.
                let questions = await memory.questions.count
                #expect(try await scene.messages(history, limit: 100) == all.map(\.id))
                let beginnings = await memory.questions.dropFirst(questions)
                #expect(beginnings.allSatisfy { $0 == .zero })
                #expect(try await scene.gaps.isEmpty)
            }
        }
    }

    @Test("who pages with small pages comes through a gap without leaving anything out", arguments: [1, 2, 5, 50])
    func smallPages(limit: Int) async throws {
        try await withDatabase(.sqlite) { one in
            try await withDatabase(.sqlite) { two in
                let scene = try await Scene(one, two)
                let heard = try await scene.say(3, "heard")
                try await scene.hear(heard)
                let missed = try await scene.say(40, "missed")
                let last = try await scene.say("last")
                try await scene.hear(afterGap: last)
                let memory = Memory(missed, state: try await scene.other.state(of: scene.room).values)
                let found = try await scene.messages(scene.history(memory), limit: limit)
                #expect(found == (heard + missed + [last]).reversed().map(\.id))
            }
        }
    }

    @Test("who looks for something that is before a gap comes there, though nothing in the gap is shown")
    func filteredPages() async throws {
        try await withDatabase(.sqlite) { one in
            try await withDatabase(.sqlite) { two in
                let scene = try await Scene(one, two)
                try await scene.hear(try await scene.say(3, "heard"))
                let missed = try await scene.say(40, "missed")
                let last = try await scene.say("last")
                try await scene.hear(afterGap: last)
                let memory = Memory(missed, state: try await scene.other.state(of: scene.room).values)
                let history = scene.history(memory)
                let view = try await history.view(of: scene.room, for: scene.here.admin)
                let filter = try RoomEventFilter(json: JSONDocument(parsing: Array(#"{"types":["m.room.member"]}"#.utf8)).root)
                var found: [EventID] = []
                var places: [StreamPosition] = []
                var next: StreamPosition? = view.end
                while let start = next {
                    places.append(start)
                    let page = try await history.page(of: view, .backwards, from: start, to: nil, limit: 10, filter: filter)
                    found += page.events.map(\.event.id)
                    next = page.next
                }
                #expect(found.contains(scene.join.id))
                // Each page begins further back than the one before.
                #expect(places == places.sorted(by: >) && Set(places).count == places.count)
                #expect(try await scene.gaps.isEmpty)
            }
        }
    }

    @Test("a gap of which nobody knows more is passed over, and what is before it comes")
    func lostGap() async throws {
        try await withDatabase(.sqlite) { one in
            try await withDatabase(.sqlite) { two in
                let scene = try await Scene(one, two)
                let heard = try await scene.say(3, "heard")
                try await scene.hear(heard)
                _ = try await scene.say(5, "missed")
                let last = try await scene.say("last")
                try await scene.hear(afterGap: last)
                let nobody = Memory([], state: [])
                let found = try await scene.messages(scene.history(nobody), limit: 2)
                #expect(found == (heard + [last]).reversed().map(\.id))
                #expect(await nobody.questions.contains { $0 > .zero })
            }
        }
    }

    @Test("an event that comes as usual opens no gap, and neither does one that names what is known to be missing")
    func noGap() async throws {
        try await withDatabase(.sqlite) { one in
            try await withDatabase(.sqlite) { two in
                let scene = try await Scene(one, two)
                let before = scene.here.journal.position
                let heard = try await scene.say(3, "heard")
                try await scene.hear(heard)
                #expect(scene.here.journal.position.value == before.value + 3)
                #expect(try await scene.gaps.isEmpty)

                _ = try await scene.say(2, "missed")
                let later = try await scene.say("later")
                try await scene.hear(afterGap: later)
                let afterGap = scene.here.journal.position
                #expect(afterGap.value > before.value + Int64(TimelineGaps.width))
                func event(after previous: [EventID], depth: Int64) throws -> Event {
                    try Event.build(
                        EventDraft(type: "m.room.message", content: ["body": "else", "msgtype": "m.text"], sender: scene.other.admin),
                        roomID: scene.room, version: .v11, prevEvents: previous, authEvents: later.authEvents, depth: depth,
                        originServerTimestamp: .now, origin: scene.other.name, key: scene.other.key)
                }
                // Another one after the same event that is missing, and one that was said when this server came into the room.
                try await scene.hear(afterGap: event(after: later.prevEvents, depth: later.depth))
                let unknown = EventID(trusted: "$" + String(repeating: "u", count: 43))
                try await scene.hear(afterGap: event(after: [unknown], depth: scene.join.depth))
                #expect(scene.here.journal.position.value == afterGap.value + 2)
                #expect(try await scene.gaps.count == 1)
            }
        }
    }

    @Test("what happened while this server was not in a room stands between its stays")
    func awayForAWhile() async throws {
        try await withDatabase(.sqlite) { one in
            try await withDatabase(.sqlite) { two in
                let scene = try await Scene(one, two)
                let heard = try await scene.say(2, "heard")
                try await scene.hear(heard)
                let leave = try #require(
                    try await scene.here.send(
                        EventDraft(
                            type: "m.room.member", stateKey: scene.here.admin.text, content: ["membership": "leave"],
                            sender: scene.here.admin),
                        in: scene.room))
                #expect(try await scene.other.rooms.existing(scene.room).receive(RemoteEvent(leave)).refusal == nil)
                let missed = try await scene.say(7, "missed")
                try await scene.here.rooms.takeOver(try await scene.other.letIn(scene.here.admin, of: scene.here, to: scene.room))
                let last = try await scene.say("last")
                try await scene.hear([last])
                let memory = Memory(missed, state: try await scene.other.state(of: scene.room).values)
                let found = try await scene.messages(scene.history(memory))
                #expect(found == (heard + missed + [last]).reversed().map(\.id))
            }
        }
    }

    // MARK: Rules

    private func event(_ name: String, after previous: [String], depth: Int64) throws -> Event {
        let id = { (name: String) in EventID(trusted: "$\(name):test") }
        let json = """
            {"type":"m.room.message","room_id":"!r:test","sender":"@a:test","event_id":"\(id(name))","content":{},"depth":\(depth),\
            "origin_server_ts":1,"hashes":{"sha256":"x"},"signatures":{},"auth_events":[],\
            "prev_events":[\(previous.map { "[\"\(id($0))\",{}]" }.joined(separator: ","))]}
            """
        return try Event(trusted: Array(json.utf8), id: id(name), version: .v1)
    }

    @Test("an event belongs to the gap of those that name it, to the first of several, and what is less deep than an older gap to that")
    func floors() throws {
        let (older, newer) = (StreamPosition(100), StreamPosition(5_000_000))
        let events = [
            try event("a", after: [], depth: 5), try event("b", after: ["a"], depth: 8), try event("c", after: ["b"], depth: 11),
            try event("d", after: ["c"], depth: 12), try event("stranger", after: [], depth: 13), try event("e", after: ["d"], depth: 14),
        ]
        func floors(_ known: [String: StreamPosition], _ gaps: [(StreamPosition, Int64)]) -> [StreamPosition] {
            let known = Dictionary(uniqueKeysWithValues: known.map { (EventID(trusted: "$\($0.key):test"), $0.value) })
            return PastPlaces.floors(of: events, known: known, gaps: gaps.map { (floor: $0.0, depth: $0.1) })
        }
        #expect(floors(["e": newer], [(newer, 15)]) == [newer, newer, newer, newer, .zero, newer])
        // The same events are missing in two gaps.
        #expect(floors(["e": newer, "c": older], [(older, 12), (newer, 15)]) == [older, older, older, newer, .zero, newer])
        // The one before what is known is less deep than these.
        #expect(floors(["e": newer], [(.zero, 10), (newer, 15)]) == [.zero, .zero, newer, newer, .zero, newer])
    }

    @Test("a gap is filled from its upper end downwards, and what does not fit into it stands before all")
    func places() {
        let floor = StreamPosition(100)
        let top = floor.advanced(by: TimelineGaps.width)
        var past: Int64 = 0
        func places(_ floors: [StreamPosition], first: StreamPosition) -> [Int64] {
            PastPlaces.places(in: floors, first: [floor: first]) {
                past -= 1
                return StreamPosition(past)
            }.map(\.position.value)
        }
        // Other rooms' events may stand between the gap and what comes after it.
        #expect(places([.zero, floor, .zero, floor], first: top.advanced(by: 7)) == [-2, top.value - 1, -1, top.value])
        #expect(places([floor, floor], first: top.advanced(by: -10)) == [top.value - 12, top.value - 11])
        #expect(places([floor, floor, floor], first: floor.advanced(by: 2)) == [-4, -3, floor.value + 1])
    }

    @Test("a gap counts as open for those who do not know yet what was found in it")
    func closing() {
        let gaps = TimelineGaps()
        let (room, floor) = (RoomNID(1), StreamPosition(100))
        gaps.open(floor, in: room)
        func isOpen(asOf position: Int64) -> Bool {
            gaps.newest(in: room, from: StreamPosition(5_000_000), downTo: .start, asOf: StreamPosition(position)) == floor
        }
        #expect(isOpen(asOf: 200) && isOpen(asOf: .max))
        gaps.close(floor, in: room, at: StreamPosition(300))
        #expect(isOpen(asOf: 299) && !isOpen(asOf: 300) && !isOpen(asOf: .max))
        #expect(gaps.newest(in: room, from: floor, downTo: .start, asOf: .zero) == nil)
        #expect(gaps.newest(in: room, from: StreamPosition(200), downTo: StreamPosition(101), asOf: .zero) == nil)
        gaps.close(StreamPosition(1), in: RoomNID(2), at: StreamPosition(301))
        #expect(!isOpen(asOf: 0))
    }
}
