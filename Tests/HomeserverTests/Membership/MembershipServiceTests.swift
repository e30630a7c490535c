// Membership as clients ask for it, with an identity server that answers what the test wants.

import Homeserver
import MatrixCore
import Persistence
import Rooms
import ServerConfiguration
import TestSupport
import Testing

/// An identity server in memory.
private struct KnownPeople: IdentityServers {
    var people: [String: UserID] = [:]
    var key = SigningKey.generate(version: "0")

    func user(of invite: ThirdPartyInvite) async throws -> UserID? { people[invite.address] }

    func store(_ invite: ThirdPartyInvite, details: JSONObject) async throws -> StoredInvite {
        #expect(details["room_id"]?.string != nil && details["sender"]?.string != nil && details["sender_display_name"]?.string != nil)
        return StoredInvite(
            token: "token", displayName: "somebody", keys: [.init(publicKey: key.verifyKeyBase64, validityURL: "https://id.test/valid")])
    }

    func isValid(_ key: StoredInvite.Key) async throws -> Bool { key.publicKey == self.key.verifyKeyBase64 }
}

private let (alice, bob, carol) = (TestRooms.user("alice"), TestRooms.user("bob"), TestRooms.user("carol"))

@Suite("Membership as clients ask for it")
struct MembershipServiceTests {
    private func service(
        _ rooms: TestRooms, people: KnownPeople = KnownPeople(), limits: RateLimits = RateLimits(), forgetsOnLeave: Bool = false
    ) -> MembershipService {
        MembershipService(
            rooms: rooms.rooms, membership: rooms.membership, identityServers: people, rateLimits: RateLimiter(limits),
            forgetsOnLeave: forgetsOnLeave)
    }

    private func requester(_ user: UserID, isGuest: Bool = false) -> Requester { Requester(user: user, device: nil, isGuest: isGuest) }

    private func invite(_ address: String) throws -> ThirdPartyInvite {
        try ThirdPartyInvite(json(#"{"medium":"email","address":"\#(address)","id_server":"id.test","id_access_token":"t"}"#))
    }

    @Test("an address that belongs to somebody invites that user, another one waits in the room", arguments: DatabaseKind.allCases)
    func addresses(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let rooms = try await TestRooms(on: database)
            let people = KnownPeople(people: ["bob@example.org": bob])
            let service = service(rooms, people: people)
            let id = try await rooms.room(by: alice)
            let room = try await rooms.rooms.existing(id)
            try await service.invite(invite("bob@example.org"), to: id, by: requester(alice))
            #expect(room.current.membership(of: bob) == .invite)

            try await service.invite(invite("carol@example.org"), to: id, by: requester(alice))
            #expect(room.current.thirdPartyInvite(token: "token") != nil)
            let signed: JSONObject = ["mxid": .string(carol.string), "token": "token", "sender": .string(alice.string)]
            let proof = try JSONSigning.sign(signed, as: "id.test", key: people.key)
            let json = try JSONDocument(parsing: proof.canonicalBytes).root
            try await service.join(id, by: requester(carol), content: [:], signed: json)
            #expect(room.current.membership(of: carol) == .join)
        }
    }

    @Test("joins, invites and messages count against their limits; a join of who is in does not count as one")
    func limits() async throws {
        try await withDatabase(.sqlite) { database in
            let rooms = try await TestRooms(on: database)
            var limits = RateLimits()
            limits.joins.local = RateLimit(0.001, 1)
            limits.invites.perIssuer = RateLimit(0.001, 1)
            let service = service(rooms, limits: limits)
            let first = try await rooms.room(by: alice), second = try await rooms.room(by: alice)
            try await service.change(.join, of: bob, in: first, by: requester(bob))
            try await service.change(.join, of: bob, in: first, by: requester(bob), content: ["displayname": "Bobby"])
            #expect(try await errorCode { try await service.change(.join, of: bob, in: second, by: requester(bob)) } == "M_LIMIT_EXCEEDED")
            try await service.change(.invite, of: carol, in: first, by: requester(alice))
            #expect(
                try await errorCode { try await service.change(.invite, of: carol, in: second, by: requester(alice)) } == "M_LIMIT_EXCEEDED"
            )
        }
    }

    @Test(
        "guests come and go, and do nothing else",
        arguments: [
            (MembershipAction.knock, "M_GUEST_ACCESS_FORBIDDEN"), (.invite, "M_GUEST_ACCESS_FORBIDDEN"),
            (.kick, "M_GUEST_ACCESS_FORBIDDEN"), (.ban, "M_GUEST_ACCESS_FORBIDDEN"), (.unban, "M_GUEST_ACCESS_FORBIDDEN"),
        ])
    func guests(action: MembershipAction, code: String) async throws {
        try await withDatabase(.sqlite) { database in
            let rooms = try await TestRooms(on: database)
            let room = try await rooms.room(by: alice)
            let service = service(rooms)
            #expect(
                try await errorCode {
                    try await service.change(action, of: carol, in: room, by: requester(bob, isGuest: true))
                } == code)
        }
    }

    @Test("with forget_rooms_on_leave who is out of a room has forgotten it", arguments: [MembershipAction.leave, .kick, .ban])
    func forgetting(action: MembershipAction) async throws {
        try await withDatabase(.sqlite) { database in
            let rooms = try await TestRooms(on: database)
            let room = try await rooms.room(by: alice, members: [bob])
            try await service(rooms, forgetsOnLeave: true).change(
                action, of: bob, in: room, by: requester(action == .leave ? bob : alice))
            #expect(try await rooms.membership.rooms(of: bob).map(\.forgotten) == [true])
        }
    }

    @Test("guests leave a room that no longer wants them, also when the server was away", arguments: DatabaseKind.allCases)
    func guestRemoval(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let rooms = try await TestRooms(on: database)
            let (guest, person) = (bob, carol)
            for user in [guest, person] {
                var account = AccountRow(user: user, passwordHash: nil, created: .now)
                account.isGuest = user == guest
                let row = account
                _ = try await database.write { try AccountStore.insert(row, on: $0) }
            }
            func reader() -> CommitReader {
                CommitReader(
                    GuestRemoval(
                        database: database, rooms: rooms.rooms, membership: rooms.membership, logger: DatabaseFixture.logger),
                    journal: rooms.journal, database: database, logger: DatabaseFixture.logger)
            }
            // It starts, so that its position is saved, and is away when the room is closed. Something must have happened for it to reach.
            _ = try await rooms.room(by: alice)
            let first = reader()
            let running = Task { try await first.run() }
            await first.reach(rooms.journal.position)
            running.cancel()
            try await running.value

            let id = try await rooms.room(by: alice, members: [person])
            let room = try await rooms.rooms.existing(id)
            func setAccess(_ access: String) async throws {
                let content: JSONObject = ["guest_access": .string(access)]
                try await room.send(
                    EventDraft(type: "m.room.guest_access", stateKey: "", content: content, sender: alice), from: EventOrigin(user: alice))
            }
            try await setAccess("can_join")
            try await rooms.membership.change(.join, of: guest, in: id, by: MembershipRequester(user: guest, isGuest: true))
            try await setAccess("forbidden")

            let second = reader()
            let again = Task { try await second.run() }
            #expect(await second.reach(rooms.journal.position, within: .seconds(5)))
            again.cancel()
            try await again.value
            #expect(room.current.membership(of: guest) == .leave)
            #expect(room.current.membership(of: person) == .join)
        }
    }
}
