// Ed25519 keys of devices and users, for tests.

import Homeserver
import MatrixCore
import Persistence

/// A key that signs as a device does (named as the device) or as a cross-signing key (named by its public part).
struct Signer: Sendable {
    let user: UserID
    let name: String
    private let key = SigningKey.generate()

    init(_ user: UserID, device: String? = nil) {
        self.user = user
        name = device ?? key.verifyKeyBase64
    }

    var publicKey: String { key.verifyKeyBase64 }
    var keyID: String { "ed25519:\(name)" }

    /// The object with this key's signature beside those it has.
    func sign(_ object: JSONObject) throws -> JSONObject {
        var signatures = object["signatures"]?.object ?? [:]
        var own = signatures[user.string]?.object ?? [:]
        own[keyID] = .string(try key.sign(JSONSigning.signedBytes(of: object)))
        signatures[user.string] = .object(own)
        var signed = object
        signed["signatures"] = .object(signatures)
        return signed
    }

    /// The object that a cross-signing key is published as.
    func published(as usage: CrossSigningUsage) -> JSONObject {
        [
            "user_id": .string(user.string), "usage": [.string(usage.rawValue)],
            "keys": .object(JSONObject([(ByteString(keyID), .string(publicKey))])),
        ]
    }

    /// The `device_keys` of the device that this key is named as.
    func deviceKeys() throws -> JSONObject {
        try sign([
            "user_id": .string(user.string), "device_id": .string(name), "algorithms": ["m.megolm.v1.aes-sha2"],
            "keys": .object(JSONObject([(ByteString(keyID), .string(publicKey))])),
        ])
    }
}

/// The cross-signing keys of a user.
struct CrossSigningIdentity: Sendable {
    let user: UserID
    let master: Signer
    let selfSigning: Signer
    let userSigning: Signer

    init(_ user: UserID) {
        self.user = user
        master = Signer(user)
        selfSigning = Signer(user)
        userSigning = Signer(user)
    }

    /// The body of an upload of these keys.
    func body(_ usages: [CrossSigningUsage] = CrossSigningUsage.allCases) throws -> JSONObject {
        var body: JSONObject = [:]
        for usage in usages { body["\(usage.rawValue)_key"] = .object(try key(usage)) }
        return body
    }

    func key(_ usage: CrossSigningUsage) throws -> JSONObject {
        switch usage {
        case .master: master.published(as: .master)
        case .selfSigning: try master.sign(selfSigning.published(as: .selfSigning))
        case .userSigning: try master.sign(userSigning.published(as: .userSigning))
        }
    }
}

extension JSONObject {
    /// The object as it comes in the body of a request.
    var parsed: JSON {
        get throws { try JSONDocument(parsing: canonicalBytes).root }
    }
}
