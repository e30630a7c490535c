// Unpadded Base64. Appendices §Unpadded Base64; RFC 4648, sections 4 and 5.

package enum Base64 {
    package enum Alphabet: Sendable {
        /// `+` and `/`
        case standard
        /// `-` and `_`
        case urlSafe
    }

    private static let standardCharacters = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
    private static let urlSafeCharacters = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)
    private static let standardValues = values(of: standardCharacters)
    private static let urlSafeValues = values(of: urlSafeCharacters)
    private static let invalid: UInt8 = 0xFF

    /// Encodes without padding.
    package static func encode(_ bytes: some Collection<UInt8>, _ alphabet: Alphabet = .standard) -> String {
        let characters = alphabet == .standard ? standardCharacters : urlSafeCharacters
        let byteCount = bytes.count
        return String(unsafeUninitializedCapacity: (byteCount * 4 + 2) / 3) { output in
            var written = 0
            var buffer: UInt32 = 0
            var bits = 0
            for byte in bytes {
                buffer = buffer << 8 | UInt32(byte)
                bits += 8
                while bits >= 6 {
                    bits -= 6
                    output[written] = characters[Int(buffer >> UInt32(bits) & 0x3F)]
                    written += 1
                }
            }
            if bits > 0 {
                output[written] = characters[Int(buffer << UInt32(6 - bits) & 0x3F)]
                written += 1
            }
            return written
        }
    }

    /// Decodes text with or without its padding; `nil` for anything else: other characters, white space, a wrong length.
    ///
    /// Bits left over in the last character are ignored, as Python does: the specification's own test key has some.
    /// So decoded bytes are compared, never their Base64.
    package static func decode(_ text: String, _ alphabet: Alphabet = .standard) -> [UInt8]? {
        let table = alphabet == .standard ? standardValues : urlSafeValues
        return text.withUTF8Bytes { input in
            var length = input.count
            if length % 4 == 0 {
                for _ in 0..<2 where length > 0 && input[length - 1] == UInt8(ascii: "=") { length -= 1 }
            }
            guard length % 4 != 1 else { return nil }
            var bytes: [UInt8] = []
            bytes.reserveCapacity(length * 3 / 4)
            var buffer: UInt32 = 0
            var bits = 0
            for character in input[..<length] {
                let value = table[Int(character)]
                guard value != invalid else { return nil }
                buffer = buffer << 6 | UInt32(value)
                bits += 6
                if bits >= 8 {
                    bits -= 8
                    bytes.append(UInt8(truncatingIfNeeded: buffer >> UInt32(bits)))
                }
            }
            return bytes
        }
    }

    private static func values(of characters: [UInt8]) -> [UInt8] {
        var values = [UInt8](repeating: invalid, count: 256)
        for (value, character) in characters.enumerated() { values[Int(character)] = UInt8(value) }
        return values
    }
}
