// The body of POST /keys/device_signing/upload, and the rules for it. Client-Server API §Cross-signing.

import MatrixCore
import Persistence

/// The cross-signing keys that a user publishes in one call.
package struct CrossSigningUpload: Sendable {
    /// At most one for each usage.
    package let keys: [CrossSigningUsage: CrossSigningKey]

    /// What may be done with an upload.
    package enum Decision: Sendable, Equatable {
        /// Every key is there already.
        case nothingNew
        /// The user has no master key yet.
        case first
        /// Keys are replaced or added: only their owner may do that.
        case replacement
    }

    private static let members: [(name: String, usage: CrossSigningUsage)] = [
        ("master_key", .master), ("self_signing_key", .selfSigning), ("user_signing_key", .userSigning),
    ]

    /// - Throws: `M_INVALID_PARAM` for what is no key of `user`; `M_TOO_LARGE`.
    package init(_ body: JSON, of user: UserID) throws(MatrixError) {
        var keys: [CrossSigningUsage: CrossSigningKey] = [:]
        for (name, usage) in CrossSigningUpload.members {
            guard let object = body[name], !object.isNull else { continue }
            keys[usage] = try CrossSigningKey(object, usage: usage, of: user)
        }
        self.keys = keys
    }

    /// - Parameter stored: the user's keys.
    package func decision(stored: [CrossSigningUsage: CrossSigningKey]) -> Decision {
        let isKnown = keys.values.allSatisfy { key in stored[key.usage].map(key.isContained) ?? false }
        if isKnown { return .nothingNew }
        return stored[.master] == nil ? .first : .replacement
    }

    /// Checks that the master key, the new one or else the stored one, signed the others.
    ///
    /// - Throws: `M_MISSING_PARAM` where there is no master key; `M_INVALID_SIGNATURE`.
    package func checkSignatures(stored: [CrossSigningUsage: CrossSigningKey], of user: UserID) throws(MatrixError) {
        guard let master = keys[.master] ?? stored[.master] else { throw .missingParam("No master key available") }
        for usage in [CrossSigningUsage.selfSigning, .userSigning] {
            guard let key = keys[usage], !master.signed(key.content, as: user) else { continue }
            throw .invalidSignature("Invalid signature on \(usage.rawValue) key")
        }
    }
}
