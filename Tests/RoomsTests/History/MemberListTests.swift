// Lists of members, which are kept as they were told last.

import MatrixCore
import Persistence
import Rooms
import TestSupport
import Testing

@Suite("Lists of members")
struct MemberListTests {
    private static let alice = RoomsFixture.alice, bob = RoomsFixture.bob, carol = RoomsFixture.carol
    private static let selections =
        [MemberSelection()] + [Membership.join, .leave].flatMap { [MemberSelection(wanted: $0), MemberSelection(unwanted: $0)] }

    /// A list as it is told must be what its events say one by one, whatever was told before.
    private func expectTruth(
        _ fixture: RoomsFixture, _ room: Room, by user: UserID = alice, at position: StreamPosition? = nil
    ) async throws {
        let view = try await fixture.view(room, user)
        let now = Timestamp.now
        for selection in Self.selections {
            let events = try await fixture.history.members(of: view, at: position, where: selection.contains)
            var expected: Set<[UInt8]> = []
            for event in events {
                var writer = JSONWriter()
                event.write(to: &writer, includeRoomID: true, for: nil, now: now)
                expected.insert(writer.bytes)
            }
            // Twice: as it is made, and as it was kept.
            for _ in 0..<2 {
                let list = try await fixture.history.memberList(of: view, at: position, selection)
                var writer = JSONWriter()
                list.write(to: &writer, now: now)
                #expect(writer.bytes.count <= list.writtenSize)
                let told = try JSONDocument(parsing: writer.bytes).root.elements.map { Array($0.bytes) }
                #expect(told.count == expected.count)
                #expect(Set(told) == expected)
            }
        }
    }

    @Test("what is told again is as true as what is told first", arguments: DatabaseKind.allCases)
    func keeping(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let fixture = try await RoomsFixture(database)
            let room = try await fixture.room()
            let other = try await fixture.room(members: [Self.carol])
            try await expectTruth(fixture, room)
            try await fixture.join(Self.bob, room)
            try await expectTruth(fixture, room)
            try await expectTruth(fixture, other)
            try await fixture.join(Self.carol, room)
            let view = try await fixture.view(room)
            let arrival = try #require(try await fixture.history.state(.member(Self.carol), of: view))
            try await expectTruth(fixture, room)
            try await fixture.redact(arrival.id, in: room)
            let redacted = try #require(try await fixture.history.state(.member(Self.carol), of: fixture.view(room)))
            #expect(redacted.redaction != nil)
            try await expectTruth(fixture, room)
            try await fixture.leave(Self.bob, room)
            try await fixture.say("carol alone", in: room, by: Self.carol)
            try await expectTruth(fixture, room)
            // As somebody sees it who has left, and as it was.
            try await fixture.leave(Self.carol, room)
            try await expectTruth(fixture, room, by: Self.bob)
            try await expectTruth(fixture, room, at: arrival.position)
        }
    }

    @Test(
        "the two parameters add up",
        arguments: [
            (nil, nil, [.join, .leave, .ban]), (.join, nil, [.join]), (nil, .join, [.leave, .ban]), (.join, .leave, [.join, .ban]),
            (.leave, .leave, [.join, .leave, .ban]),
        ] as [(Membership?, Membership?, [Membership])])
    func selection(wanted: Membership?, unwanted: Membership?, expected: [Membership]) {
        let selection = MemberSelection(wanted: wanted, unwanted: unwanted)
        #expect([Membership.join, .leave, .ban].filter(selection.contains) == expected)
    }

    @Test("ages are told as of now, however often", arguments: [0, 1, 999, 86_400_000] as [Int64])
    func ages(later: Int64) async throws {
        try await withDatabase(.sqlite) { database in
            let fixture = try await RoomsFixture(database)
            let room = try await fixture.room(members: [Self.bob])
            let view = try await fixture.view(room)
            let list = try await fixture.history.memberList(of: view, at: nil, MemberSelection())
            let now = Timestamp.now.advanced(byMilliseconds: later)
            var writer = JSONWriter()
            list.write(to: &writer, now: now)
            for event in try JSONDocument(parsing: writer.bytes).root.elements {
                let sent = try #require(event["origin_server_ts"]?.int)
                #expect(event["unsigned"]?["age"]?.int == now.milliseconds - sent)
            }
        }
    }
}
