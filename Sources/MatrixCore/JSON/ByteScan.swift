// Searching bytes eight at a time, in one machine word.

/// Finds the next byte of a string that is not plain text.
///
/// Callers give a `base` of which all bytes up to `end` may be read, and `0 <= start <= end`. Eight bytes are read at once only
/// where all eight lie before `end`, the rest one by one, so nothing at or behind `end` is ever read. The result lies in
/// `start...end`.
enum ByteScan {
    private static let ones: UInt64 = 0x0101_0101_0101_0101
    private static let highBits: UInt64 = 0x8080_8080_8080_8080

    /// The first position from `start` that holds a quote, a backslash, a control character or a byte outside ASCII; `end` if none does.
    @inline(__always)
    static func endOfPlainText(_ base: UnsafePointer<UInt8>, from start: Int, to end: Int) -> Int {
        search(base, from: start, to: end, stopsAtMultibyte: highBits)
    }

    /// The same, but text outside ASCII is passed over: what has to be escaped in a string, or ends it.
    @inline(__always)
    static func endOfUnescapedText(_ base: UnsafePointer<UInt8>, from start: Int, to end: Int) -> Int {
        search(base, from: start, to: end, stopsAtMultibyte: 0)
    }

    @inline(__always)
    private static func search(_ base: UnsafePointer<UInt8>, from start: Int, to end: Int, stopsAtMultibyte: UInt64) -> Int {
        var position = start
        while position &+ 8 <= end {
            let word = UInt64(littleEndian: UnsafeRawPointer(base + position).loadUnaligned(as: UInt64.self))
            let quotes = word ^ (ones &* 0x22)
            let backslashes = word ^ (ones &* 0x5C)
            // `(x - ones) & ~x` has the high bit set in the lowest byte of x that is 0; higher ones may be wrong by a borrow,
            // which does not matter, because only the lowest is used.
            let found =
                (((quotes &- ones) & ~quotes) | ((backslashes &- ones) & ~backslashes) | ((word &- (ones &* 0x20)) & ~word)) & highBits
                | word & stopsAtMultibyte
            if found != 0 { return position &+ found.trailingZeroBitCount >> 3 }
            position &+= 8
        }
        while position < end {
            let byte = base[position]
            if byte == 0x22 || byte == 0x5C || byte < 0x20 || (byte >= 0x80 && stopsAtMultibyte != 0) { return position }
            position &+= 1
        }
        return end
    }
}
