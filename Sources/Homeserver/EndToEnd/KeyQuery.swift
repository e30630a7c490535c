// The body of POST /keys/query, and its answer. Client-Server API §Querying keys.

import MatrixCore
import Persistence

/// Whose devices are asked for.
package struct KeyQuery: Sendable {
    /// For each user the wanted devices; empty: all of them.
    package let users: [(user: UserID, devices: Set<DeviceID>)]

    /// A name that is no user ID is passed over, as if that user had no keys.
    ///
    /// - Throws: `M_MISSING_PARAM`, `M_BAD_JSON`.
    package init(_ body: JSON) throws(MatrixError) {
        guard let wanted = body["device_keys"] else { throw .missingParam("Missing device_keys") }
        guard wanted.isObject else { throw .badJSON("device_keys must be an object") }
        var users: [UserID: Set<DeviceID>] = [:]
        for (name, devices) in wanted.members {
            guard devices.isArray else { throw .badJSON("device_keys: \(name) must be an array of device IDs") }
            var ids: Set<DeviceID> = []
            for device in devices.elements {
                guard let id = device.string else { throw .badJSON("device_keys: \(name) must be an array of device IDs") }
                ids.insert(DeviceID(trusted: id))
            }
            if let user = try? UserID(parsing: name.string) { users[user] = ids }
        }
        self.users = users.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
    }
}

/// The keys that were found.
package struct KeyQueryAnswer: Sendable {
    /// Every local user that was asked for, also those without keys.
    package let users: [(user: UserID, devices: [DeviceKeysRow])]
    /// The servers that could not be asked, with the reason.
    package let failures: [(server: ServerName, reason: String)]
}
