// What a browser keeps for this server, and can neither read nor change.

import Crypto
import MatrixCore

/// Seals small JSON objects. So a login that has begun costs the server nothing, however many begin, and survives a restart.
package struct SealedBox: Sendable {
    private let key: SymmetricKey

    /// - Parameters:
    ///   - secret: the server's; nil: what is sealed can be opened until the server stops.
    ///   - purpose: what is sealed for one purpose cannot be opened for another.
    package init(secret: String?, purpose: String) {
        let material = secret.map { SymmetricKey(data: Array($0.utf8)) } ?? SymmetricKey(size: .bits256)
        key = HKDF<SHA256>.deriveKey(inputKeyMaterial: material, info: Array(purpose.utf8), outputByteCount: 32)
    }

    package func seal(_ object: JSONObject, until expiry: Timestamp) throws -> String {
        var content = object
        content["exp"] = .int(expiry.milliseconds)
        return Base64.encode(try ChaChaPoly.seal(content.canonicalBytes, using: key).combined.map { $0 }, .urlSafe)
    }

    /// What was sealed; nil for what this server has not sealed, or what has expired.
    package func open(_ text: String, at now: Timestamp) -> JSON? {
        guard let bytes = Base64.decode(text, .urlSafe), let box = try? ChaChaPoly.SealedBox(combined: bytes),
            let content = try? ChaChaPoly.open(box, using: key), let document = try? JSONDocument(parsing: Array(content)),
            let expiry = document.root["exp"]?.int, expiry > now.milliseconds
        else { return nil }
        return document.root
    }
}
