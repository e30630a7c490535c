// What a server says about its keys. Server-Server API §Retrieving server keys.

import MatrixCore
import Persistence

/// A document of `/_matrix/key/v2/server`, checked: it is the server's, and signed by one of the keys that it publishes.
package struct KeyDocument: Sendable {
    package struct Rejection: Error, Sendable, Hashable, CustomStringConvertible {
        package let description: String
    }

    package let server: ServerName
    package let receivedAt: Timestamp
    package let validUntil: Timestamp
    package let keys: [ServerKeyRow]
    /// Canonical, with all signatures.
    package let json: [UInt8]

    /// Keys beyond this number are not read. Servers have one or two, and some old ones.
    static let keyLimit = 64
    /// Bytes of one document.
    package static let byteLimit = 64 * 1024

    /// - Parameter expected: whose document it must be; nil: that of whoever it names.
    package init(_ json: JSON, of expected: ServerName? = nil, receivedAt now: Timestamp) throws(Rejection) {
        guard json.isObject, let server = json["server_name"]?.string.flatMap({ ServerName(valid: $0) }) else {
            throw Rejection(description: "it names no server")
        }
        guard expected == nil || server == expected else { throw Rejection(description: "it is of \(server)") }
        guard let validUntil = json["valid_until_ts"]?.int, validUntil >= 0 else {
            throw Rejection(description: "it does not say how long it is valid")
        }
        self.server = server
        self.validUntil = Timestamp(milliseconds: validUntil)
        receivedAt = now
        guard json.bytes.count <= Self.byteLimit else { throw Rejection(description: "it is too large") }
        let current = try Self.keys(json["verify_keys"])
        try Self.checkSignature(json, server, current)
        let capped = min(self.validUntil, now.advanced(byMilliseconds: ServerKey.longestValidity))
        var keys = current.map { ServerKeyRow(server: server, keyID: $0.id, verifyKey: $0.key.base64, validUntil: capped) }
        for old in try Self.keys(json["old_verify_keys"]) where !keys.contains(where: { $0.keyID == old.id }) {
            guard let expired = old.entry["expired_ts"]?.int, expired >= 0 else { continue }
            keys.append(
                ServerKeyRow(
                    server: server, keyID: old.id, verifyKey: old.key.base64, validUntil: Timestamp(milliseconds: expired)))
        }
        self.keys = keys
        self.json = json.canonicalBytes
    }

    package var row: ServerKeyDocumentRow {
        ServerKeyDocumentRow(server: server, receivedAt: receivedAt, validUntil: validUntil, json: json)
    }

    private typealias Key = (id: ByteString, key: VerifyKey, entry: JSON)

    private static func keys(_ object: JSON?) throws(Rejection) -> [Key] {
        guard let object, !object.isNull else { return [] }
        guard object.isObject else { throw Rejection(description: "its keys are no object") }
        var keys: [Key] = []
        for (name, entry) in object.members {
            // Other algorithms may come one day.
            guard let id = KeyID(valid: name.string), id.isServerKey else { continue }
            guard let key = entry["key"]?.string.flatMap({ VerifyKey(base64: $0) }) else {
                throw Rejection(description: "\(name) is no key")
            }
            guard keys.count < keyLimit else { break }
            keys.append((name, key, entry))
        }
        return keys
    }

    private static func checkSignature(_ json: JSON, _ server: ServerName, _ keys: [Key]) throws(Rejection) {
        let signatures = json["signatures"]?[server.text]
        let signers = keys.filter { signatures?[$0.id] != nil }
        guard !signers.isEmpty else { throw Rejection(description: "it is not signed by a key of its own") }
        for signer in signers {
            do throws(JSONSigning.Failure) {
                try JSONSigning.verify(json, signedBy: server.text, keyID: signer.id, key: signer.key)
            } catch {
                throw Rejection(description: "its signature by \(signer.id) is wrong")
            }
        }
    }
}
