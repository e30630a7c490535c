// Percent-decoding of one path segment or one query component. RFC 3986 §2.1; `+` as a space in queries as HTML forms write it.

package enum PercentDecoding {
    /// Decodes once. A `%` that is not followed by two hexadecimal digits stays as it is, as in Python's `unquote`.
    ///
    /// - Returns: nil if the decoded bytes are not UTF-8.
    package static func decode(_ raw: Substring.UTF8View, plusIsSpace: Bool = false) -> String? {
        guard raw.contains(where: { $0 == UInt8(ascii: "%") || (plusIsSpace && $0 == UInt8(ascii: "+")) }) else {
            return String(Substring(raw))
        }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(raw.count)
        var index = raw.startIndex
        while index != raw.endIndex {
            let byte = raw[index]
            raw.formIndex(after: &index)
            if byte == UInt8(ascii: "%"), let (value, next) = hexByte(raw, at: index) {
                bytes.append(value)
                index = next
            } else {
                bytes.append(plusIsSpace && byte == UInt8(ascii: "+") ? UInt8(ascii: " ") : byte)
            }
        }
        return String(validating: bytes, as: UTF8.self)
    }

    private static func hexByte(_ raw: Substring.UTF8View, at index: String.Index) -> (UInt8, String.Index)? {
        guard index != raw.endIndex, let high = digit(raw[index]) else { return nil }
        let second = raw.index(after: index)
        guard second != raw.endIndex, let low = digit(raw[second]) else { return nil }
        return (high << 4 | low, raw.index(after: second))
    }

    private static func digit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
        default: nil
        }
    }
}
