// Decodes and writes the escapes of JSON strings. RFC 8259, section 7; Appendices §Canonical JSON, Grammar.

enum JSONEscape {
    /// The value of four hexadecimal digits.
    @inline(__always)
    static func hexUnit(_ digits: UnsafePointer<UInt8>) -> UInt32? {
        var unit: UInt32 = 0
        for index in 0..<4 {
            guard let digit = hexDigit(digits[index]) else { return nil }
            unit = unit << 4 | digit
        }
        return unit
    }

    private static func hexDigit(_ byte: UInt8) -> UInt32? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt32(byte - UInt8(ascii: "0"))
        case UInt8(ascii: "a")...UInt8(ascii: "f"): UInt32(byte - UInt8(ascii: "a") + 10)
        case UInt8(ascii: "A")...UInt8(ascii: "F"): UInt32(byte - UInt8(ascii: "A") + 10)
        default: nil
        }
    }

    /// Decodes the text between the quotes of a checked string: plain runs and single characters, in order.
    @inline(__always)
    static func decode(
        _ text: UnsafeBufferPointer<UInt8>, run: (UnsafeBufferPointer<UInt8>) -> Void, scalar: (Unicode.Scalar) -> Void
    ) {
        guard let base = text.baseAddress else { return }
        var position = 0
        while position < text.count {
            let start = position
            while position < text.count, base[position] != UInt8(ascii: "\\") { position &+= 1 }
            if position > start { run(UnsafeBufferPointer(start: base + start, count: position - start)) }
            guard position &+ 1 < text.count else { return }
            let letter = base[position &+ 1]
            position &+= 2
            guard letter == UInt8(ascii: "u") else {
                scalar(Unicode.Scalar(single(letter)))
                continue
            }
            guard position &+ 4 <= text.count, var value = hexUnit(base + position) else { return }
            position &+= 4
            if (0xD800...0xDBFF).contains(value), position &+ 6 <= text.count, let low = hexUnit(base + position + 2) {
                value = 0x10000 &+ (value &- 0xD800) << 10 &+ (low &- 0xDC00)
                position &+= 6
            }
            scalar(Unicode.Scalar(value) ?? "\u{FFFD}")
        }
    }

    /// The character that a one-letter escape stands for.
    private static func single(_ letter: UInt8) -> UInt8 {
        switch letter {
        case UInt8(ascii: "b"): 0x08
        case UInt8(ascii: "f"): 0x0C
        case UInt8(ascii: "n"): 0x0A
        case UInt8(ascii: "r"): 0x0D
        case UInt8(ascii: "t"): 0x09
        default: letter
        }
    }

    /// The text of a checked string, without its escapes.
    static func decoded(_ text: UnsafeBufferPointer<UInt8>) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.count)
        decode(text) {
            bytes.append(contentsOf: $0)
        } scalar: {
            bytes.append(contentsOf: $0.utf8)
        }
        return bytes
    }

    /// Appends the escape of a byte that may not stand in a string as it is: `"`, `\` and control characters.
    static func append(_ byte: UInt8, to bytes: inout [UInt8]) {
        bytes.append(UInt8(ascii: "\\"))
        switch byte {
        case 0x08: bytes.append(UInt8(ascii: "b"))
        case 0x09: bytes.append(UInt8(ascii: "t"))
        case 0x0A: bytes.append(UInt8(ascii: "n"))
        case 0x0C: bytes.append(UInt8(ascii: "f"))
        case 0x0D: bytes.append(UInt8(ascii: "r"))
        case ..<0x20:
            bytes.append(contentsOf: "u00".utf8)
            bytes.append(byte < 0x10 ? UInt8(ascii: "0") : UInt8(ascii: "1"))
            let digit = byte & 0xF
            bytes.append(digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10)
        default: bytes.append(byte)
        }
    }

    /// Appends text, escaping as canonical JSON does: only what must be escaped.
    static func append(_ text: UnsafeBufferPointer<UInt8>, to bytes: inout [UInt8]) {
        guard let base = text.baseAddress else { return }
        var position = 0
        while true {
            let end = ByteScan.endOfUnescapedText(base, from: position, to: text.count)
            if end > position { bytes.append(contentsOf: UnsafeBufferPointer(start: base + position, count: end - position)) }
            guard end < text.count else { return }
            append(base[end], to: &bytes)
            position = end + 1
        }
    }
}
