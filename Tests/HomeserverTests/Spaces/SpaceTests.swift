// Trees of spaces: their order, their pages, and what is left out.

import Homeserver
import MatrixCore
import Persistence
import Rooms
import TestSupport
import Testing

@Suite("Spaces")
struct SpaceTests {
    private let alice = TestRooms.user("alice")
    private let bob = TestRooms.user("bob")

    private func space(_ server: DirectoryFixture, isPublic: Bool = true) async throws -> RoomID {
        var request = CreateRoomRequest()
        request.preset = isPublic ? .publicChat : .privateChat
        request.creationContent["type"] = "m.space"
        return try await server.rooms.creation.create(request, by: alice)
    }

    private func add(
        _ child: RoomID, to space: RoomID, _ server: DirectoryFixture, order: String? = nil, isSuggested: Bool = false,
        via: [JSONValue] = ["x"]
    ) async throws {
        var content: JSONObject = ["via": .array(via)]
        content["order"] = order.map { .string($0) }
        if isSuggested { content["suggested"] = true }
        try await server.setState("m.space.child", key: child.string, content, in: space, by: alice)
    }

    private func rooms(_ page: SpaceHierarchyService.Page) -> [RoomID] { page.rooms.map(\.room) }

    @Test("children come in their order, depth first, each once, and closed rooms are left out", arguments: DatabaseKind.allCases)
    func order(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            try await DirectoryFixture.run(on: database) { server in
                let (root, inner) = (try await space(server), try await space(server))
                let first = try await server.rooms.room(by: alice)
                let second = try await server.rooms.room(by: alice)
                let unordered = try await server.rooms.room(by: alice)
                let closed = try await server.rooms.creation.create(CreateRoomRequest(), by: alice)
                let removed = try await server.rooms.room(by: alice)
                try await add(unordered, to: root, server)
                try await add(second, to: root, server, order: "b")
                try await add(inner, to: root, server, order: "a")
                try await add(closed, to: root, server, order: "0")
                try await add(removed, to: root, server, via: [])
                try await add(first, to: inner, server)
                try await add(root, to: inner, server)
                try await add(second, to: inner, server, order: "~")

                let request = SpaceHierarchyRequest(room: root)
                let page = try await server.spaces.page(request, limit: nil, from: nil, for: bob)
                #expect(rooms(page) == [root, inner, second, first, unordered])
                #expect(page.nextBatch == nil && page.rooms[0].children.count == 4)
                let own = try await server.spaces.page(request, limit: nil, from: nil, for: alice)
                #expect(rooms(own) == [root, closed, inner, second, first, unordered])
            }
        }
    }

    @Test("a walk stops at its depth, and goes along suggested children where asked")
    func limits() async throws {
        try await withDatabase(.sqlite) { database in
            try await DirectoryFixture.run(on: database) { server in
                let (root, inner) = (try await space(server), try await space(server))
                let room = try await server.rooms.room(by: alice)
                try await add(inner, to: root, server, isSuggested: true)
                try await add(room, to: inner, server)
                var request = SpaceHierarchyRequest(room: root)
                for (depth, expected) in [(0, [root]), (1, [root, inner]), (2, [root, inner, room])] as [(Int64, [RoomID])] {
                    request.maxDepth = depth
                    #expect(try await rooms(server.spaces.page(request, limit: nil, from: nil, for: bob)) == expected)
                }
                request.suggestedOnly = true
                let page = try await server.spaces.page(request, limit: nil, from: nil, for: bob)
                #expect(rooms(page) == [root, inner] && page.rooms[1].children.isEmpty)
            }
        }
    }

    @Test("pages follow each other for the same user and the same request alone")
    func paging() async throws {
        try await withDatabase(.sqlite) { database in
            try await DirectoryFixture.run(on: database) { server in
                let root = try await space(server)
                for index in 0..<5 { try await add(try await server.rooms.room(by: alice), to: root, server, order: "\(index)") }
                let request = SpaceHierarchyRequest(room: root)
                let all = try await rooms(server.spaces.page(request, limit: nil, from: nil, for: bob))
                var seen: [RoomID] = []
                var token: String?
                var firstToken: String?
                repeat {
                    let page = try await server.spaces.page(request, limit: 2, from: token, for: bob)
                    seen += rooms(page)
                    token = page.nextBatch
                    if firstToken == nil { firstToken = token }
                } while token != nil
                #expect(seen == all && all.count == 6)

                #expect(try await rooms(server.spaces.page(request, limit: 2, from: firstToken, for: bob)) == Array(all[2..<4]), "again")
                var other = request
                other.maxDepth = 1
                for (request, token, user) in [(request, firstToken, alice), (other, firstToken, bob), (request, "nonsense", bob)] {
                    #expect(
                        try await errorCode { _ = try await server.spaces.page(request, limit: 2, from: token, for: user) }
                            == "M_INVALID_PARAM")
                }
            }
        }
    }

    @Test("a space that is none of the user's business is refused")
    func closed() async throws {
        try await withDatabase(.sqlite) { database in
            try await DirectoryFixture.run(on: database) { server in
                let request = SpaceHierarchyRequest(room: try await space(server, isPublic: false))
                #expect(
                    try await errorCode { _ = try await server.spaces.page(request, limit: nil, from: nil, for: bob) } == "M_FORBIDDEN")
            }
        }
    }

    @Test("interrupted walks are kept for a while, and within a budget")
    func walks() {
        let request = SpaceHierarchyRequest(room: RoomID(trusted: "!a:b"))
        let walk = SpaceWalk(from: request.room)
        var walks = SpaceWalks()
        let start = Timestamp(milliseconds: 1_000_000)
        walks.keep(walk, request, of: alice, token: "one", now: start)
        #expect(walks.walk("one", request, of: alice, now: start.advanced(byMilliseconds: SpaceWalks.lifetime)) != nil)
        #expect(walks.walk("one", request, of: alice, now: start.advanced(byMilliseconds: SpaceWalks.lifetime + 1)) == nil)
        #expect(walks.walk("one", request, of: bob, now: start) == nil)
        for number in 0..<120_000 { walks.keep(walk, request, of: alice, token: ByteString("t\(number)"), now: start) }
        #expect(walks.walk("one", request, of: alice, now: start) == nil)
        #expect(walks.walk("t119999", request, of: alice, now: start) != nil)
    }

    // MARK: For other servers

    @Test("another server sees of a space what one of its users could see", arguments: DatabaseKind.allCases)
    func serverView(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            try await DirectoryFixture.run(on: database) { server in
                let remote = ServerName(trusted: "remote")
                let rita = UserID(trusted: "@rita:remote")
                let (root, hidden) = (try await space(server), try await space(server, isPublic: false))
                let open = try await server.rooms.room(by: alice)
                let closed = try await server.rooms.creation.create(CreateRoomRequest(), by: alice)
                let restricted = try await server.rooms.creation.create(CreateRoomRequest(), by: alice)
                try await server.setState(
                    "m.room.join_rules",
                    ["join_rule": "restricted", "allow": [["type": "m.room_membership", "room_id": .string(root.string)]]],
                    in: restricted, by: alice)
                let left = try await server.rooms.room(by: bob)
                try await server.rooms.leave(bob, left)
                let shut = try await server.rooms.room(by: alice)
                try await server.setState("m.room.server_acl", ["allow": ["example.org"]], in: shut, by: alice)
                for (order, child) in [open, closed, restricted, left, shut].enumerated() {
                    try await add(child, to: root, server, order: "\(order)", isSuggested: child == open)
                }

                func view(suggestedOnly: Bool = false) async throws -> SpaceHierarchyService.ServerView {
                    try await server.spaces.view(of: root, suggestedOnly: suggestedOnly, for: remote)
                }
                var seen = try await view()
                #expect(seen.space.children.count == 5)
                #expect(seen.children.map(\.snapshot.roomID) == [open] && seen.inaccessible == [closed, restricted, shut])
                seen = try await view(suggestedOnly: true)
                #expect(seen.space.children.count == 1 && seen.inaccessible == [])

                try await server.rooms.rooms.existing(root).send(
                    EventDraft(type: "m.room.member", stateKey: rita.text, content: ["membership": "join"], sender: rita),
                    from: EventOrigin(user: rita))
                #expect(try await view().children.map(\.snapshot.roomID) == [open, restricted])
                try await server.rooms.membership.change(.invite, of: bob, in: closed, by: MembershipRequester(user: alice))
                #expect(try await view().inaccessible == [closed, shut])
                try await server.rooms.rooms.existing(closed).send(
                    EventDraft(type: "m.room.member", stateKey: rita.text, content: ["membership": "invite"], sender: alice),
                    from: EventOrigin(user: alice))
                #expect(try await view().children.map(\.snapshot.roomID) == [open, closed, restricted])
                await #expect(throws: MatrixError.self) {
                    _ = try await server.spaces.view(of: hidden, suggestedOnly: false, for: remote)
                }
            }
        }
    }
}
