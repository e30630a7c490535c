// Reading and writing JSON, beside Foundation.

import FoundationEssentials
import MatrixCore

func jsonBenchmarks(_ report: inout Report) throws {
    for (name, bytes) in [("an event", try Sample.message().json), ("a sync response", Sample.syncResponse())] {
        try parseBenchmarks(&report, "\(name) of \(bytes.count) bytes", bytes)
        try canonicalBenchmarks(&report, "\(name) of \(bytes.count) bytes", bytes)
    }
    let root = try JSONDocument(parsing: Sample.message().json).root
    report.row("look a key up", Figure.time(try Stopwatch.seconds { root["type"]?.bytes.count ?? 0 }))
}

private func parseBenchmarks(_ report: inout Report, _ name: String, _ bytes: [UInt8]) throws {
    let data = Data(bytes)
    let decoder = JSONDecoder()
    let isSync = bytes.count > 100_000
    let foundation: Work =
        isSync
        ? { try decoder.decode(SyncResponse.self, from: data).rooms.join.count }
        : { try decoder.decode(PDU.self, from: data).type.utf8.count }
    let times = try Stopwatch.seconds([
        { try JSONDocument(parsing: bytes).root.count },
        { isSync ? fields(ofSync: try JSONDocument(parsing: bytes).root) : fields(ofEvent: try JSONDocument(parsing: bytes).root) },
        foundation,
    ])
    let rates = times.map { Double(bytes.count) / $0 }
    let baseline = "JSONDecoder \(Figure.rate(rates[2]))"
    for (what, rate) in [("parse \(name)", rates[0]), ("  and read its fields as strings", rates[1])] {
        report.row(
            what, Figure.rate(rate), baseline: baseline, ratio: rate / rates[2],
            goal: .either(.rate(atLeast: 400e6, rate), .speedup(atLeast: 5, rate / rates[2])))
    }
}

private func canonicalBenchmarks(_ report: inout Report, _ name: String, _ bytes: [UInt8]) throws {
    let canonical = try JSONDocument(parsing: bytes).root
    let unsorted = try JSONDocument(parsing: reversed(canonical)).root
    let tree = canonical.value
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    let encodable = EncodableJSON(value: tree)
    let times = try Stopwatch.seconds([
        { canonical.canonicalBytes.count }, { unsorted.canonicalBytes.count }, { tree.canonicalBytes.count },
        { try encoder.encode(encodable).count },
    ])
    let rates = times.map { Double(bytes.count) / $0 }
    let baseline = "JSONEncoder \(Figure.rate(rates[3]))"
    let rows = [("canonical form of \(name)", rates[0]), ("  with all keys in reverse order", rates[1]), ("  from a tree", rates[2])]
    for (what, rate) in rows {
        report.row(what, Figure.rate(rate), baseline: baseline, ratio: rate / rates[3], goal: .rate(atLeast: 300e6, rate))
    }
}

/// The value with the members of every object in the opposite order.
private func reversed(_ json: JSON) -> [UInt8] {
    func write(_ json: JSON, to writer: inout JSONWriter) {
        switch json.kind {
        case .object:
            writer.object { writer in
                for (key, value) in json.members.reversed() {
                    writer.key(key)
                    write(value, to: &writer)
                }
            }
        case .array:
            writer.array { writer in
                for element in json.elements { write(element, to: &writer) }
            }
        default:
            writer.json(json)
        }
    }
    var writer = JSONWriter()
    write(json, to: &writer)
    return writer.bytes
}

// MARK: What is read

/// The fields that both readers turn into values.
private struct PDU: Decodable {
    let type: String
    let sender: String
    let origin_server_ts: Int64
    let event_id: String?
    let state_key: String?
}

private struct SyncResponse: Decodable {
    let next_batch: String
    let rooms: Rooms

    struct Rooms: Decodable { let join: [String: Room] }
    struct Room: Decodable {
        let state: Events
        let timeline: Events
    }
    struct Events: Decodable { let events: [PDU] }
}

private func fields(ofEvent event: JSON) -> Int {
    (event["type"]?.string?.utf8.count ?? 0) &+ (event["sender"]?.string?.utf8.count ?? 0) &+ Int(event["origin_server_ts"]?.int ?? 0)
        &+ (event["event_id"]?.string?.utf8.count ?? 0) &+ (event["state_key"]?.string?.utf8.count ?? 0)
}

private func fields(ofSync response: JSON) -> Int {
    guard let rooms = response["rooms"]?["join"] else { return 0 }
    var sum = response["next_batch"]?.string?.utf8.count ?? 0
    for (room, value) in rooms.members {
        sum &+= room.count
        for part in ["state", "timeline"] {
            guard let events = value[part]?["events"] else { continue }
            for event in events.elements { sum &+= fields(ofEvent: event) }
        }
    }
    return sum
}

// MARK: What is written

private struct EncodableJSON: Encodable {
    let value: JSONValue

    struct Key: CodingKey {
        let stringValue: String
        var intValue: Int? { nil }
        init(stringValue: String) { self.stringValue = stringValue }
        init?(intValue: Int) { nil }
    }

    func encode(to encoder: any Encoder) throws {
        switch value {
        case .object(let members):
            var container = encoder.container(keyedBy: Key.self)
            for (key, value) in members { try container.encode(EncodableJSON(value: value), forKey: Key(stringValue: key.string)) }
        case .array(let elements):
            var container = encoder.unkeyedContainer()
            for element in elements { try container.encode(EncodableJSON(value: element)) }
        default:
            var container = encoder.singleValueContainer()
            switch value {
            case .string(let text): try container.encode(text)
            case .int(let number): try container.encode(number)
            case .double(let number): try container.encode(number)
            case .bool(let flag): try container.encode(flag)
            default: try container.encodeNil()
            }
        }
    }
}
