import MatrixCore
import Testing

/// Graphs that no honest server makes: the resolution ends, in a state that is made of what is known.
@Suite struct HostileGraphTests {
    private let admin = "@admin:a.example"

    private func room(_ version: RoomVersion) throws -> SimulatedRoom {
        var room = try SimulatedRoom(version, users: [admin: 100])
        try room.join("admin", by: admin, after: ["rules"])
        return room
    }

    private func topic(_ name: String, auth: [String], in room: SimulatedRoom) throws -> Event {
        let draft = EventDraft(type: "m.room.topic", stateKey: "", content: ["topic": .string(name)], sender: UserID(trusted: admin))
        return try room.event(
            named: name, draft, ["topic": .string(name)], prev: [room.eventID("admin")], auth: auth.map(room.eventID), time: 50_000,
            depth: 9)
    }

    @Test("an event that nobody has loses", arguments: [RoomVersion.v1, .v2, .v11, .v12])
    func missingEvent(version: RoomVersion) throws {
        var room = try room(version)
        try room.send("topic", "m.room.topic", "", ["topic": "t"], by: admin, after: ["admin"])
        let known = try #require(room.statesAfter[room.eventID("topic")])
        var unknown = known
        unknown[.topic] = room.eventID("nowhere")
        #expect(try room.resolved([known, unknown])[.topic] == room.eventID("topic"))
        #expect(try room.resolved([unknown, known])[.topic] == room.eventID("topic"))
    }

    @Test("auth events that nobody has authorize nothing, and do no harm to those that are known", arguments: [RoomVersion.v2, .v11, .v12])
    func missingAuthEvents(version: RoomVersion) throws {
        var room = try room(version)
        let state = try #require(room.statesAfter[room.eventID("admin")])
        let auth = version.createEventDecidesRoomID ? ["power", "admin"] : ["create", "power", "admin"]
        room.insert(try topic("partly", auth: auth + ["nowhere"], in: room))
        room.insert(try topic("orphan", auth: ["nowhere"], in: room))
        func with(_ name: String) -> StateMap { state.merging([.topic: room.eventID(name)]) { $1 } }
        #expect(try room.resolved([with("partly"), state])[.topic] == room.eventID("partly"))
        let alone = try room.resolved([with("orphan"), state])[.topic]
        // Version 2 checks it against what the states agree on; 2.1 has only the auth events, which are not there.
        #expect(alone == (version.stateResolution == .v2_1 ? nil : room.eventID("orphan")))
    }

    @Test("events of another room do not exist", arguments: [RoomVersion.v1, .v2, .v11, .v12])
    func otherRoom(version: RoomVersion) throws {
        var room = try room(version)
        try room.send("topic", "m.room.topic", "", ["topic": "t"], by: admin, after: ["admin"])
        let json: JSONObject = [
            "auth_events": [], "prev_events": [], "content": [:], "depth": 1, "origin_server_ts": 99_000, "sender": .string(admin),
            "type": "m.room.topic", "state_key": "", "room_id": "!elsewhere:a.example", "event_id": "$foreign:a.example",
        ]
        let foreign = try Event(trusted: json.canonicalBytes, id: room.eventID("foreign"), version: .v2)
        room.insert(foreign)
        let state = try #require(room.statesAfter[room.eventID("topic")])
        let other = state.merging([.topic: foreign.id]) { $1 }
        #expect(try room.resolved([state, other])[.topic] == room.eventID("topic"))
    }

    @Test("auth events that go in a circle end nothing but themselves")
    func cycles() throws {
        var room = try room(.v2)
        let state = try #require(room.statesAfter[room.eventID("admin")])
        let levels = room.levels([admin: 100])
        for (name, next) in [("one", "two"), ("two", "three"), ("three", "one")] {
            let draft = EventDraft(type: "m.room.power_levels", stateKey: "", content: levels, sender: UserID(trusted: admin))
            room.insert(
                try room.event(
                    named: name, draft, levels, prev: [], auth: ["create", "admin", next].map(room.eventID), time: 50_000, depth: 9))
        }
        room.insert(try topic("topic", auth: ["create", "one", "admin"], in: room))
        room.insert(try topic("self", auth: ["create", "self", "admin"], in: room))
        func with(_ key: StateKey, _ name: String) -> StateMap { state.merging([key: room.eventID(name)]) { $1 } }
        #expect(try room.resolved([with(.powerLevels, "one"), state])[.powerLevels] == room.eventID("power"))
        #expect(try room.resolved([with(.topic, "topic"), with(.topic, "self")])[.powerLevels] == room.eventID("power"))
        var both = with(.powerLevels, "two")
        both[.topic] = room.eventID("topic")
        let first = try room.resolved([both, state, with(.topic, "self")])
        #expect(try room.resolved([with(.topic, "self"), both, state]) == first)
    }

    @Test("an auth chain of a hundred thousand events is walked, not climbed by recursion", arguments: [RoomVersion.v11, .v12])
    func longChain(version: RoomVersion) throws {
        var room = try room(version)
        let base = try #require(room.statesAfter[room.eventID("admin")])
        let fixed = version.createEventDecidesRoomID ? ["power", "rules"] : ["create", "power", "rules"]
        var previous = "admin"
        let key = StateKey.member(admin)
        for number in 1...100_000 {
            let content: JSONObject = ["membership": "join", "displayname": .int(Int64(number))]
            let draft = EventDraft(type: key.type, stateKey: key.stateKey, content: content, sender: UserID(trusted: admin))
            let name = "name\(number)"
            room.insert(
                try room.event(
                    named: name, draft, content, prev: [], auth: (fixed + [previous]).map(room.eventID), time: 50_000 + Int64(number),
                    depth: 4 + Int64(number)))
            previous = name
        }
        // On one fork the user has changed their name a hundred thousand times, on the other never: all of it is the difference.
        let newest = base.merging([key: room.eventID(previous)]) { $1 }
        #expect(try room.resolved([newest, base])[key] == room.eventID(previous))
        // Where both forks have it, none of it is looked at.
        room.insert(try topic("topic", auth: fixed.filter { $0 != "rules" } + [previous], in: room))
        let resolver = RequestCounter(room: room)
        let resolved = try resolver.resolve([newest.merging([.topic: room.eventID("topic")]) { $1 }, newest])
        #expect(resolved[.topic] == room.eventID("topic"))
        #expect(resolver.count < 50)
    }
}

/// A source that counts what it is asked for.
final class RequestCounter: ResolutionSource {
    private let room: SimulatedRoom
    /// Events and citations that were given.
    private(set) var count = 0

    init(room: SimulatedRoom) { self.room = room }

    func resolve(_ states: [StateMap]) throws -> StateMap {
        try StateResolution.resolve(states, in: room.id, version: room.version, events: self)
    }

    func events(_ ids: [EventID]) throws -> [ResolutionEvent] {
        count += ids.count
        return room.pool.events(ids)
    }

    func citations(_ request: CitationsRequest) throws -> [Citation] {
        let citations = room.pool.citations(request)
        count += citations.count
        return citations
    }
}

/// Cost follows the difference, not the room. Requests are counted, because time depends on the machine.
@Suite struct StateResolutionCostTests {
    @Test("what is asked for does not grow with the members of the room", arguments: [RoomVersion.v11, .v12])
    func costFollowsTheDifference(version: RoomVersion) throws {
        func requests(members: Int) throws -> Int {
            let admin = "@admin:a.example"
            var room = try SimulatedRoom(version, users: [admin: 100])
            try room.join("admin", by: admin, after: ["rules"])
            var state = try #require(room.statesAfter[room.eventID("admin")])
            let fixed = (version.createEventDecidesRoomID ? ["power", "rules"] : ["create", "power", "rules"]).map(room.eventID)
            for number in 0..<members {
                let user = UserID(trusted: "@member\(number):b.example")
                let draft = EventDraft(type: "m.room.member", stateKey: user.text, content: ["membership": "join"], sender: user)
                let event = try room.event(
                    named: "member\(number)", draft, ["membership": "join"], prev: [], auth: fixed, time: 20_000 + Int64(number), depth: 6)
                room.insert(event)
                state[.member(user)] = event.id
            }
            // Two forks: new power levels and a ban here, topics there.
            var forks = [state, state]
            let create = version.createEventDecidesRoomID ? [] : [room.eventID("create")]
            let auth = create + [room.eventID("power"), room.eventID("admin")]
            let drafts: [(Int, ByteString, ByteString, JSONObject)] = [
                (0, "m.room.power_levels", "", room.levels([admin: 100, "@member1:b.example": 50])),
                (0, "m.room.member", "@member2:b.example", ["membership": "ban"]),
                (0, "m.room.topic", "", ["topic": "here"]),
                (1, "m.room.topic", "", ["topic": "there"]),
                (1, "m.room.power_levels", "", room.levels([admin: 100])),
            ]
            for (number, (fork, type, stateKey, content)) in drafts.enumerated() {
                let draft = EventDraft(type: type, stateKey: stateKey, content: content, sender: UserID(trusted: admin))
                let key = StateKey(type: type, stateKey: stateKey)
                let target = type == "m.room.member" ? state[key].map { [$0] } ?? [] : []
                let event = try room.event(
                    named: "new\(number)", draft, content, prev: [], auth: auth + target, time: 900_000 + Int64(number), depth: 50)
                room.insert(event)
                forks[fork][key] = event.id
            }
            let counter = RequestCounter(room: room)
            _ = try counter.resolve(forks)
            return counter.count
        }
        let small = try requests(members: 200)
        #expect(try requests(members: 4000) == small)
        #expect(small < 600)
    }
}
