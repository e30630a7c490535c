// What goes along when a room is replaced, and what a repeated request gets.

import Homeserver
import MatrixCore
import Persistence
import Rooms
import ServerConfiguration
import TestSupport
import Testing

private let (alice, bob, carol) = (TestRooms.user("alice"), TestRooms.user("bob"), TestRooms.user("carol"))

@Suite("Room upgrades as clients ask for them")
struct RoomUpgradeServiceTests {
    private struct Fixture {
        let rooms: TestRooms
        let accountData: AccountDataService
        let pushRules: PushRuleService
        let upgrades: RoomUpgradeService

        init(_ database: any Database) async throws {
            rooms = try await TestRooms(on: database)
            pushRules = PushRuleService(database: database, journal: rooms.journal)
            accountData = AccountDataService(database: database, journal: rooms.journal, pushRules: pushRules)
            upgrades = RoomUpgradeService(
                rooms: rooms.rooms, events: rooms.events,
                settings: RoomSettingsCopy(
                    database: database, accountData: accountData, pushRules: pushRules, logger: DatabaseFixture.logger),
                rateLimits: RateLimiter(RateLimits()))
        }
    }

    private func text(_ bytes: [UInt8]?) -> String? { bytes.map { String(decoding: $0, as: UTF8.self) } }

    @Test("tags, direct chats and push rules of the members go along", arguments: DatabaseKind.allCases)
    func settings(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let fixture = try await Fixture(database)
            let old = try await fixture.rooms.room(by: alice, members: [bob])
            let data = fixture.accountData
            for user in [alice, bob, carol] {
                try await data.put("m.tag", room: old, content: Array(#"{"tags":{"m.favourite":{"order":0.5}}}"#.utf8), of: user)
            }
            try await data.put("m.direct", room: nil, content: Array(#"{"@x:y":["\#(old)","!z:y"]}"#.utf8), of: bob)
            let body = try json(#"{"actions":["notify"]}"#)
            try await fixture.pushRules.put(try PushRule(.room, id: old.text, json: body), at: .mostImportant, for: bob)
            let mute = try json(#"{"actions":[],"conditions":[{"kind":"event_match","key":"room_id","pattern":"\#(old)"}]}"#)
            try await fixture.pushRules.put(try PushRule(.override, id: old.text, json: mute), at: .mostImportant, for: bob)
            let off = try json(#"{"actions":["notify"],"pattern":"cake"}"#)
            try await fixture.pushRules.put(try PushRule(.content, id: "cake", json: off), at: .mostImportant, for: bob)

            let new = try await fixture.upgrades.replace(
                old, by: .v12, additionalCreators: [], for: Requester(user: alice, device: nil))
            for user in [alice, bob] {
                #expect(text(try await data.content("m.tag", room: new, of: user)) == #"{"tags":{"m.favourite":{"order":0.5}}}"#)
            }
            #expect(try await data.content("m.tag", room: new, of: carol) == nil, "who was no member gets nothing")
            #expect(text(try await data.content("m.direct", room: nil, of: bob)) == #"{"@x:y":["\#(old)","!z:y","\#(new)"]}"#)
            let rules = try await fixture.pushRules.ruleset(of: bob)
            for kind in [PushRule.Kind.room, .override] {
                #expect(rules.rule(kind, new.text)?.concerns(new) == true)
                #expect(rules.rule(kind, old.text)?.concerns(old) == true)
            }
            #expect(rules.rule(.override, new.text)?.actions == [])
            #expect(rules.rules.filter { !$0.isDefault }.count == 5)
        }
    }

    @Test("a repeated request gets the room that the first one made", arguments: DatabaseKind.allCases)
    func repetition(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let fixture = try await Fixture(database)
            let old = try await fixture.rooms.room(by: alice, members: [bob])
            let requester = Requester(user: alice, device: nil)
            let rooms = try await withThrowingTaskGroup(of: RoomID.self) { group in
                for _ in 0..<3 {
                    group.addTask {
                        try await fixture.upgrades.replace(old, by: .v11, additionalCreators: [], for: requester)
                    }
                }
                return try await group.reduce(into: Set()) { $0.insert($1) }
            }
            #expect(rooms.count == 1)
            // Who was refused may be refused again.
            let other = Requester(user: bob, device: nil)
            for _ in 0..<2 {
                #expect(
                    try await errorCode {
                        _ = try await fixture.upgrades.replace(old, by: .v12, additionalCreators: [], for: other)
                    } == "M_FORBIDDEN")
            }
        }
    }
}
