// SHA-256, the hash of events and of much else. FIPS 180-4.

import Crypto

package enum SHA256Hash {
    /// The 32 bytes of the hash.
    package static func hash(_ bytes: [UInt8]) -> [UInt8] {
        var function = SHA256()
        bytes.withUnsafeBytes { function.update(bufferPointer: $0) }
        return Array(function.finalize())
    }

    /// The hash in unpadded Base64.
    package static func base64(_ bytes: [UInt8], _ alphabet: Base64.Alphabet = .standard) -> String {
        Base64.encode(hash(bytes), alphabet)
    }
}
