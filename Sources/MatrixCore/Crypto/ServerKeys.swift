// Other servers' signing keys and how long they hold. Server-Server API §Retrieving server keys; Rooms v5 §Signing key validity
// period.

/// A server's verify key with the time until which it holds.
package struct ServerKey: Sendable {
    package let key: VerifyKey
    /// Events that say to be later are not validly signed by the key, in room versions which enforce that.
    package let validUntil: Timestamp

    /// How far into the future a key is trusted whatever its server says, so that a key that was stolen dies out: seven days.
    package static let longestValidity: Int64 = 7 * 24 * 3600 * 1000

    /// A key of `old_verify_keys`, which holds for what was signed before `expired`; or one whose validity was found out before.
    package init(_ key: VerifyKey, validUntil: Timestamp) {
        self.key = key
        self.validUntil = validUntil
    }

    /// A key of `verify_keys`, from a response with this `valid_until_ts`.
    ///
    /// - Parameter now: when the response was received.
    package init(_ key: VerifyKey, validUntil: Timestamp, receivedAt now: Timestamp) {
        self.init(key, validUntil: min(validUntil, now.advanced(byMilliseconds: Self.longestValidity)))
    }

    /// Whether the key may have signed something at `time`; `nil` where the time does not matter.
    package func isValid(at time: Timestamp?) -> Bool {
        time.map { $0 <= validUntil } ?? true
    }
}

/// The keys that are at hand, by server and key identifier ("ed25519:a_AbCd").
package struct ServerKeys: Sendable {
    private var keys: [ServerName: [ByteString: ServerKey]] = [:]

    package init() {}

    package subscript(server: ServerName, keyID: ByteString) -> ServerKey? {
        get { keys[server]?[keyID] }
        set { keys[server, default: [:]][keyID] = newValue }
    }
}

/// A key which must be at hand before events can be verified.
package struct ServerKeyRequirement: Sendable, Hashable {
    package let server: ServerName
    package let keyID: ByteString
    /// How long the key must hold: the `minimum_valid_until_ts` of a key query. 0 where the room versions do not ask.
    package let minimumValidUntil: Timestamp

    package init(server: ServerName, keyID: ByteString, minimumValidUntil: Timestamp) {
        self.server = server
        self.keyID = keyID
        self.minimumValidUntil = minimumValidUntil
    }
}
