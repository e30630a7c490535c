// The rooms in which the server speaks to its users, on both databases.

import Homeserver
import MatrixCore
import Persistence
import Rooms
import ServerConfiguration
import TestSupport
import Testing

private let (sender, alice, bob) = (TestRooms.user("notices"), TestRooms.user("alice"), TestRooms.user("bob"))

@Suite("Notices of the server")
struct NoticeRoomsTests {
    private func notice(_ text: String) -> JSONObject { ["msgtype": "m.text", "body": .string(text)] }

    private func notices(_ rooms: TestRooms, _ options: ServerNoticeOptions = ServerNoticeOptions(senderLocalpart: "notices")) throws
        -> NoticeRooms
    {
        let pushRules = PushRuleService(database: rooms.database, journal: rooms.journal)
        let accountData = AccountDataService(database: rooms.database, journal: rooms.journal, pushRules: pushRules)
        let notices = NoticeRooms(
            options, rooms: rooms.rooms, events: rooms.events, creation: rooms.creation, membership: rooms.membership,
            tags: TagService(accountData: accountData, rooms: rooms.rooms))
        return try #require(notices)
    }

    @Test("several notices at once make one room, to which nobody but the user is invited", arguments: DatabaseKind.allCases)
    func oneRoom(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let rooms = try await TestRooms(on: database, noticeSender: sender)
            let notices = try notices(rooms)
            try await withThrowingTaskGroup(of: Void.self) { group in
                for n in 0..<8 { group.addTask { try await notices.send(notice("\(n)"), to: n < 6 ? alice : bob) } }
                try await group.waitForAll()
            }
            let of = (alice: try #require(try await notices.room(of: alice)), bob: try #require(try await notices.room(of: bob)))
            #expect(of.alice.id != of.bob.id && of.alice.current.invitedCount == 1 && of.alice.current.joinedCount == 1)
            #expect(of.alice.current.membership(of: alice) == .invite && of.alice.current.membership(of: sender) == .join)
            #expect(try await rooms.membership.rooms(of: sender).count == 2)
            let sent = try await rooms.events.timeline(of.alice.nid, after: .zero, upTo: rooms.journal.position, limit: 100)
            #expect(sent.count(where: { $0.type == "m.room.message" && $0.sender == sender }) == 6)
            // The same after a restart.
            let again = try self.notices(try await TestRooms(on: database, noticeSender: sender))
            #expect(try await again.room(of: alice)?.id == of.alice.id)
        }
    }

    @Test(
        "an invite to the notices is not rejected, the room can be left, and the next notice makes another",
        arguments: DatabaseKind.allCases)
    func leaving(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let rooms = try await TestRooms(on: database, noticeSender: sender)
            let notices = try notices(rooms)
            try await notices.send(notice("one"), to: alice)
            let first = try #require(try await notices.room(of: alice))
            #expect(try await errorCode { try await rooms.leave(alice, first.id) } == "M_CANNOT_LEAVE_SERVER_NOTICE_ROOM")
            try await rooms.join(alice, first.id)
            #expect(try await errorCode { try await rooms.say("thanks", in: first.id, by: alice) } == "M_FORBIDDEN")
            try await rooms.leave(alice, first.id)
            #expect(try await notices.room(of: alice) == nil)
            try await notices.send(notice("two"), to: alice)
            #expect(try await notices.room(of: alice)?.id != first.id)
            // Who is deactivated leaves in any case.
            let second = try #require(try await notices.room(of: alice))
            try await rooms.membership.change(.leave, of: alice, in: second.id, by: MembershipRequester(user: alice, isServer: true))
            #expect(second.current.membership(of: alice) == .leave)
        }
    }

    @Test("nobody has the user as whom notices are sent in a room", arguments: DatabaseKind.allCases)
    func nobody(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let rooms = try await TestRooms(on: database, noticeSender: sender)
            let room = try await rooms.room(by: alice)
            for isAdmin in [false, true] {
                let requester = MembershipRequester(user: alice, isAdmin: isAdmin)
                #expect(
                    try await errorCode { try await rooms.membership.change(.invite, of: sender, in: room, by: requester) } == "M_FORBIDDEN"
                )
                var request = CreateRoomRequest()
                request.invites = [bob, sender]
                let refused = request
                #expect(try await errorCode { _ = try await rooms.creation.create(refused, by: alice, isAdmin: isAdmin) } == "M_FORBIDDEN")
            }
            let services = ApplicationServices([], serverName: TestRooms.serverName, database: database, noticeSender: sender)
            #expect(throws: MatrixError.self) { try services.check(sender) }
            try services.check(alice)
        }
    }

    @Test("a room looks as the operator wants it with the next notice", arguments: DatabaseKind.allCases)
    func appearance(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let rooms = try await TestRooms(on: database, noticeSender: sender)
            var options = ServerNoticeOptions(senderLocalpart: "notices")
            options.senderName = "The club"
            options.roomTopic = "What you should know"
            try await notices(rooms, options).send(notice("one"), to: alice)
            let room = try #require(try await notices(rooms, options).room(of: alice))
            // Name, topic and picture of the room; name and picture of the sender.
            func texts() async throws -> [String?] {
                var texts: [String?] = []
                for (key, member) in [
                    (.name, "name"), (.topic, "topic"), (.avatar, "url"), (.member(sender), "displayname"), (.member(sender), "avatar_url"),
                ] as [(StateKey, String)] {
                    let event =
                        if let entry = room.current.entry(key) { try await rooms.events.event(entry.nid) } else { TimelineEvent?.none }
                    texts.append(try event?.content()?[member]?.string)
                }
                return texts
            }
            #expect(try await texts() == ["Server Notices", "What you should know", nil, "The club", nil])
            let before = room.current.position
            try await notices(rooms, options).send(notice("two"), to: alice)
            #expect(room.current.entry(.name)?.position ?? .zero <= before)

            options.roomName = "News"
            options.roomTopic = nil
            options.roomAvatarURL = "mxc://example.org/room"
            options.senderAvatarURL = "mxc://example.org/sender"
            try await notices(rooms, options).send(notice("three"), to: alice)
            #expect(try await texts() == ["News", "", "mxc://example.org/room", "The club", "mxc://example.org/sender"])
            #expect(room.current.membership(of: sender) == .join)
        }
    }
}
