// Service records: their order, and messages that are not what they should be.

import Federation
import Testing

@Suite("Service records")
struct SRVRecordTests {
    /// An answer to one question, with these records' data behind a pointer to the question's name.
    private static func message(_ records: [[UInt8]], answers: Int? = nil) -> [UInt8] {
        let name: [UInt8] = [1, 0x61, 2, 0x62, 0x63, 0]  // a.bc
        let count = answers ?? records.count
        var bytes: [UInt8] = [0, 1, 0x81, 0x80, 0, 1, UInt8(count >> 8), UInt8(count & 255), 0, 0, 0, 0] + name + [0, 33, 0, 1]
        for data in records { bytes += [0xC0, 12, 0, 33, 0, 1, 0, 0, 1, 0, 0, UInt8(data.count)] + data }
        return bytes
    }

    private static let target: [UInt8] = [4, 0x68, 0x6F, 0x73, 0x74, 0xC0, 12]  // host.a.bc

    @Test("records are read, with names that go on elsewhere")
    func reading() {
        let records = DNSMessage.services(in: Self.message([[0, 10, 0, 5, 0x21, 0] + Self.target, [0, 0, 0, 0, 0, 0, 0]]))
        #expect(
            records == [
                SRVRecord(priority: 10, weight: 5, port: 8448, target: "host.a.bc", lifetime: 256),
                SRVRecord(priority: 0, weight: 0, port: 0, target: "", lifetime: 256),
            ])
    }

    @Test(
        "what is no answer is refused",
        arguments: [
            [], [0, 1, 2], message([[0, 1]]), message([], answers: 3), message([[0, 0, 0, 0, 0, 1, 0xC0, 0xFF]]),
            // A name that points to itself.
            message([[0, 0, 0, 0, 0, 1, 0xC0, 40]]),
            message([[0, 0, 0, 0, 0, 1, 63, 1, 2]]),
            // A label of spaces.
            message([[0, 0, 0, 0, 0, 1, 1, 0x20, 0]]),
        ] as [[UInt8]])
    func malformed(bytes: [UInt8]) {
        #expect(DNSMessage.services(in: bytes) == nil)
    }

    @Test("no bytes at all make it trap")
    func hostile() {
        var generator = SystemRandomNumberGenerator()
        let whole = Self.message([[0, 10, 0, 5, 0x21, 0] + Self.target])
        for _ in 0..<20_000 {
            var bytes = whole
            for _ in 0..<Int.random(in: 1...4) { bytes[Int.random(in: 0..<bytes.count)] = UInt8.random(in: 0...255, using: &generator) }
            _ = DNSMessage.services(in: Array(bytes.prefix(Int.random(in: 0...bytes.count))))
        }
    }

    @Test("lower priorities come first, and weights share what is equal")
    func order() {
        let records = [
            SRVRecord(priority: 2, weight: 1, port: 1, target: "last"), SRVRecord(priority: 1, weight: 90, port: 1, target: "heavy"),
            SRVRecord(priority: 1, weight: 10, port: 1, target: "light"),
        ]
        var generator = SystemRandomNumberGenerator()
        var heavyFirst = 0
        for _ in 0..<2000 {
            let ordered = SRVRecord.ordered(records, using: &generator).map(\.target)
            #expect(ordered.count == 3 && ordered.last == "last")
            if ordered.first == "heavy" { heavyFirst += 1 }
        }
        #expect((1600...1960).contains(heavyFirst))
    }
}
