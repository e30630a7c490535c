// Ed25519 keys. Appendices §Signing Details; the key file's format is Synapse's.

import Crypto

/// The private half of a key with which this server signs.
package struct SigningKey: Sendable {
    /// What tells keys of one server apart: "a_AbCd".
    package let version: String
    private let key: Curve25519.Signing.PrivateKey

    package enum Error: Swift.Error, Sendable, Hashable {
        /// The line has not three words.
        case malformedLine
        /// The algorithm is not ed25519.
        case unknownAlgorithm(String)
        /// The version is not of the characters `A-Z a-z 0-9 _`.
        case invalidVersion(String)
        /// The seed is not 32 bytes in Base64.
        case invalidSeed
        /// The key would not sign: a fault of the cryptographic library.
        case signingFailed
    }

    /// Reads a line of a key file: `ed25519 a_AbCd <unpadded Base64 seed>`.
    package init(fileLine line: String) throws(Error) {
        let words = line.split(whereSeparator: \.isWhitespace)
        guard words.count == 3 else { throw .malformedLine }
        guard words[0] == "ed25519" else { throw .unknownAlgorithm(String(words[0])) }
        guard let seed = Base64.decode(String(words[2])) else { throw .invalidSeed }
        try self.init(version: String(words[1]), seed: seed)
    }

    /// - Parameter seed: 32 bytes.
    package init(version: String, seed: [UInt8]) throws(Error) {
        let isValid = version.utf8.allSatisfy { $0.isASCIIDigit || $0.isASCIILetter || $0 == UInt8(ascii: "_") }
        guard isValid, !version.isEmpty else { throw .invalidVersion(version) }
        guard let key = try? Curve25519.Signing.PrivateKey(rawRepresentation: seed) else { throw .invalidSeed }
        self.version = version
        self.key = key
    }

    private init(version: String, key: Curve25519.Signing.PrivateKey) {
        self.version = version
        self.key = key
    }

    /// A new key, named as Synapse names them: `a_` and four letters.
    package static func generate() -> SigningKey {
        let letters = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")
        return generate(version: "a_" + String((0..<4).map { _ in letters[Int.random(in: 0..<letters.count)] }))
    }

    package static func generate(version: String) -> SigningKey {
        SigningKey(version: version, key: Curve25519.Signing.PrivateKey())
    }

    /// The line that a key file holds.
    package var fileLine: String { "ed25519 \(version) \(Base64.encode([UInt8](key.rawRepresentation)))" }

    /// The signing key identifier: "ed25519:a_AbCd".
    package var keyID: String { "ed25519:\(version)" }

    package var verifyKey: VerifyKey { VerifyKey(key: key.publicKey) }

    package var verifyKeyBase64: String { verifyKey.base64 }

    /// The signature of `bytes` in unpadded Base64.
    package func sign(_ bytes: [UInt8]) throws(Error) -> String {
        do {
            return Base64.encode([UInt8](try key.signature(for: bytes)))
        } catch {
            throw .signingFailed
        }
    }
}

/// The public half of a key with which a server or a device signs.
package struct VerifyKey: Sendable {
    private let key: Curve25519.Signing.PublicKey

    init(key: Curve25519.Signing.PublicKey) {
        self.key = key
    }

    /// - Parameter base64: 32 bytes. `nil` when it is not that.
    package init?(base64: String) {
        guard let bytes = Base64.decode(base64), let key = try? Curve25519.Signing.PublicKey(rawRepresentation: bytes) else { return nil }
        self.key = key
    }

    package var base64: String { Base64.encode([UInt8](key.rawRepresentation)) }

    /// Whether `signature`, in Base64, is this key's signature of `bytes`.
    package func verify(_ signature: String, of bytes: [UInt8]) -> Bool {
        guard let signature = Base64.decode(signature), signature.count == 64 else { return false }
        return key.isValidSignature(signature, for: bytes)
    }
}
