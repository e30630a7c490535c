// Signed tokens in their compact form. RFC 7515 §3.1, RFC 7519.

import MatrixCore
import ServerConfiguration

/// A token that has been read; its signature has not been checked by that.
package struct JSONWebToken: Sendable {
    /// Long enough for the claims of somebody who is in some hundred groups.
    private static let byteLimit = 64 * 1024

    package let header: JSON
    package let claims: JSONWebClaims
    /// What the signature is over.
    let signedBytes: [UInt8]
    let signature: [UInt8]

    /// - Throws: `.malformed`.
    package init(parsing text: String) throws(JSONWebTokenError) {
        guard text.utf8.count <= Self.byteLimit else { throw .malformed("The token is too long") }
        let parts = text.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard parts.count == 3 else { throw .malformed("A token has three parts") }
        header = try Self.object(in: Substring(parts[0]), called: "header")
        claims = JSONWebClaims(try Self.object(in: Substring(parts[1]), called: "payload"))
        guard let signature = Base64.decode(String(Substring(parts[2])), .urlSafe) else {
            throw .malformed("The signature is not Base64")
        }
        self.signature = signature
        signedBytes = Array(text.utf8[..<parts[1].endIndex])
        // What must be understood and is not known here makes the token void. RFC 7515 §4.1.11.
        guard header["crit"] == nil else { throw .malformed("The header has critical parameters") }
    }

    /// The algorithm that the token says it is signed with; nil for one that is not known here.
    package var algorithm: JWTAlgorithm? { header["alg"]?.string.flatMap { JWTAlgorithm(rawValue: $0) } }

    /// The name of the key, where the token has one.
    package var keyID: String? { header["kid"]?.string }

    /// Checks the signature.
    ///
    /// - Parameter algorithms: those that are accepted.
    /// - Throws: `.unsupportedAlgorithm`, `.badSignature`.
    package func verify(by keys: [JSONWebKey], algorithms: [JWTAlgorithm]) throws(JSONWebTokenError) {
        guard let algorithm, algorithms.contains(algorithm) else { throw .unsupportedAlgorithm }
        guard keys.contains(where: { $0.isValid(signature, for: signedBytes, by: algorithm) }) else { throw .badSignature }
    }

    private static func object(in part: Substring, called name: String) throws(JSONWebTokenError) -> JSON {
        guard let bytes = Base64.decode(String(part), .urlSafe) else { throw .malformed("The \(name) is not Base64") }
        let document: JSONDocument
        do { document = try JSONDocument(parsing: bytes) } catch { throw .malformed("The \(name) is not JSON") }
        guard document.root.isObject else { throw .malformed("The \(name) is no object") }
        return document.root
    }
}

/// Why a token does not count. No message holds anything of the token.
package enum JSONWebTokenError: Error, Sendable, Equatable, CustomStringConvertible {
    case malformed(String)
    case unsupportedAlgorithm
    case badSignature
    case expired
    case notYetValid
    case missingClaim(String)
    case invalidClaim(String)

    /// In the words of Authlib, which Synapse passes on.
    package var description: String {
        switch self {
        case .malformed(let reason): "decode_error: \(reason)"
        case .unsupportedAlgorithm: "unsupported_algorithm: The algorithm is not accepted"
        case .badSignature: "bad_signature: The signature does not match"
        case .expired: "expired_token: The token is expired"
        case .notYetValid: "invalid_token: The token is not valid yet"
        case .missingClaim(let name): "missing_claim: Missing '\(name)' claim"
        case .invalidClaim(let name): "invalid_claim: Invalid claim '\(name)'"
        }
    }
}
