// Spaces that go over to other servers.

import Federation
import Homeserver
import MatrixCore
import Persistence
import Rooms
import Synchronization
import TestSupport
import Testing

@Suite("Spaces of several servers")
struct RemoteSpaceTests {
    private let alice = TestRooms.user("alice")
    private let bob = TestRooms.user("bob")
    private static let other = OtherServer.name

    /// Answers for some rooms, and remembers what it was asked.
    private final class Source: RemoteHierarchySource {
        let answers = Mutex<[String: String]>([:])
        let asked = Mutex<[String]>([])

        func hierarchy(of room: RoomID, suggestedOnly: Bool, at server: ServerName) async throws(FederationFailure) -> JSON {
            let answer = answers.withLock { $0["\(server) \(room)"] }
            asked.withLock { $0.append("\(server) \(room)") }
            guard let answer else { throw .answered(.notFound()) }
            do { return try json(answer) } catch { throw .malformed("\(error)") }
        }
    }

    private func room(_ id: String, more: String = "") -> String {
        #"{"room_id":"\#(id)","num_joined_members":3,"world_readable":false,"guest_can_join":false,"name":"\#(id)"\#(more)}"#
    }

    private func child(_ id: String, via: String = "other.example", order: String = "9") -> String {
        #"{"type":"m.space.child","state_key":"\#(id)","sender":"@x:other.example","origin_server_ts":1,"content":{"via":["\#(via)"],"order":"\#(order)"}}"#
    }

    private func space(_ id: String, children: [String], told: [String] = [], inaccessible: [String] = []) -> String {
        let own = room(id, more: #","room_type":"m.space","children_state":[\#(children.joined(separator: ","))]"#)
        let names = inaccessible.map { "\"\($0)\"" }.joined(separator: ",")
        return #"{"room":\#(own),"children":[\#(told.joined(separator: ","))],"inaccessible_children":[\#(names)]}"#
    }

    private func withSpaces(_ body: (DirectoryFixture, SpaceHierarchyService, Source) async throws -> Void) async throws {
        try await withDatabase(.sqlite) { database in
            try await DirectoryFixture.run(on: database) { server in
                let source = Source()
                let spaces = SpaceHierarchyService(
                    appearances: RoomAppearanceReader(rooms: server.rooms.rooms, events: server.rooms.events), events: server.rooms.events,
                    serverName: TestRooms.serverName, remote: RemoteSpaces(source: source, serverName: TestRooms.serverName))
                try await body(server, spaces, source)
            }
        }
    }

    private func shown(_ page: SpaceHierarchyService.Page) -> [String] { page.rooms.map(\.room.string) }

    @Test(
        "the walk goes on through the spaces of another server, and shows what the user may know of")
    func walking() async throws {
        try await withSpaces { server, spaces, source in
            var request = CreateRoomRequest()
            request.preset = .publicChat
            request.creationContent["type"] = "m.space"
            let root = try await server.rooms.creation.create(request, by: alice)
            let own = try await server.rooms.room(by: alice)
            try await server.setState("m.space.child", key: "!a:other.example", ["via": ["other.example"]], in: root, by: alice)
            source.answers.withLock {
                $0["other.example !a:other.example"] = space(
                    "!a:other.example",
                    children: [
                        child("!b:other.example", order: "1"), child("!c:other.example", order: "2"), child("!d:other.example", order: "3"),
                        child("!e:other.example", order: "4"), child(own.string, order: "5"),
                        child("!f:third.example", via: "third.example"),
                    ],
                    told: [
                        room("!b:other.example"), room("!c:other.example", more: #","join_rule":"invite""#),
                        room("!d:other.example", more: #","join_rule":"restricted","allowed_room_ids":["\#(root)"]"#),
                    ], inaccessible: ["!e:other.example"])
                $0["third.example !f:third.example"] = space("!f:third.example", children: [])
            }
            let page = try await spaces.page(SpaceHierarchyRequest(room: root), limit: nil, from: nil, for: alice)
            #expect(
                shown(page) == [
                    root.string, "!a:other.example", "!b:other.example", "!d:other.example", own.string, "!f:third.example",
                ])
            #expect(page.rooms[1].children.count == 5, "without the one that nobody here may know of")
            // What was told along with its space is not asked for again, and nobody is asked after what is here.
            #expect(source.asked.withLock { $0 } == ["other.example !a:other.example", "third.example !f:third.example"])
            // Bob is not in the root, which lets him into nothing.
            let bobs = try await spaces.page(SpaceHierarchyRequest(room: root), limit: nil, from: nil, for: bob)
            #expect(!shown(bobs).contains("!d:other.example") && shown(bobs).contains("!b:other.example"))
            #expect(source.asked.withLock { $0.count } == 2, "what was fetched is remembered")
        }
    }

    @Test("a walk over other servers' rooms is paged like any other, and as deep as is wanted")
    func paging() async throws {
        try await withSpaces { server, spaces, source in
            source.answers.withLock {
                $0["other.example !a:other.example"] = space(
                    "!a:other.example", children: [child("!b:other.example", order: "1"), child("!c:other.example", order: "2")],
                    told: [room("!b:other.example", more: #","room_type":"m.space""#), room("!c:other.example")])
                $0["other.example !b:other.example"] = space("!b:other.example", children: [child("!x:other.example")])
                $0["other.example !x:other.example"] = #"{"room":\#(room("!x:other.example")),"children":[],"inaccessible_children":[]}"#
            }
            var request = SpaceHierarchyRequest(room: RoomID(trusted: "!a:other.example"))
            func page(_ token: String?) async throws -> SpaceHierarchyService.Page {
                try await spaces.page(request, limit: 2, from: token, via: [Self.other], for: bob)
            }
            let first = try await page(nil)
            #expect(shown(first) == ["!a:other.example", "!b:other.example"])
            #expect(try await shown(page(first.nextBatch)) == ["!x:other.example", "!c:other.example"])
            request.maxDepth = 1
            let flat = try await page(nil)
            #expect(try await shown(flat) + shown(page(flat.nextBatch)) == ["!a:other.example", "!b:other.example", "!c:other.example"])
        }
    }

    @Test("a root that no server tells of, or that is none of the user's business, is refused")
    func refusal() async throws {
        try await withSpaces { _, spaces, source in
            source.answers.withLock {
                $0["other.example !closed:x"] = #"{"room":\#(room("!closed:x", more: #","join_rule":"invite""#))}"#
                $0["other.example !wrong:x"] = space("!another:x", children: [])
                $0["other.example !bad:x"] = #"{"room":{"room_id":"!bad:x"}}"#
                $0["third.example !late:x"] = space("!late:x", children: [])
            }
            for (id, code) in [
                ("!gone:x", "M_FORBIDDEN"), ("!closed:x", "M_FORBIDDEN"), ("!wrong:x", "M_FORBIDDEN"), ("!bad:x", "M_FORBIDDEN"),
            ] {
                let refused = try await errorCode {
                    _ = try await spaces.page(
                        SpaceHierarchyRequest(room: RoomID(trusted: id)), limit: nil, from: nil, via: [Self.other], for: bob)
                }
                #expect(refused == code, "\(id)")
            }
            // The next server is asked where one does not know the room; this server never.
            let late = try await spaces.page(
                SpaceHierarchyRequest(room: RoomID(trusted: "!late:x")), limit: nil, from: nil,
                via: [TestRooms.serverName, Self.other, ServerName(trusted: "third.example")], for: bob)
            #expect(shown(late) == ["!late:x"])
            #expect(source.asked.withLock { $0.suffix(2) } == ["other.example !late:x", "third.example !late:x"])
        }
    }

    @Test("a summary of a room that this server is not in says what its servers say")
    func summary() async throws {
        try await withSpaces { server, _, source in
            source.answers.withLock {
                $0["other.example !a:x"] =
                    #"{"room":\#(room("!a:x", more: #","topic":5,"encryption":"m.megolm.v1.aes-sha2","extra":"no""#)),"children":[]}"#
                $0["other.example !b:x"] = #"{"room":\#(room("!b:x", more: #","join_rule":"invite""#)),"children":[]}"#
            }
            let summaries = RoomSummaryService(
                database: server.rooms.database, journal: server.rooms.journal,
                appearances: RoomAppearanceReader(rooms: server.rooms.rooms, events: server.rooms.events),
                serverName: TestRooms.serverName, reader: server.reader,
                remote: RemoteSpaces(source: source, serverName: TestRooms.serverName))
            let found = try await summaries.summary(of: RoomID(trusted: "!a:x"), via: [Self.other], for: bob)
            guard case .remote(let room) = found.room else { throw MatrixError.internalError }
            var writer = JSONWriter()
            writer.object { room.write(to: &$0) }
            #expect(
                String(decoding: writer.bytes, as: UTF8.self)
                    == #"{"room_id":"!a:x","name":"!a:x","encryption":"m.megolm.v1.aes-sha2","num_joined_members":3,"join_rule":"public","world_readable":false,"guest_can_join":false}"#
            )
            #expect(found.membership == .leave)
            #expect(try await summaries.summary(of: RoomID(trusted: "!a:x"), via: [Self.other], for: nil).membership == nil)
            let refused = try await errorCode { _ = try await summaries.summary(of: RoomID(trusted: "!b:x"), via: [Self.other], for: bob) }
            #expect(refused == "M_NOT_FOUND")
        }
    }
}
