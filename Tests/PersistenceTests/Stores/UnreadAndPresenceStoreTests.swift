// What is unread, who was seen last and which device was used last, on both databases.

import MatrixCore
import Persistence
import TestSupport
import Testing

@Suite("Unread and presence stores")
struct UnreadAndPresenceStoreTests {
    let alice = UserID(trusted: "@alice:example.org")
    let bob = UserID(trusted: "@bob:example.org")

    @Test("a tally is kept per user and room, and replaced", arguments: DatabaseKind.allCases)
    func tallies(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            try await database.write { [alice, bob] connection in
                try UnreadStore.set([1], of: alice, in: RoomNID(1), on: connection)
                try UnreadStore.set([2], of: alice, in: RoomNID(2), on: connection)
                try UnreadStore.set([3], of: bob, in: RoomNID(1), on: connection)
                try UnreadStore.set([4, 5], of: alice, in: RoomNID(1), on: connection)
            }
            let found = try await database.read { [alice] in
                try UnreadStore.tallies(of: alice, in: [RoomNID(1), RoomNID(3)], on: $0)
            }
            #expect(found == [RoomNID(1): [4, 5]])
        }
    }

    @Test("of public and private receipts the one that is ahead counts, thread by thread", arguments: DatabaseKind.allCases)
    func readPositions(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            try await database.write { [alice, bob] connection in
                func receipt(_ user: UserID, _ type: ByteString, _ thread: ByteString, at event: Int64) throws {
                    let mark = ReceiptMark(
                        event: EventID(trusted: "$\(event)"), eventPosition: StreamPosition(event), time: Timestamp(milliseconds: 1))
                    try ReceiptStore.advance(
                        ReceiptKey(user: user, type: type, thread: thread), in: RoomNID(1), to: mark, position: StreamPosition(event + 100),
                        on: connection)
                }
                try receipt(alice, "m.read", "", at: 3)
                try receipt(alice, "m.read.private", "", at: 5)
                try receipt(alice, "m.read", "$root", at: 9)
                try receipt(bob, "m.read", "", at: 11)
            }
            let found = try await database.read { [alice] in try UnreadStore.readPositions(of: alice, in: [RoomNID(1)], on: $0) }
            #expect(found == [RoomNID(1): ["": StreamPosition(5), "$root": StreamPosition(9)]])
        }
    }

    @Test("presence is written for many users at once, replaced, and found by position", arguments: DatabaseKind.allCases)
    func presence(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            func row(_ user: UserID, _ state: String, _ message: String?, _ position: Int64) -> PresenceRow {
                PresenceRow(
                    user: user, state: state, lastActive: Timestamp(milliseconds: 1 << 41), statusMessage: message,
                    position: StreamPosition(position))
            }
            let rows = [row(alice, "online", "\"at\\work\" é \u{1F600}\n", 5), row(bob, "offline", nil, 9)]
            try await database.write { try PresenceStore.set(rows, on: $0) }
            let both = try await database.read { [alice, bob] in try PresenceStore.rows(of: [alice, bob], on: $0) }
            #expect(Set(both) == Set(rows))
            let replaced = row(alice, "unavailable", nil, 12)
            try await database.write { try PresenceStore.set([replaced], on: $0) }
            #expect(try await database.read { try PresenceStore.present(on: $0) } == [replaced])
            #expect(
                try await database.read { try PresenceStore.users(changedAfter: StreamPosition(5), limit: 10, on: $0) } == [alice, bob])
            #expect(try await database.read { try PresenceStore.users(changedAfter: StreamPosition(5), limit: 1, on: $0) } == [alice])
            try await database.write { try PresenceStore.set([], on: $0) }
        }
    }

    @Test("the last use of many devices is written in one statement; devices that are gone are left out", arguments: DatabaseKind.allCases)
    func lastSeen(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let (phone, laptop) = (DeviceID(trusted: "PHONE"), DeviceID(trusted: "LAPTOP"))
            try await database.write { [alice] connection in
                _ = try DeviceStore.insert(phone, of: alice, displayName: nil, created: Timestamp(milliseconds: 1), on: connection)
                _ = try DeviceStore.insert(laptop, of: alice, displayName: nil, created: Timestamp(milliseconds: 1), on: connection)
            }
            let uses = [
                DeviceUse(user: alice, device: phone, time: Timestamp(milliseconds: 1 << 41), address: "::1", userAgent: "Browser \"1\""),
                DeviceUse(user: alice, device: laptop, time: Timestamp(milliseconds: 7), address: nil, userAgent: nil),
                DeviceUse(user: bob, device: phone, time: Timestamp(milliseconds: 9), address: nil, userAgent: nil),
            ]
            try await database.write { try DeviceStore.setLastSeen(uses, on: $0) }
            let devices = try await database.read { [alice] in try DeviceStore.devices(of: alice, on: $0) }
            #expect(devices.map(\.device) == [laptop, phone])
            #expect(devices.map(\.lastSeen) == [Timestamp(milliseconds: 7), Timestamp(milliseconds: 1 << 41)])
            #expect(devices.map(\.lastSeenIP) == [nil, "::1"])
            #expect(devices.map(\.lastSeenUserAgent) == [nil, "Browser \"1\""])
        }
    }
}
