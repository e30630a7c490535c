// The keys that this server publishes, signed by themselves. Server-Server API §Publishing Keys.

import MatrixCore
import Persistence
import Synchronization

/// Renders `/_matrix/key/v2/server` and keeps it until half of its validity is over.
package final class PublishedKeys: Sendable {
    /// A key that signed for this server once.
    package struct OldKey: Sendable {
        package let keyID: String
        package let key: String
        package let expired: Timestamp

        package init(keyID: String, key: String, expired: Timestamp) {
            self.keyID = keyID
            self.key = key
            self.expired = expired
        }
    }

    private struct Rendered {
        let bytes: [UInt8]
        let validUntil: Timestamp
    }

    private let serverName: ServerName
    private let keys: [SigningKey]
    private let oldKeys: [OldKey]
    /// How long others may rely on what they fetched, in milliseconds.
    private let validity: Int64
    private let rendered = Mutex<Rendered?>(nil)

    /// - Parameter keys: the current keys; the first is the one that signs events.
    package init(serverName: ServerName, keys: [SigningKey], oldKeys: [OldKey], validity: Duration) {
        self.serverName = serverName
        self.keys = keys
        self.oldKeys = oldKeys
        self.validity = validity.components.seconds * 1000
    }

    /// The document as of `now`.
    package func document(at now: Timestamp = .now) throws -> [UInt8] {
        try rendered.withLock {
            if let rendered = $0, rendered.validUntil.milliseconds - now.milliseconds > validity / 2 { return rendered.bytes }
            let validUntil = Timestamp(milliseconds: now.milliseconds + validity)
            let bytes = try render(validUntil: validUntil)
            $0 = Rendered(bytes: bytes, validUntil: validUntil)
            return bytes
        }
    }

    private func render(validUntil: Timestamp) throws -> [UInt8] {
        var verifyKeys: JSONObject = [:]
        for key in keys { verifyKeys[key.keyID] = ["key": .string(key.verifyKeyBase64)] }
        var oldVerifyKeys: JSONObject = [:]
        for key in oldKeys { oldVerifyKeys[key.keyID] = ["key": .string(key.key), "expired_ts": .int(key.expired.milliseconds)] }
        var document: JSONObject = [
            "server_name": .string(serverName.string),
            "valid_until_ts": .int(validUntil.milliseconds),
            "verify_keys": .object(verifyKeys),
            "old_verify_keys": .object(oldVerifyKeys),
        ]
        for key in keys { document = try JSONSigning.sign(document, as: serverName.string, key: key) }
        return document.canonicalBytes
    }
}
