// The templates by which users of other servers join, leave and knock.

import Federation
import MatrixCore
import Persistence
import Rooms
import TestSupport
import Testing

private let (remote, other) = (ServingFixture.remote, ServingFixture.other)
private let (alice, bob, rita) = (ServingFixture.alice, ServingFixture.bob, ServingFixture.rita)

@Suite("Templates for other servers")
struct TemplateTests {
    private let versions = RoomVersion.all.map(\.id)

    /// Completes a template as the other server does.
    private func event(_ template: EventTemplate) throws -> Event {
        try Event.build(
            template: JSONObject(try parsed(template.event)), version: template.roomVersion, originServerTimestamp: .now, origin: remote,
            key: .generate(version: "r"))
    }

    @Test("a join that follows the template is one that the room allows", arguments: DatabaseKind.allCases, RoomVersion.all)
    func join(kind: DatabaseKind, version: RoomVersion) async throws {
        try await withDatabase(kind) { database in
            let fixture = try await ServingFixture(database)
            let room = try await fixture.room(version: version)
            let last = try await fixture.say("last", in: room)
            let template = try await fixture.served.joinTemplate(for: rita, in: room.id, versions: versions, origin: remote)
            #expect(template.roomVersion == version)
            let json = try parsed(template.event)
            #expect(json["event_id"] == nil && json["hashes"] == nil && json["signatures"] == nil)
            let event = try event(template)
            #expect(event.type == "m.room.member" && event.sender == rita && event.stateKey == rita.text && event.membership == .join)
            #expect(event.roomID == room.id && event.prevEvents == [last])
            #expect(event.depth == (try await fixture.timeline(of: room).last?.depth).map { $0 + 1 })
            let keys: [StateKey] = (version.createEventDecidesRoomID ? [] : [.create]) + [.powerLevels, .joinRules]
            #expect(Set(event.authEvents) == Set(keys.compactMap { room.current.entry($0)?.id }))
            try authorize(event, against: room.current, version: version)
        }
    }

    @Test("who may not join, leave or knock gets no template", arguments: DatabaseKind.allCases)
    func refusals(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let fixture = try await ServingFixture(database)
            let served = fixture.served
            let open = try await fixture.room()
            func join(_ room: RoomID, _ versions: [String]? = nil, of user: UserID = rita) async throws -> String? {
                try await errorCode {
                    _ = try await served.joinTemplate(for: user, in: room, versions: versions ?? self.versions, origin: remote)
                }
            }
            func leave(_ room: RoomID, of user: UserID = rita) async throws -> String? {
                try await errorCode { _ = try await served.leaveTemplate(for: user, in: room, origin: remote) }
            }
            func knock(_ room: RoomID) async throws -> String? {
                try await errorCode { _ = try await served.knockTemplate(for: rita, in: room, versions: versions, origin: remote) }
            }
            #expect(try await join(open.id) == nil)
            #expect(try await join(open.id, of: alice) == "M_FORBIDDEN")
            #expect(try await leave(open.id, of: alice) == "M_FORBIDDEN")
            #expect(try await join(open.id, ["1", "2"]) == "M_INCOMPATIBLE_ROOM_VERSION")
            #expect(try await join(RoomID(trusted: "!nowhere:test")) == "M_NOT_FOUND")
            #expect(try await leave(open.id) == "M_FORBIDDEN")
            #expect(try await knock(open.id) == "M_FORBIDDEN")

            let closed = try await fixture.room(.privateChat)
            #expect(try await join(closed.id) == "M_FORBIDDEN")
            try await fixture.become(.invite, rita, by: alice, in: closed)
            #expect(try await join(closed.id) == nil)
            #expect(try await leave(closed.id) == nil)
            try await fixture.become(.ban, rita, by: alice, in: closed)
            #expect(try await join(closed.id) == "M_FORBIDDEN")

            try await fixture.set("m.room.join_rules", ["join_rule": "knock"], in: open)
            #expect(try await knock(open.id) == nil)
            try await fixture.set("m.room.server_acl", ["allow": ["*"], "deny": ["remote"]], in: open)
            #expect(try await knock(open.id) == "M_FORBIDDEN")

            let empty = try await fixture.room()
            try await fixture.become(.leave, alice, in: empty)
            #expect(try await join(empty.id) == "M_NOT_FOUND")
            let old = try await fixture.room(version: .v6)
            #expect(try await knock(old.id) == "M_FORBIDDEN")
        }
    }

    @Test("the version that the other server lacks is named")
    func incompatible() async throws {
        try await withDatabase(.sqlite) { database in
            let fixture = try await ServingFixture(database)
            let room = try await fixture.room(version: .v9)
            let error = await #expect(throws: MatrixError.self) {
                _ = try await fixture.served.joinTemplate(for: rita, in: room.id, versions: ["1", "10"], origin: remote)
            }
            #expect(error?.status == 400 && error?.extra["room_version"] == "9")
        }
    }

    // MARK: Restricted rooms

    private func restrict(_ room: Room, to others: [RoomID], _ fixture: ServingFixture) async throws {
        let allow = others.map { JSONValue.object(["type": "m.room_membership", "room_id": .string($0.string)]) }
        try await fixture.set("m.room.join_rules", ["join_rule": "restricted", "allow": .array(allow)], in: room)
    }

    @Test("a user of the room that a join rule names joins by the word of a local user", arguments: [RoomVersion.v8, .v10, .v12])
    func restricted(version: RoomVersion) async throws {
        try await withDatabase(.sqlite) { database in
            let fixture = try await ServingFixture(database)
            let space = try await fixture.room(version: version)
            let room = try await fixture.room(.privateChat, version: version)
            try await restrict(room, to: [space.id], fixture)
            func join() async throws -> EventTemplate {
                try await fixture.served.joinTemplate(for: rita, in: room.id, versions: versions, origin: remote)
            }
            #expect(try await errorCode { _ = try await join() } == "M_FORBIDDEN")
            try await fixture.become(.join, rita, in: space)
            let event = try event(try await join())
            #expect(event.content()["join_authorised_via_users_server"]?.string == alice.string)
            #expect(event.authEvents.contains { $0 == room.current.entry(.member(alice))?.id })
            try authorize(event, against: room.current, version: version)

            // Who is invited needs nobody's word.
            try await fixture.become(.invite, rita, by: alice, in: room)
            #expect(try self.event(try await join()).content()["join_authorised_via_users_server"] == nil)
            try await fixture.become(.ban, rita, by: alice, in: room)
            #expect(try await errorCode { _ = try await join() } == "M_FORBIDDEN")
        }
    }

    @Test(
        "a server that cannot know, or cannot grant, says so")
    func unable() async throws {
        try await withDatabase(.sqlite) { database in
            let fixture = try await ServingFixture(database)
            let space = try await fixture.room()
            let room = try await fixture.room(.privateChat, version: .v10)
            func join() async throws -> String? {
                try await errorCode {
                    _ = try await fixture.served.joinTemplate(for: rita, in: room.id, versions: versions, origin: remote)
                }
            }
            try await restrict(room, to: [RoomID(trusted: "!far:away"), space.id], fixture)
            #expect(try await join() == "M_UNABLE_TO_AUTHORISE_JOIN")
            try await fixture.become(.join, rita, in: space)
            #expect(try await join() == nil)
            // Nobody of this server may invite any more.
            try await fixture.set(
                "m.room.power_levels", ["users": [alice.string: 50], "invite": 100, "state_default": 0, "users_default": 0], in: room)
            #expect(try await join() == "M_UNABLE_TO_GRANT_JOIN")
        }
    }
}
