import MatrixCore
import Persistence
import Rooms
import TestSupport
import Testing

private let (alice, bob, carol) = (RoomsFixture.alice, RoomsFixture.bob, RoomsFixture.carol)

@Suite("Membership")
struct RoomMembershipTests {
    @Test("invite, join, kick, ban, unban, leave, forget: the row of the user follows", arguments: DatabaseKind.allCases)
    func wholeLife(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let fixture = try await RoomsFixture(database)
            let room = try await fixture.room(.privateChat)
            func change(_ action: MembershipAction, by user: UserID) async throws -> Membership? {
                try await fixture.membership.change(action, of: bob, in: room.id, by: MembershipRequester(user: user))
                let row = try await fixture.membership.rooms(of: bob).first { $0.room == room.id }
                #expect(row?.membership == room.current.membership(of: bob))
                #expect(row?.event == room.current.entry(.member(bob))?.nid)
                return row?.membership
            }
            #expect(try await errorCode { _ = try await change(.join, by: bob) } == "M_FORBIDDEN")
            #expect(try await change(.invite, by: alice) == .invite)
            #expect(try await change(.join, by: bob) == .join)
            #expect(room.current.joinedCount == 2)
            #expect(try await errorCode { try await fixture.membership.forget(room.id, by: bob) } == "M_UNKNOWN")
            #expect(try await change(.kick, by: alice) == .leave)
            #expect(try await errorCode { _ = try await change(.kick, by: alice) } == "M_FORBIDDEN")
            #expect(try await errorCode { _ = try await change(.unban, by: alice) } == "M_BAD_STATE")
            #expect(try await change(.ban, by: alice) == .ban)
            #expect(try await errorCode { _ = try await change(.invite, by: alice) } == "M_BAD_STATE")
            #expect(try await errorCode { _ = try await change(.join, by: bob) } == "M_BAD_STATE")
            #expect(try await change(.unban, by: alice) == .leave)
            try await fixture.membership.forget(room.id, by: bob)
            #expect(try await fixture.membership.rooms(of: bob).first?.forgotten == true)
            #expect(try await change(.invite, by: alice) == .invite)
            #expect(try await fixture.membership.rooms(of: bob).first?.forgotten == false)
            #expect(room.current.invitedCount == 1)
            #expect(room.current.joinedCount == 1)
        }
    }

    @Test("who is in a room that the join rule names may join a restricted room", arguments: [RoomVersion.v10, .v12])
    func restrictedJoins(version: RoomVersion) async throws {
        try await withDatabase(.sqlite) { database in
            let fixture = try await RoomsFixture(database)
            let space = try await fixture.room(version: version, members: [bob])
            let room = try await fixture.room(.privateChat, version: version)
            try await room.send(
                EventDraft(
                    type: "m.room.join_rules", stateKey: "",
                    content: [
                        "join_rule": "restricted",
                        "allow": [["type": "m.room_membership", "room_id": .string(space.id.string)]],
                    ], sender: alice), from: origin())
            #expect(try await errorCode { try await fixture.join(carol, room) } == "M_FORBIDDEN")
            try await fixture.join(bob, room)
            #expect(try await fixture.content(.member(bob), of: room)?["join_authorised_via_users_server"]?.string == alice.string)
        }
    }

    @Test("a room is joined by its alias, and a user of another server cannot be reached", arguments: DatabaseKind.allCases)
    func aliases(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let fixture = try await RoomsFixture(database)
            let room = try await fixture.room()
            let alias = RoomAlias(trusted: "#pub:test")
            try await fixture.directory.create(alias, for: room.id, by: alice)
            #expect(try await errorCode { try await fixture.directory.create(alias, for: room.id, by: alice) } == "M_UNKNOWN")
            #expect(try await fixture.membership.join(idOrAlias: "#pub:test", by: MembershipRequester(user: bob)) == room.id)
            #expect(try await fixture.directory.aliases(of: room.id, for: bob) == ["#pub:test"])
            #expect(try await errorCode { _ = try await fixture.directory.aliases(of: room.id, for: carol) } == "M_FORBIDDEN")
            #expect(try await errorCode { try await fixture.directory.delete(alias, by: bob, device: nil) } == "M_FORBIDDEN")

            let canonical: JSONObject = ["alias": "#pub:test", "alt_aliases": ["#pub:test"]]
            try await fixture.directory.checkCanonicalAlias(
                try JSONDocument(parsing: canonical.canonicalBytes).root, in: room)
            let wrong = try JSONDocument(parsing: Array(##"{"alias":"#none:test"}"##.utf8)).root
            #expect(try await errorCode { try await fixture.directory.checkCanonicalAlias(wrong, in: room) } == "M_BAD_ALIAS")
            try await room.send(
                EventDraft(type: "m.room.canonical_alias", stateKey: "", content: canonical, sender: alice), from: origin())
            try await fixture.directory.delete(alias, by: alice, device: nil)
            #expect(try await fixture.content(.canonicalAlias, of: room) == [:])
            #expect(try await errorCode { _ = try await fixture.directory.resolve(alias) } == "M_NOT_FOUND")

            let stranger = UserID(trusted: "@x:elsewhere")
            let code = try await errorCode {
                try await fixture.membership.change(.invite, of: stranger, in: room.id, by: MembershipRequester(user: alice))
            }
            #expect(code == "M_UNKNOWN")
        }
    }

    @Test("heroes are the earliest other members, and those who left when nobody is there", arguments: DatabaseKind.allCases)
    func heroes(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let fixture = try await RoomsFixture(database)
            let users = (0..<30).map { UserID(trusted: "@user\($0):test") }
            let room = try await fixture.room()
            for user in users { try await fixture.join(user, room) }
            #expect(room.current.heroes(for: alice) == Array(users.prefix(5)))
            #expect(room.current.heroes(for: users[0]) == [alice] + users[1...4])
            for user in users {
                try await fixture.membership.change(.leave, of: user, in: room.id, by: MembershipRequester(user: user))
                let woken = try #require(try await RoomsFixture(database).rooms.room(room.id)).current
                let present = users.filter { woken.membership(of: $0) == .join }
                if !present.isEmpty {
                    #expect(room.current.heroes(for: alice) == Array(present.prefix(5)))
                    #expect(woken.heroes(for: alice) == room.current.heroes(for: alice))
                }
            }
            #expect(room.current.heroes(for: alice) == Array(users.prefix(5)))
        }
    }

    @Test("a new profile goes into every joined room once", arguments: DatabaseKind.allCases)
    func profiles(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let fixture = try await RoomsFixture(database)
            let rooms = [try await fixture.room(members: [bob]), try await fixture.room(members: [bob])]
            let left = try await fixture.room(members: [bob])
            try await fixture.membership.change(.leave, of: bob, in: left.id, by: MembershipRequester(user: bob))
            for _ in 0..<2 { try await fixture.membership.updateProfile(of: bob, displayName: "Bob", avatarURL: nil) }
            for room in rooms {
                #expect(try await fixture.content(.member(bob), of: room) == ["membership": "join", "displayname": "Bob"])
                #expect(try await fixture.timeline(of: room).filter { $0.stateKey == bob.text }.count == 3)
            }
            #expect(left.current.membership(of: bob) == .leave)
        }
    }
}
