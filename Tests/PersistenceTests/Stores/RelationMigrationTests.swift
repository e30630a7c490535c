import MatrixCore
import Persistence
import TestSupport
import Testing

@Suite("Migration of relations")
struct RelationMigrationTests {
    private static let older: [Migration] = [.rooms, .accounts, .devicesAndKeys]

    /// An event as it was stored before there were relations.
    private struct Stored {
        let nid: Int64
        let content: String
        var type = "m.room.message"
        var sender = "@alice:test"
        var redactedBy: Int64?
    }

    private static func relation(_ type: String, _ target: String, _ more: String = "") -> String {
        #"{"m.relates_to":{"event_id":"\#(target)","rel_type":"\#(type)"}\#(more)}"#
    }

    private static let events: [Stored] = [
        Stored(nid: 1, content: #"{"body":"root"}"#),
        Stored(nid: 2, content: relation("m.thread", "$e1"), sender: "@bob:test"),
        Stored(nid: 3, content: relation("m.thread", "$e1")),
        Stored(nid: 4, content: relation("m.annotation", "$e2"), type: "m.reaction"),
        Stored(nid: 5, content: relation("m.replace", "$e2", #","m.new_content":{"body":"new"}"#), sender: "@bob:test"),
        Stored(nid: 6, content: relation("m.replace", "$e2"), sender: "@bob:test"),
        Stored(nid: 7, content: relation("m.thread", "$e1"), redactedBy: 99),
        Stored(nid: 8, content: #"{"body":"says \"m.relates_to\"","m.relates_to":{"rel_type":1,"event_id":"$e1"}}"#),
        Stored(nid: 9, content: #"{"m.relates_to":"text"}"#),
        Stored(nid: 10, content: #"{"body":"\u0000","m.relates_to":{"rel_type":"m.reference","event_id":"$e1"}}"#),
    ]

    @Test("relations of events that were there before are found", arguments: DatabaseKind.allCases)
    func existing(kind: DatabaseKind) async throws {
        try await withDatabaseConfiguration(kind, isEmpty: true) { configuration in
            let before = try await Databases.open(configuration, migrations: Self.older, logger: DatabaseFixture.logger)
            try await before.write { connection in
                try RoomStore.insert(
                    nid: RoomNID(1), id: RoomID(trusted: "!room:test"), version: "11", creator: UserID(trusted: "@alice:test"),
                    published: false, on: connection)
                for event in Self.events {
                    let json = #"{"content":\#(event.content),"type":"\#(event.type)"}"#
                    try connection.execute(
                        """
                        INSERT INTO events (event_nid, event_id, room_nid, position, type, sender, origin_server_ts, depth, snapshot_nid,
                            redacted_by, flags, json) VALUES ($1, $2, 1, $1, $3, $4, $1, 1, 0, $5, 0, $6)
                        """,
                        [
                            .int(event.nid), .text("$e\(event.nid)"), .text(event.type), .text(event.sender), .optional(event.redactedBy),
                            .blob(Array(json.utf8)),
                        ])
                }
            }
            await before.close()

            let database = try await Databases.open(configuration, migrations: Migrations.all, logger: DatabaseFixture.logger)
            let root = EventID(trusted: "$e1"), room = RoomNID(1)
            try await database.read { connection in
                var query = RelationQuery(room: room, parent: root, after: .zero, upTo: StreamPosition(1000), limit: 10)
                query.isBackwards = false
                #expect(try RelationStore.children(query, on: connection) == [2, 3].map { EventNID($0) })
                #expect(try RelationStore.descendants(query, on: connection) == [2, 3, 4, 5, 6].map { EventNID($0) })
                #expect(try RelationStore.thread(of: EventNID(4), on: connection) == root)
                #expect(try RelationStore.thread(of: EventNID(1), on: connection) == nil)
                let found = try RelationStore.aggregations([1, 2, 4].map { EventNID($0) }, on: connection).sorted { $0.event < $1.event }
                #expect(found.map(\.event) == [1, 2].map { EventNID($0) })
                #expect(found.first?.thread?.replyCount == 2 && found.first?.thread?.latest == EventNID(3))
                #expect(found.last?.edit == EventNID(5) && found.last?.thread == nil)
                let participants = try RelationStore.participants(in: root, room, limit: 10, on: connection)
                #expect(participants == [UserID(trusted: "@alice:test"): 1, UserID(trusted: "@bob:test"): 1])
            }
            await database.close()
        }
    }
}
