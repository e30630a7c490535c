import MatrixCore
import Persistence
import Rooms
import TestSupport
import Testing

private let (alice, bob, carol) = (RoomsFixture.alice, RoomsFixture.bob, RoomsFixture.carol)

@Suite("Knocking, guests, invite permission and third-party invites")
struct MembershipRulesTests {
    private func set(_ key: StateKey, _ content: JSONObject, in room: Room) async throws {
        try await room.send(EventDraft(type: key.type, stateKey: key.stateKey, content: content, sender: alice), from: origin())
    }

    @Test("a user knocks with a reason, sees what the room is called, and is let in", arguments: DatabaseKind.allCases)
    func knocking(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let fixture = try await RoomsFixture(database)
            let room = try await fixture.room(.privateChat)
            func knock() async throws {
                try await fixture.membership.change(
                    .knock, of: bob, in: room.id, by: MembershipRequester(user: bob), content: ["reason": "please"])
            }
            #expect(try await errorCode(knock) == "M_FORBIDDEN")
            try await set(.joinRules, ["join_rule": "knock"], in: room)
            try await set(.name, ["name": "Den"], in: room)
            try await knock()
            #expect(room.current.membership(of: bob) == .knock)
            #expect(try await fixture.content(.member(bob), of: room)?["reason"] == "please")
            #expect(try await fixture.membership.rooms(of: bob).map(\.membership) == [.knock])

            let event = try #require(try await fixture.timeline(of: room).last)
            let types = try await fixture.events.strippedState(for: event).map { try JSONDocument(parsing: $0).root["type"]?.string }
            #expect(types.contains("m.room.name") && types.contains("m.room.create"))
            #expect(types.filter { $0 == "m.room.member" }.count == 1, "the knock, and nobody else")

            try await fixture.membership.change(.invite, of: bob, in: room.id, by: MembershipRequester(user: alice))
            #expect(try await errorCode(knock) == "M_FORBIDDEN", "who is invited does not knock")
            try await fixture.join(bob, room)
            try await fixture.membership.change(.ban, of: bob, in: room.id, by: MembershipRequester(user: alice))
            #expect(try await errorCode(knock) == "M_BAD_STATE")
        }
    }

    @Test("guests join where the room lets guests join, and are marked", arguments: DatabaseKind.allCases)
    func guests(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let fixture = try await RoomsFixture(database)
            let room = try await fixture.room()
            let guest = MembershipRequester(user: bob, isGuest: true)
            func join() async throws { try await fixture.membership.change(.join, of: bob, in: room.id, by: guest) }
            #expect(try await errorCode(join) == "M_GUEST_ACCESS_FORBIDDEN")
            try await set(.guestAccess, ["guest_access": "can_join"], in: room)
            try await join()
            #expect(try await fixture.content(.member(bob), of: room)?["kind"] == "guest")
        }
    }

    @Test("who blocks invites gets none, in a room that is there and in one that is made", arguments: DatabaseKind.allCases)
    func invitePermission(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let fixture = try await RoomsFixture(database)
            let room = try await fixture.room(.privateChat)
            func invite(isAdmin: Bool = false) async throws {
                try await fixture.membership.change(
                    .invite, of: bob, in: room.id, by: MembershipRequester(user: alice, isAdmin: isAdmin))
            }
            func setPermission(_ content: String, _ position: Int64) async throws {
                try await database.write {
                    try AccountDataStore.set(
                        InvitePermission.type, room: nil, to: Array(content.utf8), of: bob, position: position, on: $0)
                }
            }
            try await setPermission(#"{"default_action":"block"}"#, 1)
            #expect(try await errorCode { try await invite() } == "M_INVITE_BLOCKED")
            #expect(
                try await errorCode {
                    try await fixture.membership.change(
                        to: ["membership": "invite"], of: bob, in: room.id, by: MembershipRequester(user: alice))
                } == "M_INVITE_BLOCKED")
            var request = CreateRoomRequest()
            request.invites = [bob]
            let wanted = request
            #expect(try await errorCode { _ = try await fixture.creation.create(wanted, by: alice) } == "M_INVITE_BLOCKED")
            #expect(try await fixture.membership.rooms(of: alice).count == 1)
            for (position, content) in ["{}", #"{"default_action":"allow"}"#, #"{"default_action":7}"#].enumerated() {
                try await setPermission(content, Int64(position + 2))
                try await invite()
                try await fixture.membership.change(.kick, of: bob, in: room.id, by: MembershipRequester(user: alice))
            }
            try await setPermission(#"{"default_action":"block"}"#, 10)
            try await invite(isAdmin: true)
        }
    }

    @Test(
        "what a client cannot say in a membership is refused",
        arguments: [
            (["membership": "dance"], "M_BAD_JSON"), (["membership": 5], "M_BAD_JSON"), ([:], "M_BAD_JSON"),
            (["membership": "kick"], "M_BAD_JSON"), (["membership": "join", "displayname": 5], "M_BAD_JSON"),
            (["membership": "join", "displayname": .string(String(repeating: "x", count: 257))], "M_BAD_JSON"),
            (["membership": "join", "avatar_url": .string(String(repeating: "x", count: 1001))], "M_BAD_JSON"),
        ] as [(JSONObject, String)])
    func badContent(content: JSONObject, code: String) async throws {
        try await withDatabase(.sqlite) { database in
            let fixture = try await RoomsFixture(database)
            let room = try await fixture.room()
            let found = try await errorCode {
                try await fixture.membership.change(to: content, of: bob, in: room.id, by: MembershipRequester(user: bob))
            }
            #expect(found == code)
            #expect(room.current.membership(of: bob) == nil)
        }
    }

    @Test("a member's own name in one room is kept there, and a join by event joins")
    func ownName() async throws {
        try await withDatabase(.sqlite) { database in
            let fixture = try await RoomsFixture(database)
            let room = try await fixture.room()
            try await fixture.membership.change(
                to: ["membership": "join", "displayname": "Overridden"], of: bob, in: room.id, by: MembershipRequester(user: bob))
            #expect(try await fixture.content(.member(bob), of: room) == ["membership": "join", "displayname": "Overridden"])
        }
    }

    @Test("a room that was left and forgotten is not read any more, and a rejoin brings it back", arguments: DatabaseKind.allCases)
    func forgetting(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let fixture = try await RoomsFixture(database)
            let room = try await fixture.room(members: [bob])
            let history = RoomHistory(rooms: fixture.rooms, events: fixture.events)
            func reads() async throws -> Bool { try await errorCode { _ = try await history.view(of: room.id, for: bob) } == nil }
            try await fixture.membership.change(.leave, of: bob, in: room.id, by: MembershipRequester(user: bob))
            #expect(try await reads())
            try await fixture.membership.forget(room.id, by: bob)
            #expect(try await !reads())
            try await fixture.join(bob, room)
            #expect(try await reads())
            // Nothing to forget is no error.
            try await fixture.membership.forget(room.id, by: carol)
            try await fixture.membership.forget(RoomID(trusted: "!none:test"), by: carol)
        }
    }

    // MARK: Third-party invites

    private func signed(_ token: String, for user: UserID, by key: SigningKey) throws -> JSON {
        let object: JSONObject = ["mxid": .string(user.string), "token": .string(token)]
        return try JSONDocument(parsing: try JSONSigning.sign(object, as: "identity.test", key: key).canonicalBytes).root
    }

    @Test("an invite by address becomes the invite of whom the identity server has signed for", arguments: DatabaseKind.allCases)
    func thirdPartyInvites(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let fixture = try await RoomsFixture(database)
            let room = try await fixture.room(.privateChat)
            let (key, foreign) = (SigningKey.generate(version: "0"), SigningKey.generate(version: "0"))
            let invite = StoredInvite(
                token: "tok", displayName: "b...",
                keys: [.init(publicKey: key.verifyKeyBase64, validityURL: "https://identity.test/isvalid")])
            try await fixture.membership.store(invite, in: room.id, by: MembershipRequester(user: alice))
            func exchange(_ signed: JSON, isValid: Bool = true, sender: UserID = alice) async throws {
                try await fixture.membership.exchange(signed, by: sender, of: bob, in: room.id) { _ in isValid }
            }
            #expect(try await errorCode { try await exchange(signed("other", for: bob, by: key)) } == "M_FORBIDDEN")
            #expect(try await errorCode { try await exchange(signed("tok", for: bob, by: foreign)) } == "M_FORBIDDEN")
            #expect(try await errorCode { try await exchange(signed("tok", for: carol, by: key)) } == "M_BAD_JSON")
            #expect(try await errorCode { try await exchange(signed("tok", for: bob, by: key), isValid: false) } == "M_FORBIDDEN")
            #expect(try await errorCode { try await exchange(signed("tok", for: bob, by: key), sender: carol) } == "M_FORBIDDEN")
            #expect(room.current.membership(of: bob) == nil)

            // Also when the inviter is gone.
            try await fixture.membership.change(.invite, of: carol, in: room.id, by: MembershipRequester(user: alice))
            try await fixture.join(carol, room)
            try await fixture.membership.change(.leave, of: alice, in: room.id, by: MembershipRequester(user: alice))
            try await exchange(signed("tok", for: bob, by: key))
            #expect(room.current.membership(of: bob) == .invite)
            #expect(try await fixture.content(.member(bob), of: room)?["third_party_invite"]?["display_name"] == "b...")
            try await fixture.join(bob, room)
            // Once more changes nothing.
            try await exchange(signed("tok", for: bob, by: key))
            #expect(room.current.membership(of: bob) == .join)
        }
    }
}
