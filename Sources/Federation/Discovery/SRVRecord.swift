// Service records of the DNS. RFC 2782; the form of messages: RFC 1035 §4.

import MatrixCore

/// One place where a service can be found.
package struct SRVRecord: Sendable, Hashable {
    /// Lower comes first.
    package let priority: Int
    /// Among records of one priority: how much of the traffic this one is for.
    package let weight: Int
    package let port: Int
    /// A host's name, without the last dot. Empty: the service is decidedly not available.
    package let target: String
    /// Seconds for which the record may be kept.
    package let lifetime: Int

    package init(priority: Int, weight: Int, port: Int, target: String, lifetime: Int = 0) {
        self.priority = priority
        self.weight = weight
        self.port = port
        self.target = target
        self.lifetime = lifetime
    }

    /// The records in the order in which they are to be tried: by priority, and among equals at random by weight.
    package static func ordered(_ records: [SRVRecord], using generator: inout some RandomNumberGenerator) -> [SRVRecord] {
        var ordered: [SRVRecord] = []
        for priority in Set(records.map(\.priority)).sorted() {
            // Those of weight 0 come first, so that they have a small chance at all.
            var rest = records.filter { $0.priority == priority }.sorted { $0.weight < $1.weight }
            while !rest.isEmpty {
                let chosen = Int.random(in: 0...rest.reduce(0) { $0 + $1.weight }, using: &generator)
                var sum = 0
                let index = rest.firstIndex { record in
                    sum += record.weight
                    return sum >= chosen
                }
                ordered.append(rest.remove(at: index ?? 0))
            }
        }
        return ordered
    }
}

/// An answer of a name server, read with care: it may be anything.
package struct DNSMessage {
    private let bytes: [UInt8]
    private var position = 0

    private enum Malformed: Error { case message }

    static let serviceType = 33

    /// The service records of an answer; nil for what is no well-formed answer.
    package static func services(in bytes: [UInt8]) -> [SRVRecord]? {
        var message = DNSMessage(bytes: bytes)
        do {
            return try message.services()
        } catch {
            return nil
        }
    }

    private init(bytes: [UInt8]) {
        self.bytes = bytes
    }

    /// How many records of an answer are looked at.
    private static let recordLimit = 64

    private mutating func services() throws -> [SRVRecord] {
        position = 4
        let (questions, answers) = (try number(), try number())
        position = 12
        for _ in 0..<questions {
            _ = try name()
            position += 4
        }
        var records: [SRVRecord] = []
        for _ in 0..<min(answers, Self.recordLimit) {
            _ = try name()
            let (type, kind) = (try number(), try number())
            let lifetime = try number() << 16 | number()
            let length = try number()
            let end = position + length
            guard end <= bytes.count else { throw Malformed.message }
            if type == Self.serviceType, kind == 1 {
                let (priority, weight, port) = (try number(), try number(), try number())
                let target = try name()
                // More than the sign bit of RFC 2181 §8 is nobody's lifetime.
                records.append(
                    SRVRecord(
                        priority: priority, weight: weight, port: port, target: target, lifetime: lifetime < 1 << 31 ? lifetime : 0))
            }
            position = end
        }
        return records
    }

    private mutating func number() throws -> Int {
        guard position + 2 <= bytes.count else { throw Malformed.message }
        defer { position += 2 }
        return Int(bytes[position]) << 8 | Int(bytes[position + 1])
    }

    /// A name, which may go on elsewhere, further ahead in the message: RFC 1035 §4.1.4.
    private mutating func name() throws -> String {
        var labels: [String] = []
        var length = 0
        var place = position
        var isElsewhere = false
        while true {
            guard place < bytes.count else { throw Malformed.message }
            let count = Int(bytes[place])
            if count >= 0xC0 {
                guard place + 1 < bytes.count else { throw Malformed.message }
                let target = (count & 0x3F) << 8 | Int(bytes[place + 1])
                if !isElsewhere { position = place + 2 }
                isElsewhere = true
                // Only ever to what came before: so it ends.
                guard target < place else { throw Malformed.message }
                place = target
                continue
            }
            guard count < 64, place + 1 + count <= bytes.count else { throw Malformed.message }
            place += 1 + count
            if count == 0 { break }
            length += count + 1
            let label = bytes[(place - count)..<place]
            let isText = label.allSatisfy { (0x21...0x7E).contains($0) && $0 != UInt8(ascii: ".") }
            guard length <= 255, isText else { throw Malformed.message }
            labels.append(String(decoding: label, as: UTF8.self))
        }
        if !isElsewhere { position = place }
        return labels.joined(separator: ".")
    }
}
