// The tables of accounts on both databases.

import MatrixCore
import Persistence
import TestSupport
import Testing

@Suite("Account stores")
struct AccountStoreTests {
    static let alice = UserID(trusted: "@alice:test")

    private func account(_ user: UserID) -> AccountRow {
        AccountRow(user: user, passwordHash: "$2b$…", created: Timestamp(milliseconds: 1), userType: "bot", isAdmin: true)
    }

    @Test("an account is added once and read back", arguments: DatabaseKind.allCases)
    func accounts(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            var account = account(Self.alice)
            account.service = "irc"
            let row = account
            #expect(try await database.write { try AccountStore.insert(row, on: $0) })
            #expect(try await database.write { try !AccountStore.insert(row, on: $0) })
            let read = try await database.read { try AccountStore.account(Self.alice, on: $0) }
            #expect(read?.passwordHash == "$2b$…" && read?.userType == "bot" && read?.isAdmin == true && read?.isDeactivated == false)
            #expect(read?.service == "irc")
            #expect(try await database.write { try AccountStore.setPasswordHash(nil, of: Self.alice, on: $0) })
            #expect(try await database.read { try AccountStore.account(Self.alice, on: $0)?.passwordHash } == nil)
            #expect(try await database.write { try !AccountStore.setAdmin(true, UserID(trusted: "@no:test"), on: $0) })
        }
    }

    @Test("ids that differ only in case are found together and are different accounts", arguments: DatabaseKind.allCases)
    func folding(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            for id in ["@alice:test", "@Alice:test", "@bob:test"] {
                let row = account(UserID(trusted: id))
                #expect(try await database.write { try AccountStore.insert(row, on: $0) })
            }
            let found = try await database.read { try AccountStore.accountsIgnoringCase(UserID(trusted: "@ALICE:test"), on: $0) }
            #expect(Set(found.map(\.user.string)) == ["@alice:test", "@Alice:test"])
        }
    }

    @Test("account data keeps the newest write of a type, and its position", arguments: DatabaseKind.allCases)
    func accountData(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let room = RoomID(trusted: "!r:test")
            try await database.write { connection in
                try AccountDataStore.set("t", room: nil, to: [1], of: Self.alice, position: 5, on: connection)
                try AccountDataStore.set("t", room: room, to: [2], of: Self.alice, position: 6, on: connection)
                try AccountDataStore.set("t", room: nil, to: [3], of: Self.alice, position: 7, on: connection)
                // A write that comes out of order does not undo a newer one.
                try AccountDataStore.set("t", room: nil, to: [9], of: Self.alice, position: 6, on: connection)
            }
            let rows = try await database.read { try AccountDataStore.changes(of: Self.alice, after: 5, upTo: 7, on: $0) }
            #expect(rows.map(\.position) == [6, 7] && rows.map(\.content) == [[2], [3]] && rows.map(\.room) == [room, nil])
            #expect(try await database.read { try AccountDataStore.changes(of: Self.alice, after: 5, upTo: 6, on: $0).count } == 1)
        }
    }

    @Test("profile fields are bytes and are told apart by bytes", arguments: DatabaseKind.allCases)
    func profile(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            try await database.write { connection in
                try ProfileStore.set("b", to: Array("1".utf8), of: Self.alice, on: connection)
                try ProfileStore.set("a", to: Array("\"é\"".utf8), of: Self.alice, on: connection)
                try ProfileStore.set("b", to: Array("2".utf8), of: Self.alice, on: connection)
            }
            let fields = try await database.read { try ProfileStore.profile(of: Self.alice, on: $0).map { [$0.field.bytes, $0.value] } }
            #expect(fields == [[Array("a".utf8), Array("\"é\"".utf8)], [Array("b".utf8), Array("2".utf8)]])
        }
    }
}
