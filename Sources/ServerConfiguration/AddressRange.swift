// A network of IP addresses, such as 10.0.0.0/8 or fe80::/10.

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// All addresses that begin with the same bits.
package struct AddressRange: Sendable, Hashable {
    /// The bytes of an address: four, or sixteen. An IPv4 address in the clothes of IPv6 (`::ffff:10.0.0.1`) counts as what it is.
    package struct Address: Sendable, Hashable {
        let bytes: [UInt8]

        /// - Parameter bytes: 4 or 16.
        package init?(bytes: [UInt8]) {
            guard bytes.count == 4 || bytes.count == 16 else { return nil }
            self.bytes = bytes.starts(with: Address.mappedPrefix) && bytes.count == 16 ? Array(bytes[12...]) : bytes
        }

        /// - Parameter text: an address as it is written, without brackets.
        package init?(_ text: String) {
            var four = in_addr(), sixteen = in6_addr()
            if inet_pton(AF_INET, text, &four) == 1 {
                self.init(bytes: withUnsafeBytes(of: four) { Array($0) })
            } else if inet_pton(AF_INET6, text, &sixteen) == 1 {
                self.init(bytes: withUnsafeBytes(of: sixteen) { Array($0) })
            } else {
                return nil
            }
        }

        /// `0.0.0.0` and `::`, which reach the host itself.
        var isUnspecified: Bool { bytes.allSatisfy { $0 == 0 } }

        private static let mappedPrefix: [UInt8] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF]
    }

    private let bytes: [UInt8]
    private let bitCount: Int

    /// - Parameter text: an address, alone or with the number of its bits that count.
    package init?(_ text: String) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count <= 2, let first = parts.first, let address = Address(String(first)) else { return nil }
        let width = address.bytes.count * 8
        guard parts.count == 2 else {
            (bytes, bitCount) = (address.bytes, width)
            return
        }
        // A network of mapped addresses is written with the bits of IPv6.
        guard let written = Int(parts[1]), written >= 0 else { return nil }
        let count = first.contains(":") && width == 32 ? written - 96 : written
        guard (0...width).contains(count) else { return nil }
        (bytes, bitCount) = (address.bytes, count)
    }

    package func contains(_ address: Address) -> Bool {
        guard address.bytes.count == bytes.count else { return false }
        let (whole, rest) = bitCount.quotientAndRemainder(dividingBy: 8)
        guard address.bytes[..<whole] == bytes[..<whole] else { return false }
        return rest == 0 || address.bytes[whole] >> (8 - rest) == bytes[whole] >> (8 - rest)
    }
}
