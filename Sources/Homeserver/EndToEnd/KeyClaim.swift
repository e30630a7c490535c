// The body of POST /keys/claim, and what comes of it. Client-Server API §Claiming one-time keys.

import MatrixCore
import Persistence

/// A key of this algorithm for that device is wanted.
package struct KeyClaim: Hashable, Comparable, Sendable {
    package let address: DeviceAddress
    package let algorithm: ByteString

    package init(address: DeviceAddress, algorithm: ByteString) {
        self.address = address
        self.algorithm = algorithm
    }

    package static func < (a: KeyClaim, b: KeyClaim) -> Bool {
        a.address == b.address ? a.algorithm < b.algorithm : a.address < b.address
    }

    /// The claims of a request body, ordered, each once.
    ///
    /// - Throws: `M_MISSING_PARAM`, `M_BAD_JSON`, `M_INVALID_PARAM` for what is no user ID.
    package static func claims(in body: JSON) throws(MatrixError) -> [KeyClaim] {
        guard let wanted = body["one_time_keys"] else { throw .missingParam("Missing one_time_keys") }
        guard wanted.isObject else { throw .badJSON("one_time_keys must be an object") }
        var claims: Set<KeyClaim> = []
        for (name, devices) in wanted.members {
            let user: UserID
            do { user = try UserID(parsing: name.string) } catch { throw .invalidParam("one_time_keys: \(name) is not a user ID") }
            guard devices.isObject else { throw .badJSON("one_time_keys: \(name) must be an object") }
            for (device, algorithm) in devices.members {
                guard let algorithm = algorithm.byteString else { throw .badJSON("one_time_keys: an algorithm must be a string") }
                // What cannot be stored names no device and no key.
                guard let device = try? DeviceID(parsing: device.string), !algorithm.string.utf8.contains(0) else { continue }
                claims.insert(KeyClaim(address: DeviceAddress(user: user, device: device), algorithm: algorithm))
            }
        }
        return claims.sorted()
    }
}

/// A key that was handed out.
package struct ClaimedKey: Sendable {
    package let address: DeviceAddress
    package let key: StoredKey
    /// Whether the device has to hear of it: always for a one-time key, at its first use for a fallback key.
    package let changesCounts: Bool
}

/// What came of a claim.
package struct KeyClaimAnswer: Sendable {
    /// In the order of their devices.
    package internal(set) var keys: [ClaimedKey]
    /// The servers that could not be asked, with the reason.
    package internal(set) var failures: [(server: ServerName, reason: String)]
}
