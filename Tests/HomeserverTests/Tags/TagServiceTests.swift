// Tags on rooms, and what becomes of deleted account data.

import Homeserver
import MatrixCore
import Persistence
import Rooms
import TestSupport
import Testing

@Suite("Tags")
struct TagServiceTests {
    private let alice = TestRooms.user("alice")

    @Test("tags are put on, changed and taken away, also many at once", arguments: DatabaseKind.allCases)
    func changing(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            try await DirectoryFixture.run(on: database) { server in
                let room = try await server.rooms.room(by: alice)
                #expect(try await server.tags.tags(of: room, for: alice).isEmpty)
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for number in 0..<20 {
                        group.addTask { try await server.tags.put("u.\(number)", try json(#"{"order":0.5}"#), on: room, for: alice) }
                    }
                    try await group.waitForAll()
                }
                #expect(try await server.tags.tags(of: room, for: alice).count == 20)
                for number in 1..<20 { try await server.tags.remove("u.\(number)", from: room, for: alice) }
                try await server.tags.remove("not there", from: room, for: alice)
                #expect(try await server.tags.tags(of: room, for: alice) == ["u.0": .object(["order": .double(0.5)])])
                let content = try await server.accountData.content("m.tag", room: room, of: alice)
                #expect(content.map { String(decoding: $0, as: UTF8.self) } == #"{"tags":{"u.0":{"order":0.5}}}"#)
            }
        }
    }

    @Test("long names, large contents and strangers' rooms are refused")
    func refusing() async throws {
        try await withDatabase(.sqlite) { database in
            try await DirectoryFixture.run(on: database) { server in
                let room = try await server.rooms.room(by: alice)
                let large = try json(#"{"x":"\#(String(repeating: "x", count: 70_000))"}"#)
                let small = try json("{}")
                let cases: [(String, JSON, UserID, String)] = [
                    (String(repeating: "é", count: 128), small, alice, "M_INVALID_PARAM"), ("u.x", large, alice, "M_TOO_LARGE"),
                    ("u.x", small, TestRooms.user("bob"), "M_FORBIDDEN"),
                ]
                for (tag, content, user, code) in cases {
                    #expect(try await errorCode { try await server.tags.put(tag, content, on: room, for: user) } == code)
                }
            }
        }
    }

    @Test("deleted account data is gone, and later syncs are told so", arguments: DatabaseKind.allCases)
    func deletion(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            try await DirectoryFixture.run(on: database) { server in
                let data = server.accountData
                let before = try await data.put("org.example", room: nil, content: Array(#"{"a":1}"#.utf8), of: alice)
                try await data.delete("org.example", room: nil, of: alice)
                try await data.delete("org.never", room: nil, of: alice)
                #expect(try await data.content("org.example", room: nil, of: alice) == nil)
                let now = server.rooms.journal.position
                let told = try await data.changes(for: alice, after: before, upTo: now).filter { $0.type == "org.example" }
                #expect(told.map { String(decoding: $0.content, as: UTF8.self) } == ["{}"])
                #expect(try await data.changes(for: alice, after: nil, upTo: now).allSatisfy { $0.type != "org.example" })
                #expect(try await errorCode { try await data.delete("m.fully_read", room: nil, of: alice) } == "M_BAD_JSON")
            }
        }
    }
}
