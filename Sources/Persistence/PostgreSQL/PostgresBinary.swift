// PostgreSQL's binary formats of the few types that are used, to and from the network.

import CLibpq

/// The object ids of the types, from PostgreSQL's `pg_type.dat`. They never change.
enum PostgresType {
    static let bool: Oid = 16
    static let bytea: Oid = 17
    static let int8: Oid = 20
    static let int2: Oid = 21
    static let int4: Oid = 23
    static let text: Oid = 25
    static let float4: Oid = 700
    static let float8: Oid = 701
    static let textArray: Oid = 1009
    static let int8Array: Oid = 1016
    static let numeric: Oid = 1700

    /// What a parameter is declared as when its statement is prepared; 0 leaves it to the server, for a NULL.
    static func of(_ value: SQLValue) -> Oid {
        switch value {
        case .null: 0
        case .int: int8
        case .double: float8
        case .text: text
        case .blob: bytea
        case .bool: bool
        case .ints: int8Array
        case .texts: textArray
        }
    }
}

/// A column of a row in binary format. No bytes for NULL.
struct PostgresField {
    let type: Oid
    let bytes: UnsafeRawBufferPointer
}

enum PostgresBinary {
    // MARK: Reading

    /// A signed integer of 1, 2, 4 or 8 bytes in network order; a boolean reads as 0 or 1.
    static func integer(_ bytes: UnsafeRawBufferPointer) -> Int64 {
        switch bytes.count {
        case 8: Int64(bitPattern: UInt64(bigEndian: bytes.loadUnaligned(as: UInt64.self)))
        case 4: Int64(Int32(bitPattern: UInt32(bigEndian: bytes.loadUnaligned(as: UInt32.self))))
        case 2: Int64(Int16(bitPattern: UInt16(bigEndian: bytes.loadUnaligned(as: UInt16.self))))
        case 1: Int64(bytes[0])
        default: 0
        }
    }

    static func int(_ field: PostgresField) -> Int64 {
        switch field.type {
        case PostgresType.numeric, PostgresType.float8, PostgresType.float4: Int64(exactly: double(field).rounded(.towardZero)) ?? 0
        default: integer(field.bytes)
        }
    }

    static func double(_ field: PostgresField) -> Double {
        switch field.type {
        case PostgresType.float8 where field.bytes.count == 8:
            Double(bitPattern: UInt64(bigEndian: field.bytes.loadUnaligned(as: UInt64.self)))
        case PostgresType.float4 where field.bytes.count == 4:
            Double(Float(bitPattern: UInt32(bigEndian: field.bytes.loadUnaligned(as: UInt32.self))))
        case PostgresType.numeric: numeric(field.bytes)
        default: Double(integer(field.bytes))
        }
    }

    /// What `sum` over BIGINT gives: a count of digits, weight of the first, sign, scale, then digits to the base 10,000.
    private static func numeric(_ bytes: UnsafeRawBufferPointer) -> Double {
        guard bytes.count >= 8 else { return 0 }
        func word(_ index: Int) -> Int { Int(UInt16(bigEndian: bytes.loadUnaligned(fromByteOffset: index * 2, as: UInt16.self))) }
        let digits = min(word(0), (bytes.count - 8) / 2)
        var exponent = Int(Int16(truncatingIfNeeded: word(1)))
        let sign = word(2)
        if sign == 0xC000 { return .nan }
        var value = 0.0
        var unit = 1.0
        for index in 0..<digits {
            if exponent >= 0 {
                value = value * 10_000 + Double(word(4 + index))
            } else {
                unit /= 10_000
                value += Double(word(4 + index)) * unit
            }
            exponent -= 1
        }
        while exponent >= 0 {
            value *= 10_000
            exponent -= 1
        }
        return sign == 0x4000 ? -value : value
    }

    /// The elements of a one-dimensional array, NULLs left out. The buffers lie within `bytes`.
    static func array(_ bytes: UnsafeRawBufferPointer) -> [UnsafeRawBufferPointer] {
        guard bytes.count >= 20 else { return [] }
        func int32(_ offset: Int) -> Int { Int(Int32(bigEndian: bytes.loadUnaligned(fromByteOffset: offset, as: Int32.self))) }
        let count = int32(12)
        var elements: [UnsafeRawBufferPointer] = []
        elements.reserveCapacity(max(0, min(count, bytes.count / 4)))
        var offset = 20
        for _ in 0..<max(0, count) {
            guard offset + 4 <= bytes.count else { break }
            let length = int32(offset)
            offset += 4
            guard length >= 0 else { continue }
            guard offset + length <= bytes.count else { break }
            elements.append(UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + length]))
            offset += length
        }
        return elements
    }
}
