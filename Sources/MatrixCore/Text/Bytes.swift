// Access to text as UTF-8 bytes, and comparison of bytes. Everything that compares network data goes through here.

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

extension String {
    /// Calls `body` with the string's UTF-8 bytes, without copying what is longer than a machine word or two.
    @inlinable
    public func withUTF8Bytes<R>(_ body: (UnsafeBufferPointer<UInt8>) throws -> R) rethrows -> R {
        if let result = try utf8.withContiguousStorageIfAvailable(body) { return result }
        return try Array(utf8).withUnsafeBufferPointer(body)
    }
}

/// Whether two runs of bytes are the same.
@inline(__always)
func bytesEqual(_ a: UnsafeBufferPointer<UInt8>, _ b: UnsafeBufferPointer<UInt8>) -> Bool {
    guard a.count == b.count else { return false }
    guard let left = a.baseAddress, let right = b.baseAddress else { return true }
    return memcmp(left, right, a.count) == 0
}

/// Negative, zero or positive as `a` sorts before, with or after `b`. For UTF-8 this is the order of code points.
@inline(__always)
func compareBytes(_ a: UnsafeBufferPointer<UInt8>, _ b: UnsafeBufferPointer<UInt8>) -> Int {
    if let left = a.baseAddress, let right = b.baseAddress {
        let order = memcmp(left, right, min(a.count, b.count))
        if order != 0 { return Int(order) }
    }
    return a.count - b.count
}
