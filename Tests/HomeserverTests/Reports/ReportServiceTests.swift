// Reports of events, rooms and users on both databases.

import Homeserver
import MatrixCore
import Persistence
import Rooms
import ServerConfiguration
import TestSupport
import Testing

private let (alice, bob) = (TestRooms.user("alice"), TestRooms.user("bob"))

@Suite("Reports")
struct ReportServiceTests {
    @Test("reports are kept with what they say", arguments: DatabaseKind.allCases)
    func kept(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let rooms = try await TestRooms(on: database)
            let accounts = AccountService(database: database, serverName: TestRooms.serverName)
            let account = AccountRow(user: bob, passwordHash: nil, created: .now)
            _ = try await database.write { try AccountService.insert(account, displayName: nil, on: $0) }
            let reports = ReportService(
                database: database, rooms: rooms.rooms, history: rooms.history, accounts: accounts,
                rateLimits: RateLimiter(RateLimits()))
            let room = try await rooms.room(by: alice)
            let event = try await rooms.say("bad words", in: room, by: alice)
            let body = Array("{}".utf8)

            #expect(
                try await errorCode {
                    try await reports.report(event, in: room, by: bob, reason: nil, score: nil, content: body)
                } == "M_NOT_FOUND", "bob does not see it")
            try await reports.report(event, in: room, by: alice, reason: "rude", score: -50, content: body)
            try await reports.report(room, by: bob, reason: "all of it", content: body)
            try await reports.report(bob, by: alice, reason: "", content: body)
            try await reports.report(UserID(trusted: "@nobody:example.org"), by: alice, reason: "?", content: body)
            #expect(
                try await errorCode {
                    try await reports.report(RoomID(trusted: "!none:example.org"), by: bob, reason: "?", content: body)
                } == "M_NOT_FOUND")
            #expect(
                try await errorCode {
                    try await reports.report(room, by: bob, reason: String(repeating: "x", count: 1001), content: body)
                } == "M_BAD_JSON")

            let rows = try await database.read { try ReportStore.newest(10, on: $0) }
            #expect(rows.map(\.subject) == [.user(bob), .room(room), .event(event, room: room)])
            #expect(rows.map(\.reporter) == [alice, bob, alice])
            #expect(rows.map(\.reason) == ["", "all of it", "rude"])
            #expect(rows.map(\.score) == [nil, nil, -50])
        }
    }
}
