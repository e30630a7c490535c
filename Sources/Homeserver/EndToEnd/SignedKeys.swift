// Keys that are published with signatures: those of devices, and cross-signing keys. Appendices §Signing JSON.

import MatrixCore

/// The canonical JSON of signed keys, with signatures added and removed.
package enum SignedKeys {
    /// Whether `keys` are the ones that are stored, whatever the signatures.
    package static func areSame(_ keys: [UInt8], _ stored: [UInt8]) -> Bool {
        if keys == stored { return true }
        guard let keys = parse(keys), let stored = parse(stored) else { return false }
        return JSONSigning.signedBytes(of: keys) == JSONSigning.signedBytes(of: stored)
    }

    /// `keys` with the signatures that the same stored keys have besides. Other stored keys add nothing.
    package static func merging(_ keys: [UInt8], withSignaturesOf stored: [UInt8]) -> [UInt8] {
        guard keys != stored, areSame(keys, stored), let old = parse(stored)?["signatures"] else { return keys }
        return changing(keys) { signatures in
            for (signer, own) in old.members {
                var merged = signatures[signer]?.object ?? [:]
                for (keyID, signature) in own.members where merged[keyID] == nil { merged[keyID] = signature.value }
                signatures[signer] = .object(merged)
            }
        }
    }

    /// `keys` with further signatures of `signer`.
    package static func adding(_ signatures: [(keyID: ByteString, signature: String)], by signer: UserID, to keys: [UInt8]) -> [UInt8] {
        changing(keys) { all in
            var own = all[signer.text]?.object ?? [:]
            for (keyID, signature) in signatures { own[keyID] = .string(signature) }
            all[signer.text] = .object(own)
        }
    }

    /// `keys` without the signatures that `signer` made with a key of this name, in whatever algorithm.
    package static func removing(_ name: ByteString, of signer: UserID, from keys: [UInt8]) -> [UInt8] {
        changing(keys) { all in
            guard var own = all[signer.text]?.object else { return }
            for keyID in own.keys where KeyID(trusted: keyID.string).name == name { own[keyID] = nil }
            all[signer.text] = own.isEmpty ? nil : .object(own)
        }
    }

    /// Signatures as the specification writes them: a map of users to maps of key IDs to texts.
    package static func isSignatures(_ value: JSON) -> Bool {
        value.isObject && value.members.allSatisfy { isMapOfStrings($0.value) }
    }

    package static func isMapOfStrings(_ value: JSON) -> Bool {
        value.isObject && value.members.allSatisfy { $0.value.isString }
    }

    static func parse(_ json: [UInt8]) -> JSON? { try? JSONDocument(parsing: json).root }

    /// An object without any signature has no member `signatures`, unless it came with an empty one.
    private static func changing(_ json: [UInt8], _ change: (inout JSONObject) -> Void) -> [UInt8] {
        guard let parsed = parse(json) else { return json }
        var object = JSONObject(parsed)
        let before = object["signatures"]?.object
        var signatures = before ?? [:]
        change(&signatures)
        guard signatures != before ?? [:] else { return json }
        object["signatures"] = signatures.isEmpty ? nil : .object(signatures)
        return object.canonicalBytes
    }
}
