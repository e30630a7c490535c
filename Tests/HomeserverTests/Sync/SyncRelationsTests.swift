import Homeserver
import MatrixCore
import Persistence
import Rooms
import TestSupport
import Testing

@Suite("Sync of relations")
struct SyncRelationsTests {
    private static let alice = TestRooms.user("alice"), bob = TestRooms.user("bob")

    private func relation(_ type: String, _ target: EventID) -> JSONValue {
        ["rel_type": .string(type), "event_id": .string(target.string)]
    }

    private func relations(_ room: JSON?, of id: EventID) -> JSON? {
        room?["timeline"]?["events"]?.elements.first { $0["event_id"]?.string == id.string }?["unsigned"]?["m.relations"]
    }

    @Test("an initial sync bundles what relates to an event, for each reader their own", arguments: DatabaseKind.allCases)
    func initial(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            try await SyncFixture.run(on: database) { server in
                let room = try await server.rooms.room(by: Self.alice, members: [Self.bob])
                let root = try await server.rooms.say("root", in: room, by: Self.alice)
                try await server.rooms.say("reply", in: room, by: Self.bob, relatesTo: relation("m.thread", root))
                let last = try await server.rooms.say("again", in: room, by: Self.bob, relatesTo: relation("m.thread", root))
                let plain = try await server.rooms.say("plain", in: room, by: Self.alice)
                for user in [Self.alice, Self.bob] {
                    let joined = try await server.sync(user).joined(room)
                    let thread = try #require(relations(joined, of: root)?["m.thread"])
                    #expect(thread["count"]?.int == 2 && thread["current_user_participated"]?.bool == true)
                    #expect(thread["latest_event"]?["event_id"]?.string == last.string)
                    #expect(relations(joined, of: plain) == nil)
                }
            }
        }
    }

    @Test("a new event comes with what relates to it by then, and for one who ignores without that", arguments: DatabaseKind.allCases)
    func incremental(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            try await SyncFixture.run(on: database) { server in
                let room = try await server.rooms.room(by: Self.alice, members: [Self.bob])
                let start = try await server.sync(Self.alice).next
                let root = try await server.rooms.say("root", in: room, by: Self.alice)
                #expect(relations(try await server.sync(Self.alice, since: start).joined(room), of: root) == nil)
                try await server.rooms.say("note", in: room, by: Self.bob, relatesTo: relation("m.reference", root))
                let joined = try await server.sync(Self.alice, since: start).joined(room)
                #expect(relations(joined, of: root)?["m.reference"]?["chunk"]?.count == 1)

                let ignored = #"{"ignored_users":{"\#(Self.bob)":{}}}"#
                try await server.accountData.put("m.ignored_user_list", room: nil, content: Array(ignored.utf8), of: Self.alice)
                #expect(relations(try await server.sync(Self.alice, since: start).joined(room), of: root) == nil)
            }
        }
    }
}
