// Who finds whom, on both databases.

import Homeserver
import MatrixCore
import Persistence
import Rooms
import ServerConfiguration
import TestSupport
import Testing

@Suite("The user directory")
struct UserDirectoryTests {
    private func found(_ term: String, by user: UserID, _ server: DirectoryFixture, limit: Int64 = 10) async throws -> [String] {
        try await server.people.search(term, limit: limit, by: user).users.map { $0.user.localpart.string }
    }

    private func privateRoom(by creator: UserID, with other: UserID, _ server: DirectoryFixture) async throws -> RoomID {
        var request = CreateRoomRequest()
        request.invites = [other]
        let room = try await server.rooms.creation.create(request, by: creator)
        try await server.rooms.join(other, room)
        return room
    }

    @Test("people are found by who shares a room with them, as long as they share it", arguments: DatabaseKind.allCases)
    func sharedRooms(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            try await DirectoryFixture.run(on: database) { server in
                let alice = try await server.account("alice", displayName: "Alice Liddell")
                let bob = try await server.account("bob")
                let carol = try await server.account("carol")
                #expect(try await found("alice", by: bob, server).isEmpty)
                let room = try await privateRoom(by: alice, with: bob, server)
                #expect(try await found("alice", by: bob, server) == ["alice"])
                #expect(try await found("LIDD", by: bob, server) == ["alice"])
                #expect(try await found("lid ali", by: bob, server) == ["alice"])
                #expect(try await found("dell", by: bob, server).isEmpty, "a word is found by its beginning")
                #expect(try await found("alice", by: carol, server).isEmpty)
                #expect(try await found("alice", by: alice, server).isEmpty, "nobody shares a room with themselves")
                try await server.rooms.leave(bob, room)
                #expect(try await found("alice", by: bob, server).isEmpty)
            }
        }
    }

    @Test("everyone finds those in a room that all may join or read, as long as it is one", arguments: DatabaseKind.allCases)
    func publicRooms(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            try await DirectoryFixture.run(on: database) { server in
                let alice = try await server.account("alice")
                let carol = try await server.account("carol")
                let room = try await server.rooms.creation.create(CreateRoomRequest(), by: alice)
                #expect(try await found("alice", by: carol, server).isEmpty)
                let changes: [(ByteString, JSONObject, Bool)] = [
                    ("m.room.join_rules", ["join_rule": "public"], true),
                    ("m.room.history_visibility", ["history_visibility": "world_readable"], true),
                    ("m.room.join_rules", ["join_rule": "invite"], true),
                    ("m.room.history_visibility", ["history_visibility": "shared"], false),
                ]
                for (type, content, isVisible) in changes {
                    try await server.setState(type, content, in: room, by: alice)
                    #expect(try await found("alice", by: carol, server) == (isVisible ? ["alice"] : []))
                    #expect(try await found("alice", by: alice, server) == (isVisible ? ["alice"] : []))
                }
            }
        }
    }

    @Test("a new name is found, and the old one is not", arguments: DatabaseKind.allCases)
    func renaming(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            try await DirectoryFixture.run(on: database) { server in
                let alice = try await server.account("alice", displayName: "Queen")
                let bob = try await server.account("bob")
                _ = try await server.rooms.room(by: alice, members: [bob])
                #expect(try await found("queen", by: bob, server) == ["alice"])
                let name = try #require(try json(#"{"v":"Duchess"}"#)["v"])
                try await server.profiles.set("displayname", to: name, of: alice, by: Requester(user: alice, device: nil))
                #expect(try await found("queen", by: bob, server).isEmpty)
                #expect(try await server.people.search("duchess", limit: 1, by: bob).users.first?.displayName == "Duchess")
            }
        }
    }

    @Test("where everyone is searched, everyone but the searcher is found")
    func everyone() async throws {
        try await withDatabase(.sqlite) { database in
            var options = UserDirectoryOptions()
            options.searchesAllUsers = true
            try await DirectoryFixture.run(on: database, options: options) { server in
                let bob = try await server.account("anabel")
                for name in ["anna", "anton"] { try await server.account(name) }
                let results = try await server.people.search("an", limit: 1, by: bob)
                #expect(results.users.count == 1 && results.isLimited)
                #expect(try await Set(found("an", by: bob, server)) == ["anna", "anton"])
                #expect(try await found("@anna:exam", by: bob, server) == ["anna"])
                #expect(try await found("@anna:other", by: bob, server).isEmpty)
                for term in ["", "  ", "!%_", "\u{0}", "@:example.org"] { #expect(try await found(term, by: bob, server).isEmpty) }
                #expect(try await found("an", by: bob, server, limit: -3).isEmpty)
            }
        }
    }

    @Test("whole words count more than beginnings")
    func ranking() async throws {
        try await withDatabase(.sqlite) { database in
            var options = UserDirectoryOptions()
            options.searchesAllUsers = true
            try await DirectoryFixture.run(on: database, options: options) { server in
                try await server.account("a", displayName: "Samantha")
                try await server.account("b", displayName: "Sam")
                let searcher = try await server.account("c")
                #expect(try await found("sam", by: searcher, server) == ["b", "a"])
            }
        }
    }

    @Test(
        "the words of names",
        arguments: [
            ("Alice Liddell", ["alice", "liddell"]), ("jean-luc_p.1", ["jean", "luc", "p", "1"]), ("ＦＵＬＬ ①", ["full", "1"]),
            ("王小明", ["王小明", "小明", "明"]), ("Zoë", ["zoë"]), ("  --  ", []),
        ])
    func words(text: String, expected: [String]) {
        #expect(SearchWords.index(text).map { ByteString($0) } == expected.map { ByteString($0) })
    }

    @Test("what is typed is held to a few words")
    func manyWords() {
        #expect(SearchWords.query(String(repeating: "a ", count: 1000)).count == 10)
        #expect(SearchWords.index(String(repeating: "明", count: 5000)).count == 32)
    }
}
