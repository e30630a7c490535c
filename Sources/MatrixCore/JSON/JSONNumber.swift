// How numbers are written. Appendices §Canonical JSON.

package enum JSONNumber {
    /// The greatest integer that canonical JSON allows, 2^53 − 1; the least is its negative.
    package static let maxInteger: Int64 = (1 << 53) - 1

    /// Appends the decimal digits of `value`.
    package static func append(_ value: Int64, to bytes: inout [UInt8]) {
        if value < 0 { bytes.append(UInt8(ascii: "-")) }
        var rest = value.magnitude
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 20) { digits in
            var first = 20
            repeat {
                first -= 1
                digits[first] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10)
                rest /= 10
            } while rest > 0
            bytes.append(contentsOf: UnsafeBufferPointer(rebasing: UnsafeBufferPointer(digits)[first...]))
        }
    }

    /// Appends a number; as an integer where it is one that canonical JSON allows. What JSON cannot express (infinities) is `null`.
    static func append(_ value: Double, to bytes: inout [UInt8]) {
        if let integer = Int64(exactly: value), integer.magnitude <= maxInteger.magnitude {
            append(integer, to: &bytes)
        } else if value.isFinite {
            bytes.append(contentsOf: value.description.utf8)
        } else {
            bytes.append(contentsOf: "null".utf8)
        }
    }

    /// Appends a number with its fraction, an exponent where it is very great or very small: `50.0`, `1e+22`, `1e-05`.
    ///
    /// This is how Python writes it, and so what stands in the events of old rooms wherever their hashes were computed.
    static func appendFloat(_ value: Double, to bytes: inout [UInt8]) {
        let (isNegative, digits, exponent) = decimal(value)
        if isNegative { bytes.append(UInt8(ascii: "-")) }
        guard (-4..<16).contains(exponent) else {
            bytes.append(digits[0])
            if digits.count > 1 {
                bytes.append(UInt8(ascii: "."))
                bytes.append(contentsOf: digits[1...])
            }
            bytes.append(contentsOf: exponent < 0 ? "e-".utf8 : "e+".utf8)
            if exponent.magnitude < 10 { bytes.append(UInt8(ascii: "0")) }
            append(Int64(exponent.magnitude), to: &bytes)
            return
        }
        let zeros = { (count: Int) in repeatElement(UInt8(ascii: "0"), count: Swift.max(count, 0)) }
        if exponent < 0 {
            bytes.append(contentsOf: "0.".utf8)
            bytes.append(contentsOf: zeros(-exponent - 1))
            bytes.append(contentsOf: digits)
        } else {
            bytes.append(contentsOf: digits.prefix(exponent + 1))
            bytes.append(contentsOf: zeros(exponent + 1 - digits.count))
            bytes.append(UInt8(ascii: "."))
            bytes.append(contentsOf: digits.count > exponent + 1 ? digits[(exponent + 1)...] : ArraySlice(zeros(1)))
        }
    }

    /// The fewest digits that tell a finite number from all others, without zeros at their end, and the power of ten of the first.
    private static func decimal(_ value: Double) -> (isNegative: Bool, digits: [UInt8], exponent: Int) {
        var digits: [UInt8] = []
        var exponent = 0
        var point: Int?
        var text = Substring(value.magnitude.description)
        if let mark = text.firstIndex(of: "e") {
            exponent = Int(text[text.index(after: mark)...]) ?? 0
            text = text[..<mark]
        }
        for byte in text.utf8 {
            if byte == UInt8(ascii: ".") { point = digits.count } else { digits.append(byte) }
        }
        exponent += (point ?? digits.count) - 1
        let leading = digits.prefix { $0 == UInt8(ascii: "0") }.count
        if leading == digits.count { return (value.sign == .minus, [UInt8(ascii: "0")], 0) }
        digits.removeFirst(leading)
        while digits.last == UInt8(ascii: "0") { digits.removeLast() }
        return (value.sign == .minus, digits, exponent - leading)
    }
}
