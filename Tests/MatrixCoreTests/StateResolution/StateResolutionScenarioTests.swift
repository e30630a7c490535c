import MatrixCore
import Testing

/// Quarrels whose outcome is known, told as they happen. Rooms v2 §State resolution; Rooms v12 §State resolution.
@Suite struct StateResolutionScenarioTests {
    static let admin = "@admin:a.example"
    static let moderator = "@mod:a.example"
    static let alice = "@alice:b.example"
    /// Version 2 of the algorithm, and 2.1.
    static let versions: [RoomVersion] = [.v2, .v10, .v11, .v12]

    /// An admin (100), a moderator (50) and, unless she is not to be there, Alice (0) have joined.
    private func room(_ version: RoomVersion, withAlice: Bool = true) throws -> SimulatedRoom {
        var room = try SimulatedRoom(version, users: [Self.admin: 100, Self.moderator: 50])
        try room.join("admin", by: Self.admin, after: ["rules"])
        try room.join("mod", by: Self.moderator, after: ["admin"])
        if withAlice { try room.join("alice", by: Self.alice, after: ["mod"]) }
        return room
    }

    @Test("a ban wins over a join sent at the same time", arguments: versions, [true, false])
    func banBeatsConcurrentJoin(version: RoomVersion, joinIsOlder: Bool) throws {
        var room = try room(version, withAlice: false)
        let (banTime, joinTime): (Int64, Int64) = joinIsOlder ? (20_000, 10_000) : (10_000, 20_000)
        try room.member("ban", Self.alice, "ban", by: Self.admin, after: ["mod"], time: banTime)
        try room.member("join", Self.alice, "join", by: Self.alice, after: ["mod"], time: joinTime)
        #expect(try room.holder(.member(Self.alice), after: ["ban", "join"]) == "ban")
    }

    @Test("what a banned user did on the other fork is undone", arguments: versions)
    func bannedUserLosesTheirFork(version: RoomVersion) throws {
        var room = try room(version)
        try room.member("ban", Self.moderator, "ban", by: Self.admin, after: ["alice"])
        #expect(try room.topic("topic", by: Self.moderator, after: ["alice"]))
        #expect(try room.holder(.topic, after: ["ban", "topic"]) == nil)
        #expect(try room.holder(.member(Self.moderator), after: ["ban", "topic"]) == "ban")
    }

    @Test("when power levels are changed on two forks, the mightier sender comes first, and then the older event", arguments: versions)
    func powerLevelRace(version: RoomVersion) throws {
        let other = "@other:c.example"
        let extra: JSONObject = ["events": ["m.room.power_levels": 90]]
        var room = try SimulatedRoom(version, users: [Self.admin: 90, other: 90], extra: extra)
        try room.join("admin", by: Self.admin, after: ["rules"])
        try room.join("other", by: other, after: ["admin"])
        // Nobody can demote those of the same level, but they can give newcomers a level.
        #expect(
            try room.powerLevels("first", [Self.admin: 90, other: 90, "@x:x": 1], extra, by: Self.admin, after: ["other"], time: 10_000))
        #expect(try room.powerLevels("second", [Self.admin: 90, other: 90, "@x:x": 2], extra, by: other, after: ["other"], time: 20_000))
        // The later one is applied on top of the earlier, which allows it.
        #expect(try room.holder(.powerLevels, after: ["first", "second"]) == "second")
        // A mightier sender's event comes first, whatever its time, and takes the right to change levels away from the other.
        #expect(try room.powerLevels("demote", [Self.admin: 90], extra, by: SimulatedRoom.creator, after: ["other"], time: 30_000))
        #expect(try room.holder(.powerLevels, after: ["demote", "second"]) == "demote")
    }

    @Test("a topic by a moderator who is demoted at the same time is undone", arguments: versions)
    func topicByDemotedModerator(version: RoomVersion) throws {
        var room = try room(version)
        #expect(try room.topic("old", by: Self.admin, after: ["alice"]))
        #expect(try room.powerLevels("demotion", [Self.admin: 100, Self.moderator: 0], by: Self.admin, after: ["old"]))
        #expect(try room.topic("new", by: Self.moderator, after: ["old"]))
        #expect(try room.holder(.topic, after: ["demotion", "new"]) == "old")
        #expect(try room.holder(.powerLevels, after: ["demotion", "new"]) == "demotion")
    }

    @Test("of topics under the same power levels the younger wins", arguments: versions, [true, false])
    func youngerTopicWins(version: RoomVersion, firstIsOlder: Bool) throws {
        var room = try room(version)
        try room.topic("a", by: Self.admin, after: ["alice"], time: firstIsOlder ? 10_000 : 20_000)
        try room.topic("b", by: Self.moderator, after: ["alice"], time: firstIsOlder ? 20_000 : 10_000)
        #expect(try room.holder(.topic, after: ["a", "b"]) == (firstIsOlder ? "b" : "a"))
    }

    @Test("of topics of the same time the one with the greater event ID wins", arguments: versions)
    func eventIDBreaksTies(version: RoomVersion) throws {
        var room = try room(version)
        try room.topic("topic-b", by: Self.admin, after: ["alice"], time: 10_000)
        try room.topic("topic-a", by: Self.moderator, after: ["alice"], time: 10_000)
        #expect(try room.holder(.topic, after: ["topic-a", "topic-b"]) == "topic-b")
    }

    @Test("a topic under newer power levels wins over a younger one under older levels", arguments: [RoomVersion.v2, .v11])
    func mainlineOrdering(version: RoomVersion) throws {
        var room = try room(version)
        try room.powerLevels("levels", [Self.admin: 100, Self.moderator: 60], by: Self.admin, after: ["alice"], time: 5000)
        try room.topic("new", by: Self.admin, after: ["levels"], time: 10_000)
        // From a fork that does not know of the new levels, with a clock that is ahead.
        try room.topic("old", by: Self.moderator, after: ["alice"], time: 90_000)
        #expect(try room.holder(.topic, after: ["new", "old"]) == "new")
        #expect(try room.holder(.powerLevels, after: ["new", "old"]) == "levels")
    }

    @Test("a join rule that is closed at the same time shuts those out who join by the open one", arguments: versions)
    func joinRuleRace(version: RoomVersion) throws {
        var room = try room(version, withAlice: false)
        try room.send("closed", "m.room.join_rules", "", ["join_rule": "invite"], by: Self.admin, after: ["mod"])
        #expect(try room.join("join", by: Self.alice, after: ["mod"]))
        #expect(try room.holder(.joinRules, after: ["closed", "join"]) == "closed")
        #expect(try room.holder(.member(Self.alice), after: ["closed", "join"]) == nil)
    }

    @Test("an event that was rejected is never let into a state", arguments: versions)
    func rejectedEventsStayOut(version: RoomVersion) throws {
        var room = try room(version)
        #expect(try !room.topic("topic", by: Self.alice, after: ["alice"]))
        var state = room.statesAfter[room.eventID("alice")] ?? [:]
        let other = state
        state[.topic] = room.eventID("topic")
        #expect(try room.resolved([state, other])[.topic] == nil)
    }

    @Test("in room version 12, power levels that stand between two conflicting memberships are replayed with them")
    func conflictedSubgraph() throws {
        var room = try room(.v12)
        let levels: [String: Int64] = [Self.admin: 100, Self.moderator: 50, Self.alice: 10]
        let content: JSONObject = ["membership": "join", "displayname": "Mod"]
        try room.powerLevels("levels", levels, by: Self.admin, after: ["alice"])
        try room.send("renamed", "m.room.member", ByteString(Self.moderator), content, by: Self.moderator, after: ["levels"])
        try room.topic("topic", by: Self.moderator, after: ["renamed"])
        let new = try #require(room.statesAfter[room.eventID("topic")])
        // A state that no history leads to, as a faulty server hands out: the old membership beside the new levels.
        var mixed = new
        mixed[.member(Self.moderator)] = room.eventID("mod")
        mixed[.powerLevels] = room.eventID("power")
        let resolved = try room.resolved([mixed, new])
        #expect(resolved == ReferenceResolution(room: room).resolve([mixed, new]))
        #expect(resolved[.powerLevels] == room.eventID("levels"))
        #expect(resolved[.member(Self.moderator)] == room.eventID("renamed"))
    }

    @Test("creators of a version 12 room stand above an admin's power levels")
    func creatorsWinInVersion12() throws {
        var room = try room(.v12)
        try room.member("kick", Self.admin, "leave", by: SimulatedRoom.creator, after: ["alice"], time: 90_000)
        try room.powerLevels("levels", [Self.admin: 100, Self.alice: 100], by: Self.admin, after: ["alice"], time: 10_000)
        // The creator's event comes first whatever its time, and then the admin is no longer there.
        #expect(try room.holder(.powerLevels, after: ["kick", "levels"]) == "power")
        #expect(try room.holder(.member(Self.admin), after: ["kick", "levels"]) == "kick")
    }
}

/// Rooms v1 §State resolution.
@Suite struct StateResolutionV1Tests {
    private let admin = "@admin:a.example"

    private func room() throws -> SimulatedRoom {
        var room = try SimulatedRoom(.v1, users: [admin: 100])
        try room.join("admin", by: admin, after: ["rules"])
        return room
    }

    @Test("of two topics that are allowed the deeper wins")
    func deeperTopicWins() throws {
        var room = try room()
        try room.topic("deep", by: admin, after: ["admin"], time: 1, depth: 20)
        try room.topic("flat", by: admin, after: ["admin"], time: 90_000, depth: 10)
        #expect(try room.holder(.topic, after: ["deep", "flat"]) == "deep")
    }

    @Test("an entry that only one fork has is no conflict")
    func absenceIsNoConflict() throws {
        var room = try room()
        try room.topic("topic", by: admin, after: ["admin"])
        try room.send("name", "m.room.name", "", [:], by: admin, after: ["admin"])
        #expect(try room.holder(.topic, after: ["topic", "name"]) == "topic")
        #expect(try room.holder(.name, after: ["topic", "name"]) == "name")
    }

    @Test("a membership that the one before it refuses does not follow it")
    func chainOfMemberships() throws {
        let alice = "@alice:b.example"
        var room = try room()
        try room.send("ban", "m.room.member", ByteString(alice), ["membership": "ban"], by: admin, after: ["admin"], depth: 10)
        try room.send("join", "m.room.member", ByteString(alice), ["membership": "join"], by: alice, after: ["admin"], depth: 11)
        #expect(try room.holder(.member(alice), after: ["ban", "join"]) == "ban")
    }
}
