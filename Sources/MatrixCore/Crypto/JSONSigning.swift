// Signatures in JSON objects. Appendices §Signing JSON.

package enum JSONSigning {
    package enum Failure: Error, Sendable, Hashable {
        /// Step 1 of the check: the entity has no signature by this key.
        case missingSignature
        /// Step 7: the signature is not of this object, or not by this key.
        case wrongSignature
    }

    /// The bytes that a signature covers: canonical JSON without `signatures` and `unsigned`.
    package static func signedBytes(of object: JSON) -> [UInt8] {
        object.canonicalBytes(omitting: ["signatures", "unsigned"])
    }

    package static func signedBytes(of object: JSONObject) -> [UInt8] {
        var signed = object
        signed["signatures"] = nil
        signed["unsigned"] = nil
        return signed.canonicalBytes
    }

    /// The object with `entity`'s signature beside those it has.
    package static func sign(_ object: JSONObject, as entity: String, key: SigningKey) throws(SigningKey.Error) -> JSONObject {
        adding(try key.sign(signedBytes(of: object)), by: entity, keyID: key.keyID, to: object)
    }

    /// The object with a signature by the key `keyID` of `entity` beside those it has.
    static func adding(_ signature: String, by entity: String, keyID: String, to object: JSONObject) -> JSONObject {
        var signatures = object["signatures"]?.object ?? [:]
        var own = signatures[entity]?.object ?? [:]
        own[keyID] = .string(signature)
        signatures[entity] = .object(own)
        var signed = object
        signed["signatures"] = .object(signatures)
        return signed
    }

    /// Checks the signature that `entity` made with the key `keyID`.
    package static func verify(_ object: JSON, signedBy entity: ByteString, keyID: ByteString, key: VerifyKey) throws(Failure) {
        guard let signature = object["signatures"]?[entity]?[keyID]?.string else { throw .missingSignature }
        guard key.verify(signature, of: signedBytes(of: object)) else { throw .wrongSignature }
    }
}

/// The object with `entity`'s signature beside those it has, as canonical JSON.
package func signJSON(_ object: JSONObject, as entity: ServerName, key: SigningKey) throws(SigningKey.Error) -> [UInt8] {
    try JSONSigning.sign(object, as: entity.string, key: key).canonicalBytes
}
