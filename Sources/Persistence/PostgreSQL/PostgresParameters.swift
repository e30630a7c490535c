// A statement's parameters in the form that libpq takes.

import CLibpq
import Glibc

/// The parameters of one statement in PostgreSQL's binary format, in buffers that are used again for the next one.
struct PostgresParameters {
    private(set) var types: [Oid] = []
    private var bytes: [UInt8] = []
    /// Where in `bytes` a parameter starts; −1 for NULL.
    private var starts: [Int] = []
    private var lengths: [Int32] = []
    private var formats: [Int32] = []
    private var pointers: [UnsafePointer<CChar>?] = []

    /// What is kept for the next statement; a buffer that a large value blew up is let go.
    private static let keptBytes = 64 * 1024

    /// Finds what cannot be sent before anything is.
    static func validate(_ values: [SQLValue]) throws(DatabaseError) {
        for value in values {
            switch value {
            case .text(let text): try refuseZero(in: text)
            case .texts(let texts):
                for text in texts { try refuseZero(in: text) }
            default: break
            }
        }
    }

    /// PostgreSQL's text cannot hold U+0000. SQLite's could; it is refused there as well, so that both behave alike.
    static func refuseZero(in text: String) throws(DatabaseError) {
        let holdsZero = text.utf8.withContiguousStorageIfAvailable { buffer in
            buffer.baseAddress.map { memchr($0, 0, buffer.count) != nil } ?? false
        }
        if holdsZero ?? text.utf8.contains(0) { throw DatabaseError(.invalidText, "a text holds U+0000, which cannot be stored") }
    }

    /// Takes over the parameters of the next statement.
    mutating func encode(_ values: [SQLValue]) throws(DatabaseError) {
        if bytes.capacity > Self.keptBytes { bytes = [] }
        bytes.removeAll(keepingCapacity: true)
        types.removeAll(keepingCapacity: true)
        starts.removeAll(keepingCapacity: true)
        lengths.removeAll(keepingCapacity: true)
        for value in values {
            let start = bytes.count
            types.append(PostgresType.of(value))
            var isNull = false
            switch value {
            case .null: isNull = true
            case .int(let int): append(UInt64(bitPattern: int))
            case .double(let double): append(double.bitPattern)
            case .text(let text): try append(text)
            case .blob(let blob): bytes += blob
            case .bool(let bool): bytes.append(bool ? 1 : 0)
            case .ints(let ints):
                appendArrayHead(count: ints.count, type: PostgresType.int8)
                for int in ints {
                    append(UInt32(8))
                    append(UInt64(bitPattern: int))
                }
            case .texts(let texts):
                appendArrayHead(count: texts.count, type: PostgresType.text)
                for text in texts {
                    append(UInt32(text.utf8.count))
                    try append(text)
                }
            }
            starts.append(isNull ? -1 : start)
            lengths.append(Int32(bytes.count - start))
        }
        while formats.count < values.count { formats.append(1) }
        // An empty value still needs an address: libpq takes the null pointer for NULL.
        if bytes.isEmpty { bytes.append(0) }
    }

    /// Lends the arrays that `PQsendQueryPrepared` wants: values, lengths, formats.
    mutating func withPointers<T>(
        _ body: (Int32, UnsafePointer<UnsafePointer<CChar>?>?, UnsafePointer<Int32>?, UnsafePointer<Int32>?) -> T
    ) -> T {
        guard !starts.isEmpty else { return body(0, nil, nil, nil) }
        pointers.removeAll(keepingCapacity: true)
        return bytes.withUnsafeBytes { buffer in
            let base = buffer.baseAddress?.assumingMemoryBound(to: CChar.self)
            for start in starts { pointers.append(start < 0 ? nil : base.map { $0 + start }) }
            return pointers.withUnsafeBufferPointer { values in
                lengths.withUnsafeBufferPointer { lengths in
                    formats.withUnsafeBufferPointer { formats in
                        body(Int32(values.count), values.baseAddress, lengths.baseAddress, formats.baseAddress)
                    }
                }
            }
        }
    }

    private mutating func append<Integer: FixedWidthInteger>(_ value: Integer) {
        withUnsafeBytes(of: value.bigEndian) { bytes.append(contentsOf: $0) }
    }

    private mutating func append(_ text: String) throws(DatabaseError) {
        try Self.refuseZero(in: text)
        bytes.append(contentsOf: text.utf8)
    }

    /// `array_send` of PostgreSQL: dimensions, no NULLs, element type, then length and lower bound of the one dimension.
    private mutating func appendArrayHead(count: Int, type: Oid) {
        append(UInt32(count == 0 ? 0 : 1))
        append(UInt32(0))
        append(UInt32(type))
        if count == 0 { return }
        append(UInt32(count))
        append(UInt32(1))
    }
}
