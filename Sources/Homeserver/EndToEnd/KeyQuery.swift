// The body of POST /keys/query, and its answer. Client-Server API §Querying keys.

import MatrixCore
import Persistence

/// Whose devices are asked for.
package struct KeyQuery: Sendable {
    /// For each user, once, the wanted devices; empty: all of them.
    package let users: [(user: UserID, devices: Set<DeviceID>)]

    /// All devices of one user.
    package init(everythingOf user: UserID) {
        users = [(user, [])]
    }

    /// A name that is no user ID is passed over, as if that user had no keys.
    ///
    /// - Throws: `M_MISSING_PARAM`, `M_BAD_JSON`.
    package init(_ body: JSON) throws(MatrixError) {
        guard let wanted = body["device_keys"] else { throw .missingParam("Missing device_keys") }
        guard wanted.isObject else { throw .badJSON("device_keys must be an object") }
        var users: [(user: UserID, devices: Set<DeviceID>)] = []
        var named: Set<UserID> = []
        for (name, devices) in wanted.members {
            guard devices.isArray else { throw .badJSON("device_keys: \(name) must be an array of device IDs") }
            var ids: Set<DeviceID> = []
            for device in devices.elements {
                guard let id = device.string else { throw .badJSON("device_keys: \(name) must be an array of device IDs") }
                ids.insert(DeviceID(trusted: id))
            }
            if let user = try? UserID(parsing: name.string), named.insert(user).inserted { users.append((user, ids)) }
        }
        self.users = users
    }
}

/// The keys that were found.
package struct KeyQueryAnswer: Sendable {
    /// Every local user that was asked for, also those without keys, and users of other servers of whom something is known.
    package let users: [(user: UserID, devices: ArraySlice<DeviceKeysRow>)]
    /// The cross-signing keys, with the signatures that may be seen.
    package let crossSigningKeys: [CrossSigningKeyRow]
    /// The servers that could not be asked, with the reason.
    package let failures: [(server: ServerName, reason: String)]
}

extension KeyQueryAnswer {
    /// Sorts devices under their users.
    ///
    /// - Parameters:
    ///   - rows: those of one user stand together.
    ///   - wanted: who is asked for, with the wanted devices; none: all.
    static func devices(
        _ rows: [DeviceKeysRow], wanted: [(user: UserID, devices: Set<DeviceID>)]
    ) -> [(user: UserID, devices: ArraySlice<DeviceKeysRow>)] {
        var runs: [UserID: Range<Int>] = [:]
        var start = 0
        for index in rows.indices where index + 1 == rows.count || rows[index + 1].user != rows[index].user {
            runs[rows[index].user] = start..<(index + 1)
            start = index + 1
        }
        return wanted.map { user, wanted in (user, devices(wanted, of: rows[runs[user] ?? 0..<0])) }
    }

    /// - Parameter wanted: none: all.
    static func devices(_ wanted: Set<DeviceID>, of rows: ArraySlice<DeviceKeysRow>) -> ArraySlice<DeviceKeysRow> {
        wanted.isEmpty ? rows : rows.filter { wanted.contains($0.device) }[...]
    }

    /// Adds to the keys what `viewer` signed of them; nobody else sees that.
    static func showing(_ signatures: [UserSignature], by viewer: UserID, on keys: [CrossSigningKeyRow]) -> [CrossSigningKeyRow] {
        guard !signatures.isEmpty else { return keys }
        let byUser = Dictionary(grouping: signatures, by: \.user)
        return keys.map { key in
            guard key.usage == .master, let signed = byUser[key.user]?.filter({ $0.publicKey == key.publicKey }), !signed.isEmpty else {
                return key
            }
            let json = SignedKeys.adding(signed.map { ($0.keyID, $0.signature) }, by: viewer, to: key.json)
            return CrossSigningKeyRow(user: key.user, usage: key.usage, publicKey: key.publicKey, json: json)
        }
    }
}
