// Profiles on both databases, and in rooms.

import Homeserver
import MatrixCore
import Rooms
import TestSupport
import Testing

@Suite("Profiles")
struct ProfileServiceTests {
    private func value(_ text: String) throws -> JSON { try #require(try json(#"{"v":\#(text)}"#)["v"]) }

    private func profile(_ user: UserID, _ server: AccountsFixture) async throws -> String {
        String(decoding: try await server.profiles.profile(of: user), as: UTF8.self)
    }

    @Test("fields are set, read and removed", arguments: DatabaseKind.allCases)
    func fields(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let server = try await AccountsFixture(database)
            let alice = try await server.register("alice")
            let requester = Requester(user: alice, device: nil)
            try await server.profiles.set("displayname", to: value("\"Alice é\""), of: alice, by: requester)
            try await server.profiles.set("org.example.pet", to: value("{\"cat\":true}"), of: alice, by: requester)
            #expect(try await profile(alice, server) == #"{"displayname":"Alice é","org.example.pet":{"cat":true}}"#)
            try await server.profiles.remove("displayname", of: alice, by: requester)
            #expect(try await server.profiles.value(of: "displayname", of: alice) == nil)
            #expect(try await errorCode { _ = try await server.profiles.value(of: "org.example.none", of: alice) } == "M_NOT_FOUND")
            #expect(try await server.profiles.value(of: "org.example.pet", of: alice) == Array("{\"cat\":true}".utf8))
            #expect(try await errorCode { _ = try await profile(UserID(trusted: "@nobody:test"), server) } == "M_NOT_FOUND")
        }
    }

    @Test("others cannot change a profile, administrators can")
    func permissions() async throws {
        try await withDatabase(.sqlite) { database in
            let server = try await AccountsFixture(database)
            let (alice, bob) = (try await server.register("alice"), try await server.register("bob", isAdmin: true))
            let name = try value("\"X\"")
            #expect(
                try await errorCode {
                    try await server.profiles.set("displayname", to: name, of: bob, by: Requester(user: alice, device: nil))
                }
                    == "M_FORBIDDEN")
            try await server.profiles.set("displayname", to: name, of: alice, by: Requester(user: bob, device: nil, isAdmin: true))
            #expect(try await profile(alice, server) == #"{"displayname":"X"}"#)
        }
    }

    @Test("a profile stays under 64 KiB", arguments: DatabaseKind.allCases)
    func size(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let server = try await AccountsFixture(database)
            let alice = try await server.register("alice")
            let requester = Requester(user: alice, device: nil)
            let large = try value("\"\(String(repeating: "x", count: 40_000))\"")
            try await server.profiles.set("org.example.a", to: large, of: alice, by: requester)
            #expect(
                try await errorCode { try await server.profiles.set("org.example.b", to: large, of: alice, by: requester) }
                    == "M_PROFILE_TOO_LARGE")
            try await server.profiles.set("org.example.a", to: large, of: alice, by: requester)
        }
    }

    @Test("a new name goes into the member events of the user's rooms", arguments: DatabaseKind.allCases)
    func propagation(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let server = try await AccountsFixture(database)
            let alice = try await server.register("alice")
            let room = try await server.rooms.existing(try await server.creation.create(CreateRoomRequest(), by: alice))
            let before = room.current.entry(.member(alice))?.id
            try await server.profiles.set("displayname", to: value("\"New name\""), of: alice, by: Requester(user: alice, device: nil))
            let after = room.current.entry(.member(alice))?.id
            #expect(before != nil && after != nil && before != after)
        }
    }
}
