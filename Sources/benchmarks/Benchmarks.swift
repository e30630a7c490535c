// Micro-benchmarks of the pieces on the hot paths of sending, reading and authorizing events.
//
//     swift run -c release benchmarks            # all
//     swift run -c release benchmarks parse      # those whose name contains "parse"

import MatrixCore

@main
struct Benchmarks {
    private static let alice = UserID(trusted: "@alice:example.org")
    private static let server = ServerName(trusted: "example.org")
    private static let room = RoomID(trusted: "!IoyqvKSqyQfUsUWzVc:example.org")
    private static let content = """
        {"body":"Hello there, this is a message of ordinary length, nothing more.","format":"org.matrix.custom.html",\
        "formatted_body":"<b>Hello</b> there","m.mentions":{},"msgtype":"m.text"}
        """

    static func main() throws {
        let benchmark = Benchmark(wanted: CommandLine.arguments.dropFirst().first)
        let key = SigningKey.generate(version: "a_bench")
        let event = try message(after: [], key)
        try events(benchmark, event, key)
        try json(benchmark, event.json)
        try authorization(benchmark, key)
    }

    private static func message(after previous: [EventID], _ key: SigningKey) throws -> Event {
        try .build(
            EventDraft(type: "m.room.message", stateKey: nil, content: Array(content.utf8), sender: alice), roomID: room, version: .v11,
            prevEvents: previous, authEvents: previous, depth: 3, originServerTimestamp: Timestamp(milliseconds: 1_700_000_000_000),
            origin: server, key: key)
    }

    private static func events(_ benchmark: Benchmark, _ event: Event, _ key: SigningKey) throws {
        try benchmark.measure("build an event: canonical form, hashes, signature", calls: 5_000) {
            Int(try message(after: [event.id], key).depth)
        }
        try benchmark.measure("read an event from the database's bytes") {
            Int(try Event(trusted: event.json, id: event.id, version: .v11).depth)
        }
        try benchmark.measure("read an event from another server's bytes") {
            Int(try Event(parsing: event.json, version: .v11).depth)
        }
        benchmark.measure("render an event for clients") {
            ClientEventFormat.render(pdu: event.json, id: event.id, version: .v11).count
        }
        let rendered = ClientEventFormat.render(pdu: event.json, id: event.id, version: .v11)
        var writer = JSONWriter(capacity: 1 << 20)
        benchmark.measure("splice a rendered event into a response") {
            if writer.bytes.count > 1_000_000 { writer.bytes.removeAll(keepingCapacity: true) }
            writer.openRaw(rendered)
            writer.member("unsigned", object: { $0.member("age", 12_345) })
            writer.close()
            return writer.bytes.count
        }
    }

    private static func json(_ benchmark: Benchmark, _ bytes: [UInt8]) throws {
        try benchmark.measure("parse \(bytes.count) bytes of JSON") { try JSONDocument(parsing: bytes).root.count }
        let root = try JSONDocument(parsing: bytes).root
        benchmark.measure("look a key up") { root["type"]?.bytes.count ?? 0 }
        benchmark.measure("write canonical JSON") { root.canonicalBytes.count }
    }

    private static func authorization(_ benchmark: Benchmark, _ key: SigningKey) throws {
        var created: [Event] = []
        for (type, stateKey, content) in [
            ("m.room.create", "", #"{"room_version":"11"}"#),
            ("m.room.member", alice.string, #"{"membership":"join"}"#),
            ("m.room.power_levels", "", #"{"users":{"@alice:example.org":100}}"#),
        ] {
            created.append(
                try .build(
                    EventDraft(type: ByteString(type), stateKey: ByteString(stateKey), content: Array(content.utf8), sender: alice),
                    roomID: room, version: .v11, prevEvents: created.suffix(1).map(\.id), authEvents: created.map(\.id),
                    depth: Int64(created.count + 1), originServerTimestamp: Timestamp(milliseconds: 1_700_000_000_000), origin: server,
                    key: key))
        }
        let state = AuthEventState(events: created, version: .v11)
        let event = try message(after: created.suffix(1).map(\.id), key)
        try benchmark.measure("authorize a message") {
            try authorize(event, against: state, version: .v11)
            return 1
        }
    }
}
