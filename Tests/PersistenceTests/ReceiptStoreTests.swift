// Receipts on both databases.

import MatrixCore
import Persistence
import TestSupport
import Testing

@Suite("Receipt store")
struct ReceiptStoreTests {
    let alice = UserID(trusted: "@alice:example.org")
    let bob = UserID(trusted: "@bob:example.org")
    let room = RoomID(trusted: "!room:example.org")
    let nid = RoomNID(1)

    private func withRoom(_ kind: DatabaseKind, _ body: (any Database) async throws -> Void) async throws {
        try await withDatabase(kind) { database in
            try await database.write { [room, nid, alice] connection in
                try RoomStore.insert(nid: nid, id: room, version: "12", creator: alice, published: false, on: connection)
            }
            try await body(database)
        }
    }

    private func advance(_ key: ReceiptKey, to event: Int64, at position: Int64, in database: any Database) async throws {
        let mark = ReceiptMark(
            event: EventID(trusted: "$\(event)"), eventPosition: StreamPosition(event), time: Timestamp(milliseconds: 7))
        try await database.write { [nid] in
            try ReceiptStore.advance(key, in: nid, to: mark, position: StreamPosition(position), on: $0)
        }
    }

    private func events(
        for viewer: UserID, after: Int64 = 0, upTo: Int64 = 100, in database: any Database
    ) async throws -> [String] {
        try await database.read { [room] in
            try ReceiptStore.receipts(
                in: [room], visibleTo: viewer, after: StreamPosition(after), upTo: StreamPosition(upTo), on: $0)
        }.map(\.mark.event.string)
    }

    @Test("a receipt moves forward only", arguments: DatabaseKind.allCases)
    func forward(kind: DatabaseKind) async throws {
        try await withRoom(kind) { database in
            let key = ReceiptKey(user: alice, type: "m.read", thread: "")
            for (event, position) in [(5, 10), (3, 11), (5, 12), (8, 13), (7, 14)] {
                try await advance(key, to: Int64(event), at: Int64(position), in: database)
            }
            #expect(try await events(for: bob, in: database) == ["$8"])
            #expect(try await events(for: bob, after: 12, in: database) == ["$8"])
            #expect(try await events(for: bob, after: 13, in: database) == [])
            let stands = try await database.read { [nid] in try ReceiptStore.eventPosition(key, in: nid, on: $0) }
            #expect(stands == StreamPosition(8))
        }
    }

    @Test("each thread and each kind has a receipt of its own", arguments: DatabaseKind.allCases)
    func independent(kind: DatabaseKind) async throws {
        try await withRoom(kind) { database in
            let keys = [
                ReceiptKey(user: alice, type: "m.read", thread: ""), ReceiptKey(user: alice, type: "m.read", thread: "main"),
                ReceiptKey(user: alice, type: "m.read", thread: "$root"), ReceiptKey(user: bob, type: "m.read", thread: ""),
            ]
            for (index, key) in keys.enumerated() {
                try await advance(key, to: Int64(index + 1), at: Int64(index + 1), in: database)
            }
            #expect(try await events(for: bob, in: database) == ["$1", "$2", "$3", "$4"])
        }
    }

    @Test("a private receipt is seen by its owner only", arguments: DatabaseKind.allCases)
    func privacy(kind: DatabaseKind) async throws {
        try await withRoom(kind) { database in
            try await advance(ReceiptKey(user: alice, type: "m.read.private", thread: ""), to: 1, at: 1, in: database)
            #expect(try await events(for: alice, in: database) == ["$1"])
            #expect(try await events(for: bob, in: database) == [])
        }
    }
}
