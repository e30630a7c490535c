// Finds the end of a JSON string and checks what is in it: UTF-8, escapes, control characters. RFC 8259, section 7; RFC 3629.

/// Reads eight bytes at a time where they are plain text.
///
/// Half of a surrogate pair in an escape is refused. Python would read it and Synapse then fail to write it as UTF-8;
/// refused at the door, nothing behind it needs to know.
struct JSONStringScanner {
    let base: UnsafePointer<UInt8>
    let count: Int
    /// The next byte to read; after ``scan()`` the one behind the closing quote.
    var position: Int

    /// Reads on to the closing quote; returns whether there were escapes.
    mutating func scan() throws(JSONError) -> Bool {
        var escaped = false
        while true {
            position = ByteScan.endOfPlainText(base, from: position, to: count)
            guard position < count else { throw error(.unexpectedEnd) }
            switch base[position] {
            case UInt8(ascii: "\""):
                position &+= 1
                return escaped
            case UInt8(ascii: "\\"):
                escaped = true
                try scanEscape()
            case 0x80...:
                try scanMultibyte()
            default:
                throw error(.controlCharacter)
            }
        }
    }

    /// A run of characters outside ASCII.
    private mutating func scanMultibyte() throws(JSONError) {
        repeat {
            let lead = base[position]
            let length: Int
            // The second byte's range shuts out overlong forms, surrogates and what is beyond U+10FFFF.
            var second: ClosedRange<UInt8> = 0x80...0xBF
            switch lead {
            case 0xC2...0xDF: length = 2
            case 0xE0: (length, second) = (3, 0xA0...0xBF)
            case 0xED: (length, second) = (3, 0x80...0x9F)
            case 0xE1...0xEF: length = 3
            case 0xF0: (length, second) = (4, 0x90...0xBF)
            case 0xF1...0xF3: length = 4
            case 0xF4: (length, second) = (4, 0x80...0x8F)
            default: throw error(.invalidUTF8)
            }
            guard position &+ length <= count, second.contains(base[position &+ 1]) else { throw error(.invalidUTF8) }
            if length > 2 {
                guard base[position &+ 2] & 0xC0 == 0x80 else { throw error(.invalidUTF8) }
                if length > 3 {
                    guard base[position &+ 3] & 0xC0 == 0x80 else { throw error(.invalidUTF8) }
                }
            }
            position &+= length
        } while position < count && base[position] >= 0x80
    }

    private mutating func scanEscape() throws(JSONError) {
        guard position &+ 1 < count else { throw error(.unexpectedEnd) }
        switch base[position &+ 1] {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"), UInt8(ascii: "b"), UInt8(ascii: "f"),
            UInt8(ascii: "n"), UInt8(ascii: "r"), UInt8(ascii: "t"):
            position &+= 2
        case UInt8(ascii: "u"):
            let unit = try hexUnit(at: position)
            switch unit {
            case 0xD800...0xDBFF:
                guard position &+ 12 <= count, base[position &+ 6] == UInt8(ascii: "\\"), base[position &+ 7] == UInt8(ascii: "u") else {
                    throw error(.loneSurrogate)
                }
                guard (0xDC00...0xDFFF).contains(try hexUnit(at: position &+ 6)) else { throw error(.loneSurrogate) }
                position &+= 12
            case 0xDC00...0xDFFF:
                throw error(.loneSurrogate)
            default:
                position &+= 6
            }
        default:
            throw error(.invalidEscape)
        }
    }

    /// The code unit of the `\uXXXX` that begins at `start`.
    private func hexUnit(at start: Int) throws(JSONError) -> UInt32 {
        guard start &+ 6 <= count else { throw error(.invalidEscape) }
        guard let unit = JSONEscape.hexUnit(base + start + 2) else { throw error(.invalidEscape) }
        return unit
    }

    private func error(_ reason: JSONError.Reason) -> JSONError {
        JSONError(reason: reason, offset: position)
    }
}
