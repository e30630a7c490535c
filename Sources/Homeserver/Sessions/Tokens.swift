// Access and refresh tokens, in the shape that Synapse gives them. Client-Server API §Using access tokens.

import Crypto
import MatrixCore

/// An opaque token: `syt_<localpart in base64>_<24 random letters>_<CRC-32 in base 62>`. The parts help people
/// who find a token in a log to see what it is and whose; the server looks only at the hash of the whole.
package enum SessionToken {
    /// What a token is for, by its first letters.
    package enum Purpose: String {
        case access = "syt"
        case refresh = "syr"
        case login = "syl"
    }

    private static let letters = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz".utf8)

    package static func generate(_ purpose: Purpose, for user: UserID) -> String {
        let base = "\(purpose.rawValue)_\(Base64.encode(Array(user.localpart.string.utf8)))_\(randomLetters(24))"
        return "\(base)_\(checksum(base))"
    }

    /// Letters from the system's random generator: 5.7 bits each, so that 24 make 136.
    package static func randomLetters(_ count: Int) -> String {
        var generator = SystemRandomNumberGenerator()
        return String(decoding: (0..<count).map { _ in letters[Int.random(in: 0..<letters.count, using: &generator)] }, as: UTF8.self)
    }

    /// A number for a new row: large enough that two never meet.
    package static func randomID() -> Int64 {
        var generator = SystemRandomNumberGenerator()
        return Int64.random(in: 1...Int64.max, using: &generator)
    }

    /// The CRC-32 of `text` in base 62 (digits, uppercase, lowercase), at least six characters.
    package static func checksum(_ text: String) -> String {
        var crc: UInt32 = 0xFFFF_FFFF
        for byte in text.utf8 {
            crc ^= UInt32(byte)
            for _ in 0..<8 { crc = (crc >> 1) ^ (crc & 1 == 1 ? 0xEDB8_8320 : 0) }
        }
        var rest = ~crc
        let digits = Array("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz".utf8)
        var reversed: [UInt8] = []
        repeat {
            reversed.append(digits[Int(rest % 62)])
            rest /= 62
        } while rest > 0
        while reversed.count < 6 { reversed.append(digits[0]) }
        return String(decoding: reversed.reversed(), as: UTF8.self)
    }
}

/// The SHA-256 of a token: what the database and the memory of the server keep of it.
package struct TokenHash: Hashable, Sendable {
    private let words: (UInt64, UInt64, UInt64, UInt64)

    package init(_ token: String) {
        var token = token
        let digest = token.withUTF8 { SHA256.hash(data: $0) }
        words = digest.withUnsafeBytes { bytes in
            (
                bytes.loadUnaligned(as: UInt64.self), bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self),
                bytes.loadUnaligned(fromByteOffset: 16, as: UInt64.self), bytes.loadUnaligned(fromByteOffset: 24, as: UInt64.self)
            )
        }
    }

    /// The 32 bytes of the hash.
    package var bytes: [UInt8] {
        withUnsafeBytes(of: words) { Array($0) }
    }

    /// Compares in a time that does not depend on where the two differ.
    package static func == (left: TokenHash, right: TokenHash) -> Bool {
        let (left, right) = (left.words, right.words)
        return (left.0 ^ right.0) | (left.1 ^ right.1) | (left.2 ^ right.2) | (left.3 ^ right.3) == 0
    }

    package func hash(into hasher: inout Hasher) { hasher.combine(words.0) }
}
