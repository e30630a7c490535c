import MatrixCore
import Persistence
import Rooms
import TestSupport
import Testing

/// Rooms of which a server does not know all members, and how they become whole.
@Suite("Partial rooms")
struct PartialRoomTests {
    private func withRoom(
        _ kind: DatabaseKind = .sqlite, version: String = "10",
        prepare: (FederatedServer, RoomID) async throws -> Void = { _, _ in },
        _ body: (inout PartialRoomFixture) async throws -> Void
    ) async throws {
        try await withDatabase(.sqlite) { one in
            try await withDatabase(kind) { two in
                var fixture = try await PartialRoomFixture(version, [one, two], prepare: prepare)
                try await body(&fixture)
            }
        }
    }

    /// The guest has what the home server has: now, in the database, and after a restart.
    private func expectSame(_ fixture: inout PartialRoomFixture) async throws {
        let expected = try await fixture.home.state(of: fixture.room)
        #expect(try await fixture.guest.state(of: fixture.room) == expected)
        #expect(try await fixture.guest.storedState(of: fixture.room) == expected)
        let (home, guest) = (try await fixture.atHome.current, try await fixture.atGuest.current)
        #expect(!guest.isPartial)
        #expect(guest.joinedCount == home.joinedCount && guest.servers == home.servers)
        fixture.guest = try await fixture.guest.restarted()
        let again = try await fixture.atGuest.current
        #expect(again.snapshotID == guest.snapshotID && again.joinedCount == guest.joinedCount && again.servers == guest.servers)
    }

    // MARK: Without its members

    @Test("the servers that were in the room are in it, whoever of them is known", arguments: DatabaseKind.allCases)
    func servers(kind: DatabaseKind) async throws {
        try await withRoom(kind) { fixture in
            for server in [fixture.guest, try await fixture.guest.restarted()] {
                let room = try await server.rooms.existing(fixture.room).current
                #expect(room.isPartial)
                #expect(room.isJoined(by: fixture.home.name) && room.isJoined(by: fixture.guest.name))
                #expect(room.joinedCount == 2)
            }
        }
    }

    @Test("who speaks becomes known, and what they say is seen", arguments: ["6", "10", "12"])
    func speakers(version: String) async throws {
        try await withRoom(version: version) { fixture in
            let ann = fixture.home.user("ann")
            let hello = try await fixture.say("hello", by: ann, at: fixture.home)
            #expect(try await fixture.deliver(hello).refusal == nil)
            #expect(try await fixture.atGuest.current.membership(of: ann) == .join)
            #expect(try await fixture.guest.storedState(of: fixture.room)[.member(ann)] != nil)
            let again = try await fixture.say("again", by: ann, at: fixture.home)
            #expect(try await fixture.deliver(again).refusal == nil)
            #expect(try await fixture.timeline().suffix(2) == [hello.id, again.id])
        }
    }

    @Test("users of this server speak, set state, and leave")
    func ownEvents() async throws {
        try await withRoom { fixture in
            let said = try await fixture.say("hello", by: fixture.guest.admin, at: fixture.guest)
            #expect(try await fixture.atHome.receive(RemoteEvent(said)).refusal == nil)
            let left = try await PartialRoomFixture.become(
                "leave", fixture.guest.admin, by: fixture.guest.admin, at: fixture.guest, in: fixture.room)
            #expect(try await fixture.atHome.receive(RemoteEvent(try #require(left))).refusal == nil)
            let room = try await fixture.atGuest.current
            #expect(!room.isJoined(by: fixture.guest.name) && room.isJoined(by: fixture.home.name))
        }
    }

    @Test("an event of before the join stands on what the room was at the join")
    func earlier() async throws {
        try await withRoom { fixture in
            let ben = fixture.home.user("ben")
            // It follows what the join follows, and something that is not here.
            let event = try Event.build(
                EventDraft(type: "m.room.message", content: ["msgtype": "m.text", "body": "meanwhile"], sender: ben), roomID: fixture.room,
                version: fixture.handover.join.version,
                prevEvents: fixture.handover.join.prevEvents + [EventID(trusted: "$" + String(repeating: "A", count: 43))],
                authEvents: authEvents(of: ben, fixture), depth: fixture.handover.join.depth, originServerTimestamp: .now,
                origin: fixture.home.name, key: fixture.home.key)
            #expect(try await fixture.deliver(event).refusal == nil)
            #expect(try await fixture.timeline().last == event.id)
            #expect(try await fixture.atGuest.forwardExtremities.count == 2)
        }
    }

    private func authEvents(of user: UserID, _ fixture: PartialRoomFixture) -> [EventID] {
        let keys: [StateKey] = [.create, .powerLevels, .member(user)]
        return fixture.handover.state.filter { event in event.key.map(keys.contains) ?? false }.map(\.id)
    }

    // MARK: Whole

    @Test("a room that is whole is what it is elsewhere", arguments: ["6", "10", "12"], DatabaseKind.allCases)
    func whole(version: String, kind: DatabaseKind) async throws {
        try await withRoom(kind, version: version) { fixture in
            try await fixture.deliver(try await fixture.say("one", by: fixture.home.user("ann"), at: fixture.home))
            let topic = try await fixture.home.send(
                EventDraft(type: "m.room.topic", stateKey: "", content: ["topic": "new"], sender: fixture.home.admin), in: fixture.room)
            try await fixture.deliver(try #require(topic))
            let left = try await PartialRoomFixture.become(
                "leave", fixture.home.user("ben"), by: fixture.home.user("ben"), at: fixture.home, in: fixture.room)
            try await fixture.deliver(try #require(left))
            let said = try await fixture.say("two", by: fixture.guest.admin, at: fixture.guest)
            #expect(try await fixture.atHome.receive(RemoteEvent(said)).refusal == nil)
            let timeline = try await fixture.timeline()

            try await fixture.complete()
            try await expectSame(&fixture)
            #expect(try await fixture.timeline() == timeline)
            #expect(try await fixture.atGuest.forwardExtremities == fixture.atHome.forwardExtremities)

            try await fixture.deliver(try await fixture.say("three", by: fixture.home.user("cleo"), at: fixture.home))
            try await expectSame(&fixture)
        }
    }

    @Test("who comes in and is banned meanwhile is what they are")
    func moves() async throws {
        try await withRoom { fixture in
            let (home, room) = (fixture.home, fixture.room)
            for (membership, name, sender) in [("join", "eve", "eve"), ("ban", "ann", "admin"), ("leave", "dora", "admin")] {
                let event = try await PartialRoomFixture.become(
                    membership, home.user(name), by: home.user(sender), at: home, in: room)
                #expect(try await fixture.deliver(try #require(event)).refusal == nil)
            }
            try await fixture.complete()
            try await expectSame(&fixture)
        }
    }

    @Test("whom the room had banned does not speak in it any more, once that is known")
    func banned() async throws {
        try await withRoom(prepare: { home, room in
            try await PartialRoomFixture.become("ban", home.user("dora"), by: home.admin, at: home, in: room)
        }) { fixture in
            let dora = fixture.home.user("dora")
            let events = try await fixture.home.atPast(of: dora, in: fixture.room)
            let forged = try Event.build(
                EventDraft(type: "m.room.message", content: ["msgtype": "m.text", "body": "still here"], sender: dora),
                roomID: fixture.room,
                version: fixture.handover.join.version, prevEvents: [fixture.handover.join.id], authEvents: events,
                depth: fixture.handover.join.depth + 1, originServerTimestamp: .now, origin: fixture.home.name, key: fixture.home.key)
            #expect(try await fixture.deliver(forged).refusal == nil)
            #expect(try await fixture.timeline().last == forged.id)

            try await fixture.complete()
            #expect(try await !fixture.timeline().contains(forged.id))
            #expect(try await fixture.atGuest.current.membership(of: dora) == .ban)
            #expect(try await fixture.atGuest.forwardExtremities == [fixture.handover.join.id])
            try await expectSame(&fixture)
        }
    }

    @Test("states after events that are not here are asked for, and laid in")
    func furtherStates() async throws {
        try await withRoom { fixture in
            let ben = fixture.home.user("ben")
            let lost = EventID(trusted: "$" + String(repeating: "A", count: 43))
            let event = try Event.build(
                EventDraft(type: "m.room.message", content: ["msgtype": "m.text", "body": "meanwhile"], sender: ben), roomID: fixture.room,
                version: fixture.handover.join.version, prevEvents: [lost], authEvents: authEvents(of: ben, fixture),
                depth: fixture.handover.join.depth, originServerTimestamp: .now, origin: fixture.home.name, key: fixture.home.key)
            #expect(try await fixture.deliver(event).refusal == nil)
            let wanted = await #expect(throws: FurtherStatesWanted.self) { try await fixture.complete() }
            #expect(wanted?.after == [lost])
            #expect(try await fixture.atGuest.current.isPartial)

            // There ann was not in the room yet; nothing has taken her out of it since.
            let ann = fixture.home.user("ann")
            let before = fixture.handover.state.filter { $0.key != .member(ann) }.map(\.id)
            try await fixture.complete(afterMissing: [lost: before])
            try await expectSame(&fixture)
            #expect(try await fixture.timeline().contains(event.id))
        }
    }

    @Test("what is no state of the room is refused, and the room stays as it is")
    func refused() async throws {
        try await withRoom { fixture in
            let room = try await fixture.atGuest
            await #expect(throws: WholeStateRefused.self) { try await room.complete(WholeState(beforeJoin: [])) }
            // Without the rules of joining nobody may join.
            let odd = fixture.handover.state.filter { $0.type != "m.room.join_rules" }.map(\.id)
            await #expect(throws: WholeStateRefused.self) { try await room.complete(WholeState(beforeJoin: odd)) }
            #expect(room.current.isPartial)
            try await fixture.complete()
            try await expectSame(&fixture)
        }
    }

    @Test("who waits for the members goes on when they are known, and not much longer than they wanted to wait")
    func waiting() async throws {
        try await withRoom { fixture in
            let room = try await fixture.atGuest
            #expect(try await errorCode { try await room.waitUntilWhole(atMost: .milliseconds(20)) } == "M_UNKNOWN")
            async let waited: Void = room.waitUntilWhole(atMost: .seconds(60))
            try await fixture.complete()
            try await waited
            try await room.waitUntilWhole(atMost: .zero)
        }
    }

    @Test("readers of the commit stream hear of it, also those who are far behind", arguments: DatabaseKind.allCases)
    func told(kind: DatabaseKind) async throws {
        try await withRoom(kind) { fixture in
            let start = fixture.guest.journal.position
            try await fixture.complete()
            let (id, end) = (fixture.room, fixture.guest.journal.position)
            #expect(fixture.guest.rooms.environment.partialRooms.wholeAt(try await fixture.atGuest.nid) == end)
            let again = try await fixture.guest.restarted()
            for (server, from) in [(fixture.guest, start), (again, StreamPosition.zero)] {
                var seen = false
                for await commit in server.journal.commits.from(from) {
                    for change in commit.changes {
                        if case .completion(let room, _) = change.kind { seen = room == id && change.position == end }
                    }
                    if commit.positions.upperBound >= end { break }
                }
                #expect(seen)
            }
        }
    }

    @Test("a room that is joined anew as a whole lacks nothing")
    func anew() async throws {
        try await withRoom { fixture in
            let left = try await PartialRoomFixture.become(
                "leave", fixture.guest.admin, by: fixture.guest.admin, at: fixture.guest, in: fixture.room)
            _ = try await fixture.atHome.receive(RemoteEvent(try #require(left)))
            let handover = try await fixture.home.letIn(fixture.guest.admin, of: fixture.guest, to: fixture.room)
            try await fixture.guest.rooms.takeOver(handover)
            try await expectSame(&fixture)
        }
    }
}

extension FederatedServer {
    /// The auth events that an event of a former member would have named.
    fileprivate func atPast(of user: UserID, in room: RoomID) async throws -> [EventID] {
        let current = try await rooms.existing(room).current
        let ban = try await pdus([try #require(current.entry(.member(user))).id])
        let wanted: [StateKey] = [.create, .powerLevels, .member(user)]
        return try await pdus(try #require(ban.first).authEvents).filter { $0.key.map(wanted.contains) ?? false }.map(\.id)
    }
}
