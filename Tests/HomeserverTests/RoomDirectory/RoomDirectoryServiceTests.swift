// The room directory on both databases.

import Homeserver
import MatrixCore
import Persistence
import Rooms
import TestSupport
import Testing

@Suite("The room directory")
struct RoomDirectoryServiceTests {
    private let alice = TestRooms.user("alice")
    private let bob = TestRooms.user("bob")
    private let carol = TestRooms.user("carol")

    private func names(_ page: RoomListPage) -> [String] { page.rooms.map { $0.name ?? "" } }

    private func search(_ term: String) throws -> RoomListRequest {
        try RoomListRequest(try json(#"{"filter":{"generic_search_term":"\#(term)"}}"#))
    }

    @Test("rooms come with most members first, page by page, forth and back", arguments: DatabaseKind.allCases)
    func paging(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            try await DirectoryFixture.run(on: database) { server in
                let members = [[bob, carol], [bob], [], [], []]
                for (index, others) in members.enumerated() {
                    _ = try await server.publishedRoom(by: alice, name: "\(index)", members: others)
                }
                let all = try await server.directory.page(RoomListRequest())
                #expect(all.rooms.map(\.joinedMembers) == [3, 2, 1, 1, 1] && all.total == 5)
                #expect(all.nextBatch == nil && all.prevBatch == nil)

                var seen: [String] = []
                var since: String?
                var back: String?
                repeat {
                    let page = try await server.directory.page(RoomListRequest(limit: 2, since: since))
                    seen += names(page)
                    (since, back) = (page.nextBatch, page.prevBatch)
                } while since != nil
                #expect(seen == names(all))

                var returned: [String] = []
                while let token = back {
                    let page = try await server.directory.page(RoomListRequest(limit: 2, since: token))
                    returned = names(page) + returned
                    #expect(page.nextBatch != nil)
                    back = page.prevBatch
                }
                #expect(returned == Array(names(all).dropLast()))
            }
        }
    }

    @Test("a search looks at name, topic and alias, without wildcards and without regard to case", arguments: DatabaseKind.allCases)
    func searching(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            try await DirectoryFixture.run(on: database) { server in
                let first = try await server.publishedRoom(by: alice, name: "Über Cats", topic: "All about 100% cats")
                _ = try await server.publishedRoom(by: alice, name: "Dogs", topic: "of all_kinds")
                for (term, count) in [
                    ("cats", 1), ("ÜBER", 1), ("100%", 1), ("0%a", 0), ("all_k", 1), ("allxk", 0), ("all", 2), ("mice", 0),
                ] {
                    let page = try await server.directory.page(try search(term))
                    #expect(page.rooms.count == count && page.total == count, "\(term)")
                }
                try await server.setState("m.room.name", ["name": "Mice"], in: first, by: alice)
                #expect(try await server.directory.page(try search("mice")).rooms.map(\.roomID) == [first])
                #expect(try await server.directory.page(try search("über")).rooms.isEmpty)
            }
        }
    }

    @Test("rooms are chosen by their type", arguments: DatabaseKind.allCases)
    func types(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            try await DirectoryFixture.run(on: database) { server in
                _ = try await server.publishedRoom(by: alice, name: "room")
                _ = try await server.publishedRoom(by: alice, name: "space", type: "m.space")
                let cases: [(String, [String])] = [
                    (#"["m.space"]"#, ["space"]), ("[null]", ["room"]), (#"[null,"m.space"]"#, ["room", "space"]), (#"["x"]"#, []),
                ]
                for (types, expected) in cases {
                    let page = try await server.directory.page(RoomListRequest(try json(#"{"filter":{"room_types":\#(types)}}"#)))
                    #expect(names(page).sorted() == expected, "\(types)")
                }
            }
        }
    }

    @Test("a room that nobody could enter, knock at or read is not shown, nor one that was taken out")
    func hidden() async throws {
        try await withDatabase(.sqlite) { database in
            try await DirectoryFixture.run(on: database) { server in
                let room = try await server.publishedRoom(by: alice, name: "den")
                #expect(try await server.directory.page(RoomListRequest()).rooms.count == 1)
                try await server.setState("m.room.join_rules", ["join_rule": "invite"], in: room, by: alice)
                #expect(try await server.directory.page(RoomListRequest()).rooms.isEmpty)
                try await server.setState("m.room.history_visibility", ["history_visibility": "world_readable"], in: room, by: alice)
                let shown = try await server.directory.page(RoomListRequest()).rooms
                #expect(shown.first?.worldReadable == true && shown.first?.joinRule == "invite")
                try await server.directory.setPublished(room, .private, by: Requester(user: alice, device: nil))
                #expect(try await server.directory.page(RoomListRequest()).rooms.isEmpty)
                #expect(try await server.directory.visibility(of: room) == .private)
            }
        }
    }

    @Test("who may publish a room: moderators and administrators, within the operator's rules")
    func permissions() async throws {
        try await withDatabase(.sqlite) { database in
            try await DirectoryFixture.run(on: database, publicationRules: [DirectoryRule(isAllowing: true, user: "@alice:*")]) { server in
                let room = try await server.rooms.room(by: alice, members: [bob])
                func code(_ user: UserID, isAdmin: Bool = false, isGuest: Bool = false) async throws -> String? {
                    try await errorCode {
                        try await server.directory.setPublished(
                            room, .public, by: Requester(user: user, device: nil, isAdmin: isAdmin, isGuest: isGuest))
                    }
                }
                #expect(try await code(bob) == "M_FORBIDDEN")
                #expect(try await code(bob, isAdmin: true) == "M_FORBIDDEN", "the rules are for administrators too")
                #expect(try await code(alice, isGuest: true) == "M_FORBIDDEN")
                #expect(try await code(alice) == nil)
                #expect(
                    try await errorCode {
                        try await server.directory.setPublished(
                            RoomID(trusted: "!no:where"), .public, by: Requester(user: alice, device: nil))
                    } == "M_NOT_FOUND")
            }
        }
    }

    @Test("the lists of application services stand apart", arguments: DatabaseKind.allCases)
    func networks(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            try await DirectoryFixture.run(on: database) { server in
                let own = try await server.publishedRoom(by: alice)
                let bridged = try await server.rooms.room(by: alice)
                try await server.directory.setPublished(bridged, .public, by: "irc", network: "libera")
                func rooms(_ body: String) async throws -> Set<RoomID> {
                    Set(try await server.directory.page(RoomListRequest(try json(body))).rooms.map(\.roomID))
                }
                #expect(try await rooms("{}") == [own])
                #expect(try await rooms(#"{"third_party_instance_id":"irc|libera"}"#) == [bridged])
                #expect(try await rooms(#"{"include_all_networks":true}"#) == [own, bridged])
                try await server.directory.setPublished(bridged, .private, by: "irc", network: "libera")
                #expect(try await rooms(#"{"include_all_networks":true}"#) == [own])
            }
        }
    }

    @Test("mutual rooms are those that both are in, in pages", arguments: DatabaseKind.allCases)
    func mutualRooms(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            try await DirectoryFixture.run(on: database) { server in
                var shared: [RoomID] = []
                for _ in 0..<3 { shared.append(try await server.rooms.room(by: alice, members: [bob])) }
                _ = try await server.rooms.room(by: alice)
                try await server.rooms.leave(bob, shared.removeLast())
                let rooms = try await server.summaries.mutualRooms(of: alice, and: bob, from: nil)
                #expect(rooms.rooms == shared.sorted() && rooms.total == 2 && rooms.nextBatch == nil)
                let token = Base64.encode(shared.sorted()[0].string.utf8, .urlSafe)
                #expect(try await server.summaries.mutualRooms(of: alice, and: bob, from: token).rooms == [shared.sorted()[1]])
                #expect(try await server.summaries.mutualRooms(of: alice, and: carol, from: nil).rooms.isEmpty)
                for (other, from) in [(alice, nil), (bob, "%%%")] {
                    #expect(
                        try await errorCode { _ = try await server.summaries.mutualRooms(of: alice, and: other, from: from) }
                            == "M_INVALID_PARAM")
                }
            }
        }
    }

    @Test("a summary is for those who could learn of the room anyway")
    func summaries() async throws {
        try await withDatabase(.sqlite) { database in
            try await DirectoryFixture.run(on: database) { server in
                let space = try await server.rooms.room(by: alice, members: [bob])
                var request = CreateRoomRequest()
                request.name = "Den"
                let room = try await server.rooms.creation.create(request, by: alice)
                func code(_ user: UserID?) async throws -> String? {
                    try await errorCode { _ = try await server.summaries.summary(of: room, for: user) }
                }
                #expect(try await code(nil) == "M_NOT_FOUND")
                #expect(try await code(bob) == "M_NOT_FOUND")
                let own = try await server.summaries.summary(of: room, for: alice)
                #expect(own.room.local?.name == "Den" && own.membership == .join)
                try await server.setState(
                    "m.room.join_rules",
                    [
                        "join_rule": "restricted",
                        "allow": .array([.object(["type": "m.room_membership", "room_id": .string(space.string)])]),
                    ], in: room, by: alice)
                #expect(try await code(nil) == "M_NOT_FOUND")
                #expect(try await code(carol) == "M_NOT_FOUND")
                let others = try await server.summaries.summary(of: room, for: bob)
                #expect(others.membership == .leave && others.room.local?.allowedRooms == [space])
                try await server.setState("m.room.join_rules", ["join_rule": "public"], in: room, by: alice)
                #expect(try await server.summaries.summary(of: room, for: nil).membership == nil)
            }
        }
    }
}

extension RoomSummaryService.Summary.Description {
    fileprivate var local: RoomAppearance? {
        guard case .local(let appearance) = self else { return nil }
        return appearance
    }
}
