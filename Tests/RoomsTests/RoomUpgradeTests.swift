import MatrixCore
import Persistence
import Rooms
import TestSupport
import Testing

private let (alice, bob, carol) = (RoomsFixture.alice, RoomsFixture.bob, RoomsFixture.carol)

@Suite("Room upgrades")
struct RoomUpgradeTests {
    struct Versions: Sendable, CustomTestStringConvertible {
        let old: RoomVersion
        let new: RoomVersion
        var testDescription: String { "\(old) to \(new)" }
    }

    private func set(_ key: StateKey, _ content: JSONObject, in room: Room, by user: UserID = alice) async throws {
        try await room.send(EventDraft(type: key.type, stateKey: key.stateKey, content: content, sender: user), from: origin(user))
    }

    private func upgrade(
        _ fixture: RoomsFixture, _ room: Room, to version: RoomVersion, creators: [UserID] = [], by user: UserID = alice
    ) async throws -> Room {
        let upgrade = RoomUpgrade(rooms: fixture.rooms, events: fixture.events)
        let id = try await upgrade.upgrade(room.id, to: version, additionalCreators: creators, by: EventOrigin(user: user))
        return try await fixture.rooms.existing(id)
    }

    @Test(
        "the new room takes the old one's place, in one commit",
        arguments: [
            Versions(old: .v10, new: .v11), Versions(old: .v11, new: .v12), Versions(old: .v12, new: .v12), Versions(old: .v12, new: .v10),
        ])
    func wholeUpgrade(versions: Versions) async throws {
        try await withDatabase(.sqlite) { database in
            let fixture = try await RoomsFixture(database)
            var request = CreateRoomRequest()
            request.version = versions.old
            request.preset = .publicChat
            request.name = "Den"
            request.topic = "Talk"
            request.aliasName = "den"
            request.isPublished = true
            request.creationContent = ["m.federate": false, "type": "org.example.type"]
            let old = try await fixture.rooms.existing(try await fixture.creation.create(request, by: alice))
            try await fixture.join(bob, old)
            let alt = RoomAlias(trusted: "#other:test")
            try await fixture.directory.create(alt, for: old.id, by: alice)
            try await set(.canonicalAlias, ["alias": "#den:test", "alt_aliases": ["#other:test"]], in: old)
            try await set(.historyVisibility, ["history_visibility": "joined"], in: old)
            try await set(.encryption, ["algorithm": "m.megolm.v1.aes-sha2"], in: old)
            try await fixture.membership.change(
                .ban, of: carol, in: old.id, by: MembershipRequester(user: alice), content: ["reason": "spam"])
            let isPublished = try await database.read { try RoomStore.isPublished(old.nid, on: $0) }

            let before = fixture.journal.position
            let new = try await upgrade(fixture, old, to: versions.new)
            let commits = try #require(fixture.journal.commits.recent(after: before))
            #expect(commits.count == 1)
            #expect(new.version == versions.new)

            // The old room
            let tombstone = try #require(try await fixture.timeline(of: old).first { $0.type == "m.room.tombstone" })
            #expect(try tombstone.content()?["replacement_room"]?.isString(new.id.string) == true)
            #expect(old.current.powerLevels.eventsDefault == 50)
            #expect(old.current.powerLevels.invite == 50)
            #expect(try await fixture.content(.canonicalAlias, of: old) == [:])
            #expect(try await errorCode { try await old.send(message("late", by: bob), from: origin(bob)) } == "M_FORBIDDEN")

            // The new room
            let create = try #require(try await fixture.content(.create, of: new))
            #expect(create["predecessor"]?["room_id"]?.string == old.id.string)
            let event = create["predecessor"]?["event_id"]?.string
            #expect(event == (versions.new.createEventDecidesRoomID ? nil : tombstone.id.string))
            #expect(create["m.federate"] == false)
            #expect(create["type"] == "org.example.type")
            for key in [StateKey.name, .topic, .joinRules, .encryption] {
                #expect(try await fixture.content(key, of: new) == fixture.content(key, of: old), "\(key)")
            }
            #expect(new.current.historyVisibility == .joined)
            #expect(new.current.guestAccess == .canJoin)
            #expect(new.current.membership(of: alice) == .join)
            #expect(new.current.membership(of: bob) == nil)
            #expect(try await fixture.content(.member(carol), of: new)?["reason"] == "spam")
            #expect(new.current.membership(of: carol) == .ban)
            #expect(new.current.powerLevels.level(of: alice) >= 100)
            #expect(try await fixture.content(.canonicalAlias, of: new) == ["alias": "#den:test", "alt_aliases": ["#other:test"]])

            // Names and directory
            for alias in [RoomAlias(trusted: "#den:test"), alt] {
                #expect(try await fixture.directory.resolve(alias).room == new.id)
            }
            #expect(try await database.read { try RoomStore.isPublished(new.nid, on: $0) } == isPublished)
            #expect(try await database.read { try RoomStore.isPublished(old.nid, on: $0) } == false)

            // After a restart it is the same, and every event is one that other servers would accept.
            let woken = try #require(try await RoomsFixture(database).rooms.room(new.id))
            #expect(woken.current.state.count == new.current.state.count)
            for row in try await fixture.rows(of: new) { #expect(try Event(parsing: row.json, version: versions.new).id == row.id) }
        }
    }

    @Test("a moderator who may upgrade gets no power by it, and takes none from the others", arguments: DatabaseKind.allCases)
    func moderator(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let fixture = try await RoomsFixture(database)
            let old = try await fixture.room(version: .v11, members: [bob])
            var levels = try #require(try await fixture.content(.powerLevels, of: old))
            levels["users"] = ["@alice:test": 100, "@bob:test": 50]
            var events = levels["events"]?.object ?? [:]
            events["m.room.tombstone"] = 50
            levels["events"] = .object(events)
            try await set(.powerLevels, levels, in: old)

            let new = try await upgrade(fixture, old, to: .v11, by: bob)
            #expect(try await fixture.content(.powerLevels, of: new) == levels)
            // Bob could not change them.
            #expect(try await fixture.content(.powerLevels, of: old) == levels)
        }
    }

    @Test("in a room of version 12 the upgrader and the additional creators stand above the levels")
    func additionalCreators() async throws {
        try await withDatabase(.sqlite) { database in
            let fixture = try await RoomsFixture(database)
            let old = try await fixture.room(version: .v11, members: [bob])
            var levels = try #require(try await fixture.content(.powerLevels, of: old))
            levels["users"] = ["@alice:test": 100, "@bob:test": 100, "@carol:test": 50]
            try await set(.powerLevels, levels, in: old)
            let new = try await upgrade(fixture, old, to: .v12, creators: [bob])
            #expect(try await fixture.content(.create, of: new)?["additional_creators"] == ["@bob:test"])
            #expect(try await fixture.content(.powerLevels, of: new)?["users"] == ["@carol:test": 50])
            #expect(new.current.powerLevels.level(of: bob) == .infinite)
        }
    }

    @Test("a space takes its children along, but not those that were removed")
    func spaces() async throws {
        try await withDatabase(.sqlite) { database in
            let fixture = try await RoomsFixture(database)
            var request = CreateRoomRequest()
            request.creationContent = ["type": "m.space"]
            request.version = .v11
            let old = try await fixture.rooms.existing(try await fixture.creation.create(request, by: alice))
            let child = StateKey(type: "m.space.child", stateKey: "!a:test")
            let removed = StateKey(type: "m.space.child", stateKey: "!b:test")
            try await set(child, ["via": ["test"]], in: old)
            try await set(removed, [:], in: old)
            let new = try await upgrade(fixture, old, to: .v11)
            #expect(try await fixture.content(child, of: new) == ["via": ["test"]])
            #expect(new.current.entry(removed) == nil)
        }
    }

    @Test("who cannot close a room cannot replace it, and nothing stays of the attempt", arguments: DatabaseKind.allCases)
    func refused(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let fixture = try await RoomsFixture(database)
            let old = try await fixture.room(version: .v10, members: [bob])
            let count = try await fixture.timeline(of: old).count
            for user in [bob, carol] {
                #expect(try await errorCode { _ = try await upgrade(fixture, old, to: .v11, by: user) } == "M_FORBIDDEN")
            }
            #expect(try await fixture.timeline(of: old).count == count)
            #expect(try await fixture.membership.rooms(of: bob).count == 1)
            let unknown = RoomUpgrade(rooms: fixture.rooms, events: fixture.events)
            #expect(
                try await errorCode {
                    _ = try await unknown.upgrade(RoomID(trusted: "!none:test"), to: .v11, by: EventOrigin(user: alice))
                } == "M_NOT_FOUND")
            // The room goes on.
            try await old.send(message("still here", by: bob), from: origin(bob))
        }
    }

    @Test("messages that come while a room is being replaced come before or after, and none is lost")
    func traffic() async throws {
        try await withDatabase(.sqlite) { database in
            let fixture = try await RoomsFixture(database)
            let old = try await fixture.room(version: .v11)
            try await withThrowingTaskGroup(of: Void.self) { group in
                for number in 0..<50 { group.addTask { try await old.send(message("m\(number)"), from: origin(alice)) } }
                group.addTask { _ = try await upgrade(fixture, old, to: .v12) }
                try await group.waitForAll()
            }
            let types = try await fixture.timeline(of: old).map(\.type)
            #expect(types.filter { $0 == "m.room.message" }.count == 50)
            #expect(types.filter { $0 == "m.room.tombstone" }.count == 1)
        }
    }

    @Test("a tombstone cannot name the room that it stands in")
    func selfReference() async throws {
        try await withDatabase(.sqlite) { database in
            let fixture = try await RoomsFixture(database)
            let room = try await fixture.room()
            let content: JSONObject = ["replacement_room": .string(room.id.string)]
            #expect(try await errorCode { try await set(.tombstone, content, in: room) } == "M_INVALID_PARAM")
        }
    }
}
