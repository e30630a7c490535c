// A cross-signing key, checked. Client-Server API §Cross-signing.

import MatrixCore
import Persistence

/// A public key for signing, with the object that it is published as.
package struct CrossSigningKey: Sendable {
    package let usage: CrossSigningUsage
    /// In unpadded Base64, as its owner wrote it.
    package let publicKey: ByteString
    package let verifyKey: VerifyKey
    /// Canonical, without `unsigned`.
    package let json: [UInt8]
    /// `json`, read.
    package let content: JSON

    /// The largest key that is taken, in bytes, with its signatures.
    package static let byteLimit = 65_536

    /// - Throws: `M_INVALID_PARAM` for what is no key of this user for this usage; `M_TOO_LARGE`.
    package init(_ object: JSON, usage: CrossSigningUsage, of user: UserID) throws(MatrixError) {
        let invalid = MatrixError.invalidParam("Invalid \(usage.rawValue) key")
        guard object.isObject, object.byteRange.count <= CrossSigningKey.byteLimit else {
            throw object.isObject ? .tooLarge("The \(usage.rawValue) key is too large") : invalid
        }
        guard object["user_id"]?.byteString == user.text, let usages = object["usage"], usages.isArray,
            usages.elements.allSatisfy(\.isString), usages.elements.contains(where: { $0.isString(usage.rawValue) }),
            object["signatures"].map(SignedKeys.isSignatures) ?? true
        else { throw invalid }
        let json = object.canonicalBytes(omitting: ["unsigned"])
        guard let key = CrossSigningKey(canonical: json, usage: usage) else { throw invalid }
        self = key
    }

    /// A key as it is stored.
    package init?(_ row: CrossSigningKeyRow) {
        self.init(canonical: row.json, usage: row.usage)
    }

    private init?(canonical json: [UInt8], usage: CrossSigningUsage) {
        guard let content = SignedKeys.parse(json), let keys = content["keys"], keys.isObject else { return nil }
        var members = keys.members.makeIterator()
        guard let (name, value) = members.next(), members.next() == nil, let publicKey = value.string,
            name == KeyID(algorithm: "ed25519", name: publicKey).text, let verifyKey = VerifyKey(base64: publicKey)
        else { return nil }
        self.usage = usage
        self.publicKey = ByteString(publicKey)
        self.verifyKey = verifyKey
        self.json = json
        self.content = content
    }

    /// `ed25519:<public key>`: the name of its signatures.
    package var keyID: ByteString { KeyID(algorithm: "ed25519", name: publicKey.string).text }

    /// Whether `stored` is this key with all its signatures, and perhaps further ones.
    package func isContained(in stored: CrossSigningKey) -> Bool {
        SignedKeys.merging(json, withSignaturesOf: stored.json) == stored.json
    }

    /// Whether this key made a valid signature of `object` in the name of `user`.
    package func signed(_ object: JSON, as user: UserID) -> Bool {
        do {
            try JSONSigning.verify(object, signedBy: user.text, keyID: keyID, key: verifyKey)
            return true
        } catch {
            return false
        }
    }
}
