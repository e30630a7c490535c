// Keys that signatures are checked with. RFC 7517, RFC 7518 §3 and §6, RFC 8037.

import Crypto
import CryptoExtras
import MatrixCore
import ServerConfiguration

/// One key, and how it checks signatures. A key checks those of its own kind only, whatever a token says of its algorithm.
package struct JSONWebKey: Sendable {
    private enum Material: Sendable {
        case secret(SymmetricKey)
        case rsa(_RSA.Signing.PublicKey)
        case p256(P256.Signing.PublicKey)
        case p384(P384.Signing.PublicKey)
        case p521(P521.Signing.PublicKey)
        case ed25519(Curve25519.Signing.PublicKey)
    }

    /// The name of the key; nil where it has none.
    package let id: String?
    /// The only algorithm that the key is for, where its owner says so.
    private let algorithm: String?
    private let material: Material

    private init(_ material: Material, id: String? = nil, algorithm: String? = nil) {
        (self.material, self.id, self.algorithm) = (material, id, algorithm)
    }

    /// A key of a `JWK Set`. Nil for one that is not for signatures, is of a kind that is not known, or is too weak; a secret
    /// (`oct`) has no place where everybody can read it.
    package init?(_ jwk: JSON) {
        if let use = jwk["use"]?.string, use != "sig" { return nil }
        guard let material = Self.material(of: jwk) else { return nil }
        self.init(material, id: jwk["kid"]?.string, algorithm: jwk["alg"]?.string)
    }

    /// The key of a configuration.
    ///
    /// - Parameter secret: the secret itself, or a public key in PEM.
    /// - Throws: where the text is no key for this algorithm.
    package init(_ secret: String, for algorithm: JWTAlgorithm) throws {
        switch algorithm {
        case .hs256, .hs384, .hs512: self.init(.secret(SymmetricKey(data: Array(secret.utf8))))
        case .rs256, .rs384, .rs512, .ps256, .ps384, .ps512: self.init(.rsa(try _RSA.Signing.PublicKey(pemRepresentation: secret)))
        case .es256: self.init(.p256(try P256.Signing.PublicKey(pemRepresentation: secret)))
        case .es384: self.init(.p384(try P384.Signing.PublicKey(pemRepresentation: secret)))
        case .es512: self.init(.p521(try P521.Signing.PublicKey(pemRepresentation: secret)))
        case .edDSA: self.init(.ed25519(try Curve25519.Signing.PublicKey(pemRepresentation: secret)))
        }
    }

    /// The keys of a `JWK Set` that a token may be signed with: the one that it names, or all.
    package static func candidates(in set: [JSONWebKey], for token: JSONWebToken) -> [JSONWebKey] {
        guard let name = token.keyID else { return set }
        return set.filter { $0.id.map { ByteString($0) == ByteString(name) } ?? true }
    }

    // MARK: Signatures

    func isValid(_ signature: [UInt8], for bytes: [UInt8], by algorithm: JWTAlgorithm) -> Bool {
        if let only = self.algorithm, only != algorithm.rawValue { return false }
        return switch (algorithm, material) {
        case (.hs256, .secret(let key)): HMAC<SHA256>.isValidAuthenticationCode(signature, authenticating: bytes, using: key)
        case (.hs384, .secret(let key)): HMAC<SHA384>.isValidAuthenticationCode(signature, authenticating: bytes, using: key)
        case (.hs512, .secret(let key)): HMAC<SHA512>.isValidAuthenticationCode(signature, authenticating: bytes, using: key)
        case (.rs256, .rsa(let key)): Self.isValid(signature, for: SHA256.hash(data: bytes), key, .insecurePKCS1v1_5)
        case (.rs384, .rsa(let key)): Self.isValid(signature, for: SHA384.hash(data: bytes), key, .insecurePKCS1v1_5)
        case (.rs512, .rsa(let key)): Self.isValid(signature, for: SHA512.hash(data: bytes), key, .insecurePKCS1v1_5)
        case (.ps256, .rsa(let key)): Self.isValid(signature, for: SHA256.hash(data: bytes), key, .PSS)
        case (.ps384, .rsa(let key)): Self.isValid(signature, for: SHA384.hash(data: bytes), key, .PSS)
        case (.ps512, .rsa(let key)): Self.isValid(signature, for: SHA512.hash(data: bytes), key, .PSS)
        case (.es256, .p256(let key)):
            (try? P256.Signing.ECDSASignature(rawRepresentation: signature))
                .map { key.isValidSignature($0, for: SHA256.hash(data: bytes)) } ?? false
        case (.es384, .p384(let key)):
            (try? P384.Signing.ECDSASignature(rawRepresentation: signature))
                .map { key.isValidSignature($0, for: SHA384.hash(data: bytes)) } ?? false
        case (.es512, .p521(let key)):
            (try? P521.Signing.ECDSASignature(rawRepresentation: signature))
                .map { key.isValidSignature($0, for: SHA512.hash(data: bytes)) } ?? false
        case (.edDSA, .ed25519(let key)): key.isValidSignature(signature, for: bytes)
        default: false
        }
    }

    private static func isValid(
        _ signature: [UInt8], for digest: some Digest, _ key: _RSA.Signing.PublicKey, _ padding: _RSA.Signing.Padding
    ) -> Bool {
        key.isValidSignature(_RSA.Signing.RSASignature(rawRepresentation: signature), for: digest, padding: padding)
    }

    // MARK: JWK

    /// RFC 7518 §6.2.1, §6.3.1; RFC 8037 §2.
    private static func material(of jwk: JSON) -> Material? {
        func bytes(_ name: String) -> [UInt8]? { jwk[name]?.string.flatMap { Base64.decode($0, .urlSafe) } }
        switch (jwk["kty"]?.string, jwk["crv"]?.string) {
        case ("RSA", _):
            guard let n = bytes("n"), let e = bytes("e"), let key = try? _RSA.Signing.PublicKey(n: n, e: e) else { return nil }
            return .rsa(key)
        case ("EC", "P-256"):
            return point(bytes("x"), bytes("y"), size: 32).flatMap { try? P256.Signing.PublicKey(x963Representation: $0) }
                .map { .p256($0) }
        case ("EC", "P-384"):
            return point(bytes("x"), bytes("y"), size: 48).flatMap { try? P384.Signing.PublicKey(x963Representation: $0) }
                .map { .p384($0) }
        case ("EC", "P-521"):
            return point(bytes("x"), bytes("y"), size: 66).flatMap { try? P521.Signing.PublicKey(x963Representation: $0) }
                .map { .p521($0) }
        case ("OKP", "Ed25519"):
            return bytes("x").flatMap { try? Curve25519.Signing.PublicKey(rawRepresentation: $0) }.map { .ed25519($0) }
        default: return nil
        }
    }

    /// A point of a curve, uncompressed.
    private static func point(_ x: [UInt8]?, _ y: [UInt8]?, size: Int) -> [UInt8]? {
        guard let x, let y, x.count <= size, y.count <= size else { return nil }
        func padded(_ number: [UInt8]) -> [UInt8] { Array(repeating: 0, count: size - number.count) + number }
        return [4] + padded(x) + padded(y)
    }
}
