// What is known of what other servers were told, on both databases.

import MatrixCore
import Persistence
import TestSupport
import Testing

@Suite("Federation sending stores")
struct FederationSendingStoreTests {
    private let a = ServerName(trusted: "a.example"), b = ServerName(trusted: "b.example")
    private let alice = UserID(trusted: "@alice:test")

    private func position(_ value: Int64) -> StreamPosition { StreamPosition(value) }

    @Test("a server that comes back has missed the rooms with news, oldest news first", arguments: DatabaseKind.allCases)
    func missedRooms(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let (a, b) = (a, b)
            try await database.write { connection in
                for room in 1...4 {
                    try FederationSendingStore.write(ServerRoomChange(server: a, room: RoomNID(Int64(room))), on: connection)
                }
                try FederationSendingStore.write(ServerRoomChange(server: b, room: RoomNID(5)), on: connection)
                let newest: [RoomNID: StreamPosition] = [
                    RoomNID(1): StreamPosition(30), RoomNID(2): StreamPosition(10), RoomNID(3): StreamPosition(20),
                    RoomNID(5): StreamPosition(40),
                ]
                try FederationSendingStore.noteSendings(newest, on: connection)
                // What is older changes nothing.
                try FederationSendingStore.noteSendings([RoomNID(1): StreamPosition(5)], on: connection)
            }
            let found = try await database.read {
                try FederationSendingStore.missedRooms(of: a, after: StreamPosition(10), limit: 5, on: $0)
            }
            #expect(
                found == [
                    MissedRoomRow(room: RoomNID(3), position: position(20)), MissedRoomRow(room: RoomNID(1), position: position(30)),
                ])
            let first = try await database.read { try FederationSendingStore.missedRooms(of: a, after: .zero, limit: 1, on: $0) }
            #expect(first == [MissedRoomRow(room: RoomNID(2), position: position(10))])
        }
    }

    @Test("a server that has left a room gets what it missed before, until it is forgotten", arguments: DatabaseKind.allCases)
    func departure(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let (a, b) = (a, b)
            let room = RoomNID(1), other = RoomNID(2)
            try await database.write { connection in
                for server in [a, b] { try FederationSendingStore.write(ServerRoomChange(server: server, room: room), on: connection) }
                try FederationSendingStore.write(ServerRoomChange(server: a, room: other), on: connection)
                try FederationSendingStore.noteSendings([room: StreamPosition(10), other: StreamPosition(11)], on: connection)
                // One is removed by an event of ours, the other leaves by itself.
                try FederationSendingStore.write(ServerRoomChange(server: a, room: room, lastPosition: StreamPosition(12)), on: connection)
                try FederationSendingStore.write(ServerRoomChange(server: b, room: room, lastPosition: .zero), on: connection)
                try FederationSendingStore.noteSendings([room: StreamPosition(20)], on: connection)
            }
            func missed(_ server: ServerName) async throws -> [Int64] {
                try await database.read { try FederationSendingStore.missedRooms(of: server, after: .zero, limit: 5, on: $0) }
                    .map(\.position.value)
            }
            #expect(try await missed(a) == [11, 12])
            #expect(try await missed(b) == [10])
            let (present, departed) = try await database.read { connection in
                (
                    try FederationSendingStore.servers(in: room, on: connection),
                    Set(try FederationSendingStore.departedServers(on: connection))
                )
            }
            #expect(present.isEmpty && departed == [a, b])

            try await database.write { try FederationSendingStore.deleteDeparted([a, b], upTo: StreamPosition(11), on: $0) }
            #expect(try await missed(a) == [11, 12])
            #expect(try await missed(b) == [])
            // It comes back.
            try await database.write { try FederationSendingStore.write(ServerRoomChange(server: a, room: room), on: $0) }
            #expect(try await missed(a) == [11, 20])
        }
    }

    @Test("backlogs are kept, changed and removed", arguments: DatabaseKind.allCases)
    func backlogs(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let (a, b) = (a, b)
            let whole = DestinationBacklogRow(eventsAfter: position(3), deviceListsAfter: position(4))
            let events = DestinationBacklogRow(eventsAfter: position(5))
            try await database.write { connection in
                try FederationSendingStore.setBacklog(whole, of: a, on: connection)
                try FederationSendingStore.setBacklog(whole, of: b, on: connection)
                try FederationSendingStore.setBacklog(events, of: a, on: connection)
            }
            #expect(try await database.read { try FederationSendingStore.backlogs(on: $0) } == [a: events, b: whole])
            try await database.write { connection in
                for server in [a, b] { try FederationSendingStore.setBacklog(DestinationBacklogRow(), of: server, on: connection) }
            }
            #expect(try await database.read { try FederationSendingStore.backlogs(on: $0) }.isEmpty)
        }
    }

    @Test("the servers that share a room with a user, rooms left aside", arguments: DatabaseKind.allCases)
    func sharing(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let (a, b, alice) = (a, b, alice)
            try await database.write { connection in
                for (number, membership) in [(1, Membership.join), (2, .join), (3, .leave)] {
                    let room = RoomNID(Int64(number))
                    try RoomStore.insert(
                        nid: room, id: RoomID(trusted: "!r\(number):test"), version: "11", creator: alice, published: false, on: connection)
                    try MembershipStore.set(
                        membership, of: alice, in: room, event: EventNID(1), at: StreamPosition(1), on: connection)
                }
                for (server, room) in [(a, 1), (b, 2), (a, 2), (ServerName(trusted: "c.example"), 3)] {
                    try FederationSendingStore.write(ServerRoomChange(server: server, room: RoomNID(Int64(room))), on: connection)
                }
            }
            func servers(except room: Int64? = nil, excluded: Set<RoomID> = []) async throws -> [ServerName] {
                try await database.read { connection in
                    try FederationSendingStore.servers(
                        sharingRoomWith: alice, except: room.map { RoomNID($0) }, excluded: excluded, on: connection)
                }.sorted()
            }
            #expect(try await servers() == [a, b])
            #expect(try await servers(except: 2) == [a])
            #expect(try await servers(except: 1) == [a, b])
            #expect(try await servers(excluded: [RoomID(trusted: "!r2:test"), RoomID(trusted: "!x:test")]) == [a])
        }
    }

    @Test("messages to devices wait in order for their server, until they are deleted", arguments: DatabaseKind.allCases)
    func outbox(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let (a, b) = (a, b)
            try await database.write { connection in
                for number in [5, 1, 3] {
                    try ToDeviceOutboxStore.insert([UInt8(number)], to: a, position: StreamPosition(Int64(number)), on: connection)
                }
                try ToDeviceOutboxStore.insert([9], to: b, position: StreamPosition(9), on: connection)
            }
            func messages(after: Int64, limit: Int = 10) async throws -> [Int64] {
                try await database.read { try ToDeviceOutboxStore.messages(to: a, after: StreamPosition(after), limit: limit, on: $0) }
                    .map(\.position.value)
            }
            #expect(try await messages(after: 0, limit: 2) == [1, 3])
            #expect(try await messages(after: 3) == [5])
            #expect(try await database.read { try ToDeviceOutboxStore.exists(StreamPosition(3), on: $0) })
            try await database.write { try ToDeviceOutboxStore.delete(to: a, upTo: StreamPosition(3), on: $0) }
            #expect(try await messages(after: 0) == [5])
            #expect(Set(try await database.read { try ToDeviceOutboxStore.servers(on: $0) }) == [a, b])
        }
    }

    @Test("of device changes the newest of each device is announced, and keys that only some see are not", arguments: DatabaseKind.allCases)
    func announcements(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let (a, alice, bob) = (a, alice, UserID(trusted: "@bob:test"))
            let first = DeviceListSubject.device(DeviceID(trusted: "A")), second = DeviceListSubject.device(DeviceID(trusted: "B"))
            try await database.write { connection in
                try MembershipStore.set(.join, of: alice, in: RoomNID(1), event: EventNID(1), at: StreamPosition(1), on: connection)
                try MembershipStore.set(.join, of: bob, in: RoomNID(2), event: EventNID(2), at: StreamPosition(1), on: connection)
                try FederationSendingStore.write(ServerRoomChange(server: a, room: RoomNID(1)), on: connection)
                let changes: [(UserID, DeviceListSubject?, UserID?)] = [
                    (alice, nil, nil), (alice, first, nil), (alice, second, nil), (alice, first, nil), (alice, .crossSigningKeys, nil),
                    (alice, .crossSigningKeys, bob), (bob, first, nil), (alice, second, nil),
                ]
                for (index, (user, subject, viewer)) in changes.enumerated() {
                    try DeviceListStore.insert(user, subject, seenBy: viewer, position: StreamPosition(Int64(index + 1)), on: connection)
                }
            }
            func announced(after: Int64, upTo: Int64 = 100, limit: Int = 10) async throws -> [Int64] {
                try await database.read { connection in
                    try DeviceListStore.announcements(
                        for: a, after: StreamPosition(after), upTo: StreamPosition(upTo), limit: limit, on: connection)
                }.map(\.position.value)
            }
            #expect(try await announced(after: 0) == [4, 5, 8])
            #expect(try await announced(after: 4, upTo: 7) == [5])
            #expect(try await announced(after: 0, upTo: 3, limit: 1) == [2])
            let single = try await database.read { try DeviceListStore.announcements(at: [1, 5, 6, 8].map { StreamPosition($0) }, on: $0) }
            #expect(single.map(\.subject) == [.crossSigningKeys, second])
            // The chain is one of devices.
            let links = try await database.read { connection in
                try [1, 2, 4, 8, 9].map {
                    try DeviceListStore.lastDeviceChanges(of: [alice], before: StreamPosition($0), on: connection)[alice]?.value
                }
            }
            #expect(links == [nil, 1, 3, 4, 8])
            #expect(try await database.read { try DeviceListStore.lastDeviceChange(of: alice, on: $0) } == position(8))
            let users = try await database.read {
                try DeviceListStore.announced(after: StreamPosition(2), upTo: StreamPosition(.max), on: $0)
            }
            #expect(Dictionary(uniqueKeysWithValues: users.map { ($0.user, $0.first.value) }) == [alice: 3, bob: 7])
            let earlier = try await database.read {
                try DeviceListStore.announced(after: StreamPosition(2), upTo: StreamPosition(6), on: $0)
            }
            #expect(earlier.map(\.user) == [alice])
        }
    }
}
