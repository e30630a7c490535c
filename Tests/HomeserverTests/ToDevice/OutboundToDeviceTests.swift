// Messages to devices of other servers: stored with the request, one EDU per server.

import Homeserver
import MatrixCore
import Persistence
import Rooms
import ServerConfiguration
import TestSupport
import Testing

@Suite("Messages to devices of other servers")
struct OutboundToDeviceTests {
    private static let alice = TestRooms.user("alice")
    private let requester = Requester(user: alice, device: DeviceID(trusted: "A"))
    private let a = ServerName(trusted: "a.example"), b = ServerName(trusted: "b.example")

    private func service(_ rooms: TestRooms, _ federation: FederationConfiguration = FederationConfiguration()) -> ToDeviceService {
        ToDeviceService(
            database: rooms.database, journal: rooms.journal, serverName: TestRooms.serverName, federation: federation,
            logger: DatabaseFixture.logger)
    }

    private func send(_ messages: String, transaction: String = "1", by service: ToDeviceService) async throws {
        let body = try JSONDocument(parsing: Array("{\"messages\":\(messages)}".utf8)).root
        try await service.send(ToDeviceRequest(type: "m.test", body), transaction: transaction, from: requester)
    }

    private func edus(to server: ServerName, in rooms: TestRooms) async throws -> [JSON] {
        try await rooms.database.read { try ToDeviceOutboxStore.messages(to: server, after: .zero, limit: 100, on: $0) }
            .map { try JSONDocument(parsing: $0.json).root }
    }

    @Test("one request makes one EDU per server, in canonical form, told of in the commit stream", arguments: DatabaseKind.allCases)
    func perServer(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let rooms = try await TestRooms(on: database)
            let before = rooms.journal.position
            try await send(
                #"{"@bob:a.example":{"Z":{"z":1},"*":{"b":2,"a":1}},"@ann:a.example":{"D":{}},"@eve:b.example":{"E":{}}}"#,
                by: service(rooms))
            let (first, second) = (try await edus(to: a, in: rooms), try await edus(to: b, in: rooms))
            #expect(first.count == 1 && second.count == 1)
            let content = try #require(first[0]["content"])
            #expect(first[0]["edu_type"]?.string == "m.direct_to_device")
            #expect(content["sender"]?.string == Self.alice.string && content["type"]?.string == "m.test")
            #expect(
                content["messages"].map { String(decoding: $0.bytes, as: UTF8.self) }
                    == #"{"@ann:a.example":{"D":{}},"@bob:a.example":{"*":{"a":1,"b":2},"Z":{"z":1}}}"#)
            #expect(first[0].canonicalBytes == Array(first[0].bytes))
            let identifiers = Set([first[0], second[0]].compactMap { $0["content"]?["message_id"]?.string })
            #expect(identifiers.count == 2)
            let changes = try #require(rooms.journal.commits.recent(after: before)).flatMap(\.changes)
            let told = changes.compactMap { change in if case .outbound(let server) = change.kind { server } else { nil } }
            #expect(told == [a, b])
        }
    }

    @Test("a request that comes again sends nothing, and one that fails stores nothing", arguments: DatabaseKind.allCases)
    func idempotency(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let rooms = try await TestRooms(on: database)
            let service = service(rooms)
            for _ in 0..<2 { try await send(#"{"@bob:a.example":{"D":{}}}"#, by: service) }
            #expect(try await edus(to: a, in: rooms).count == 1)
            await rooms.journal.stop()
            await #expect(throws: JournalStopped.self) { try await send(#"{"@bob:a.example":{"D":{}}}"#, transaction: "2", by: service) }
            #expect(try await edus(to: a, in: rooms).count == 1)
        }
    }

    @Test("large messages are divided, none is lost or torn")
    func division() async throws {
        try await withDatabase(.sqlite) { database in
            let rooms = try await TestRooms(on: database)
            let filler = String(repeating: "x", count: 20_000)
            let devices = (0..<7).map { "\"D\($0)\":{\"x\":\"\(filler)\"}" }.joined(separator: ",")
            try await send(
                "{\"@bob:a.example\":{\(devices)},\"@eve:a.example\":{\"E\":{\"x\":\"\(String(repeating: "y", count: 65_000))\"}}}",
                by: service(rooms))
            let edus = try await edus(to: a, in: rooms)
            #expect(edus.count == 4)
            #expect(edus.allSatisfy { $0.bytes.count < 70_000 })
            let found = edus.flatMap { edu in
                (edu["content"]?["messages"]?.members.map { $0 } ?? []).flatMap { user, devices in
                    devices.members.map { "\(user) \($0.key)" }
                }
            }
            #expect(found == (0..<7).map { "@bob:a.example D\($0)" } + ["@eve:a.example E"])
        }
    }

    @Test("nothing waits for servers that the operator does not allow, nor for ourselves")
    func notAllowed() async throws {
        try await withDatabase(.sqlite) { database in
            let rooms = try await TestRooms(on: database)
            var federation = FederationConfiguration()
            federation.allowedServers = [b]
            try await send(
                #"{"@bob:a.example":{"D":{}},"@eve:b.example":{"D":{}},"@nobody:example.org":{"D":{}}}"#, by: service(rooms, federation))
            let servers = try await database.read { try ToDeviceOutboxStore.servers(on: $0) }
            #expect(servers == [b])
        }
    }
}
