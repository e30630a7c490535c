// How numbers are written. Appendices §Canonical JSON.

package enum JSONNumber {
    /// The greatest integer that canonical JSON allows, 2^53 − 1; the least is its negative.
    package static let maxInteger: Int64 = (1 << 53) - 1

    /// Appends the decimal digits of `value`.
    static func append(_ value: Int64, to bytes: inout [UInt8]) {
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
}
