// The body of POST /keys/upload, checked. Client-Server API §Uploading keys.

import MatrixCore
import Persistence

/// What a device publishes in one call.
package struct KeyUpload: Sendable {
    /// The device's identity keys as they are stored: canonical, without `unsigned`. nil: they stay as they are.
    package let deviceKeys: [UInt8]?
    package let oneTimeKeys: [StoredKey]
    /// At most one for each algorithm.
    package let fallbackKeys: [StoredKey]

    /// The largest identity keys of a device, in bytes as canonical JSON.
    package static let deviceKeysLimit = 65_536
    /// How many one-time keys one request may bring.
    package static let oneTimeKeyLimit = 1000

    /// - Parameter owner: the device that makes the request; `device_keys` must be its own.
    /// - Throws: `M_BAD_JSON`, `M_TOO_LARGE`.
    package init(_ body: JSON, by owner: DeviceAddress) throws(MatrixError) {
        deviceKeys = try body["device_keys"].map { (keys) throws(MatrixError) in try KeyUpload.check(deviceKeys: keys, of: owner) }
        oneTimeKeys = try KeyUpload.keys(body, "one_time_keys")
        var byAlgorithm: [ByteString: StoredKey] = [:]
        for key in try KeyUpload.keys(body, "fallback_keys") { byAlgorithm[key.algorithm] = key }
        fallbackKeys = byAlgorithm.values.sorted { $0.algorithm < $1.algorithm }
    }

    /// The keys of this upload that are not stored yet.
    ///
    /// - Parameter stored: the device's keys with the same ids.
    /// - Throws: `M_INVALID_PARAM` where one of them is another key. Signatures may differ.
    package func newOneTimeKeys(stored: [StoredKey]) throws(MatrixError) -> [StoredKey] {
        guard !stored.isEmpty else { return oneTimeKeys }
        var known: [String: StoredKey] = [:]
        for key in stored { known[key.name] = key }
        var new: [StoredKey] = []
        for key in oneTimeKeys {
            guard let old = known[key.name] else {
                new.append(key)
                continue
            }
            guard old.json != key.json, KeyUpload.unsigned(old.json) != KeyUpload.unsigned(key.json) else { continue }
            throw .invalidParam("One time key \(key.name) already exists, and is another key")
        }
        return new
    }

    /// The part of a key that makes it this key.
    private static func unsigned(_ json: [UInt8]) -> [UInt8] {
        guard let document = try? JSONDocument(parsing: json) else { return json }
        return document.root.canonicalBytes(omitting: ["signatures"])
    }

    // MARK: Device keys

    private static func check(deviceKeys keys: JSON, of owner: DeviceAddress) throws(MatrixError) -> [UInt8] {
        guard keys.isObject else { throw .badJSON("device_keys must be an object") }
        for (member, isValid) in members {
            guard let value = keys[member], isValid(value) else {
                throw .badJSON("device_keys.\(member) is missing, or not of the right type")
            }
        }
        guard keys["user_id"]?.byteString == owner.user.text else {
            throw .badJSON("user_id in device_keys does not match that of the authenticated user")
        }
        guard keys["device_id"]?.byteString == owner.device.text else {
            throw .badJSON("device_id in device_keys does not match that of the authenticated device")
        }
        let json = keys.canonicalBytes(omitting: ["unsigned"])
        guard json.count <= deviceKeysLimit else { throw .tooLarge("device_keys are too large: \(json.count) bytes") }
        return json
    }

    /// The members that `device_keys` must have.
    private static let members: [(name: String, isValid: @Sendable (JSON) -> Bool)] = [
        ("user_id", { $0.isString }),
        ("device_id", { $0.isString }),
        ("algorithms", { $0.isArray && $0.elements.allSatisfy(\.isString) }),
        ("keys", { SignedKeys.isMapOfStrings($0) }),
        ("signatures", { SignedKeys.isSignatures($0) }),
    ]

    // MARK: One-time and fallback keys

    /// The keys of a member `{"<algorithm>:<key id>": key}`; none where it is absent or null.
    private static func keys(_ body: JSON, _ member: String) throws(MatrixError) -> [StoredKey] {
        guard let object = body[member], !object.isNull else { return [] }
        guard object.isObject else { throw .badJSON("\(member) must be an object") }
        guard object.count <= oneTimeKeyLimit else { throw .tooLarge("\(member) has more than \(oneTimeKeyLimit) keys") }
        // Of a name that is written twice, the last one counts.
        var keys: [ByteString: StoredKey] = [:]
        for (name, value) in object.members {
            guard let (algorithm, id) = split(name) else {
                throw .badJSON("\(member): \(name) is not of the form <algorithm>:<key id>")
            }
            guard isKey(value) else { throw .badJSON("\(member): \(name) is not a key") }
            keys[name] = StoredKey(algorithm: algorithm, keyID: id, json: value.canonicalBytes)
        }
        return keys.sorted { $0.key < $1.key }.map(\.value)
    }

    /// Exactly one colon; neither part may hold U+0000, which no database stores, and both must fit into its index.
    static func split(_ name: ByteString) -> (algorithm: ByteString, id: ByteString)? {
        guard !name.string.utf8.contains(0), name.count <= KeyID.byteLimit else { return nil }
        let parts = name.string.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 2 else { return nil }
        return (ByteString(String(parts[0])), ByteString(String(parts[1])))
    }

    /// A string, or an object with `key` and `signatures`.
    static func isKey(_ value: JSON) -> Bool {
        if value.isString { return true }
        guard value.isObject, let key = value["key"], key.isString, let signatures = value["signatures"] else { return false }
        return SignedKeys.isSignatures(signatures)
    }
}
