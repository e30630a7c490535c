// One-time and fallback keys: tables `one_time_keys` and `fallback_keys` (migration 3).
// Client-Server API §One-time and fallback keys.

import MatrixCore

/// A one-time or fallback key as it is stored.
package struct StoredKey: Sendable, Hashable {
    package let algorithm: ByteString
    package let keyID: ByteString
    /// A JSON string or object, canonical.
    package let json: [UInt8]

    package init(algorithm: ByteString, keyID: ByteString, json: [UInt8]) {
        self.algorithm = algorithm
        self.keyID = keyID
        self.json = json
    }

    fileprivate init(_ row: SQLRow) {
        algorithm = ByteString(row.text(0))
        keyID = ByteString(row.text(1))
        json = row.blob(2)
    }

    /// `<algorithm>:<key id>`, as the protocol names a key.
    package var name: String { "\(algorithm.string):\(keyID.string)" }
}

/// How many one-time keys of an algorithm nobody has claimed yet.
package struct OneTimeKeyCount: Sendable, Hashable {
    package let algorithm: ByteString
    package let count: Int

    package init(algorithm: ByteString, count: Int) {
        self.algorithm = algorithm
        self.count = count
    }
}

/// Reads, adds and hands out keys.
package enum OneTimeKeyStore {
    // MARK: One-time keys

    /// The stored keys of a device with one of these ids, those that were handed out included.
    package static func keys(
        withIDs ids: [ByteString], of device: DeviceID, of user: UserID, on connection: any SQLConnection
    ) throws -> [StoredKey] {
        try connection.rows(
            """
            SELECT algorithm, key_id, json FROM one_time_keys
            WHERE user_id = $1 AND device_id = $2 AND {key_id IN $3}
            """, [.text(user.string), .text(device.string), .texts(ids.map(\.string))], StoredKey.init)
    }

    /// Adds a key. One of the same id that nobody has claimed yet stays as it is; one that was handed out is replaced by a
    /// different key only, so that a repeated upload never brings a used key back.
    package static func insert(
        _ key: StoredKey, of device: DeviceID, of user: UserID, position: StreamPosition, on connection: any SQLConnection
    ) throws {
        try connection.enqueue(
            """
            INSERT INTO one_time_keys (user_id, device_id, algorithm, key_id, position, json) VALUES ($1, $2, $3, $4, $5, $6)
            ON CONFLICT (user_id, device_id, algorithm, key_id)
            DO UPDATE SET position = excluded.position, json = excluded.json, claimed_ts = NULL
            WHERE one_time_keys.claimed_ts IS NOT NULL AND one_time_keys.json <> excluded.json
            """,
            [
                .text(user.string), .text(device.string), .text(key.algorithm.string), .text(key.keyID.string),
                .int(position.value), .blob(key.json),
            ])
    }

    /// The unclaimed keys of a device by algorithm, in the order of the algorithms.
    package static func counts(
        of device: DeviceID, of user: UserID, on connection: any SQLConnection
    ) throws -> [OneTimeKeyCount] {
        try connection.rows(
            """
            SELECT algorithm, count(*) FROM one_time_keys
            WHERE user_id = $1 AND device_id = $2 AND claimed_ts IS NULL
            GROUP BY algorithm ORDER BY algorithm
            """, [.text(user.string), .text(device.string)]
        ) { OneTimeKeyCount(algorithm: ByteString($0.text(0)), count: Int($0.int(1))) }
    }

    /// Hands out the unclaimed key that was uploaded first, or nil. Two transactions never get the same key: the second one
    /// waits for the first, and then takes the next key.
    package static func claim(
        _ algorithm: ByteString, of device: DeviceID, of user: UserID, at time: Timestamp, on connection: any SQLConnection
    ) throws -> StoredKey? {
        try connection.first(
            """
            UPDATE one_time_keys SET claimed_ts = $4
            WHERE user_id = $1 AND device_id = $2 AND algorithm = $3 AND claimed_ts IS NULL AND key_id = (
                SELECT key_id FROM one_time_keys
                WHERE user_id = $1 AND device_id = $2 AND algorithm = $3 AND claimed_ts IS NULL
                ORDER BY position, key_id LIMIT 1 {FOR UPDATE}
            )
            RETURNING algorithm, key_id, json
            """,
            [.text(user.string), .text(device.string), .text(algorithm.string), .int(time.milliseconds)], StoredKey.init)
    }

    /// Forgets the keys of a device that were handed out before `time`.
    package static func deleteKeys(
        claimedBefore time: Timestamp, of device: DeviceID, of user: UserID, on connection: any SQLConnection
    ) throws {
        try connection.enqueue(
            "DELETE FROM one_time_keys WHERE user_id = $1 AND device_id = $2 AND claimed_ts < $3",
            [.text(user.string), .text(device.string), .int(time.milliseconds)])
    }

    // MARK: Fallback keys

    /// Sets the fallback key of its algorithm. The same key again does not make it unused.
    package static func setFallback(
        _ key: StoredKey, of device: DeviceID, of user: UserID, on connection: any SQLConnection
    ) throws {
        try connection.enqueue(
            """
            INSERT INTO fallback_keys (user_id, device_id, algorithm, key_id, used, json) VALUES ($1, $2, $3, $4, false, $5)
            ON CONFLICT (user_id, device_id, algorithm)
            DO UPDATE SET key_id = excluded.key_id, used = false, json = excluded.json
            WHERE fallback_keys.key_id <> excluded.key_id OR fallback_keys.json <> excluded.json
            """,
            [
                .text(user.string), .text(device.string), .text(key.algorithm.string), .text(key.keyID.string), .blob(key.json),
            ])
    }

    /// Hands out the fallback key of an algorithm and marks it as used; nil where there is none.
    ///
    /// - Returns: the key, and whether this was its first use.
    package static func claimFallback(
        _ algorithm: ByteString, of device: DeviceID, of user: UserID, on connection: any SQLConnection
    ) throws -> (key: StoredKey, isFirstUse: Bool)? {
        let parameters: [SQLValue] = [.text(user.string), .text(device.string), .text(algorithm.string)]
        let found = try connection.first(
            """
            SELECT algorithm, key_id, json, used FROM fallback_keys
            WHERE user_id = $1 AND device_id = $2 AND algorithm = $3
            """, parameters
        ) { (key: StoredKey($0), used: $0.bool(3)) }
        guard let found else { return nil }
        if !found.used {
            try connection.enqueue(
                """
                UPDATE fallback_keys SET used = true
                WHERE user_id = $1 AND device_id = $2 AND algorithm = $3 AND key_id = $4
                """, parameters + [.text(found.key.keyID.string)])
        }
        return (found.key, !found.used)
    }

    /// The algorithms of the fallback keys that nobody was given yet, in order.
    package static func unusedFallbackAlgorithms(
        of device: DeviceID, of user: UserID, on connection: any SQLConnection
    ) throws -> [ByteString] {
        try connection.rows(
            """
            SELECT algorithm FROM fallback_keys WHERE user_id = $1 AND device_id = $2 AND used = false ORDER BY algorithm
            """, [.text(user.string), .text(device.string)]
        ) { ByteString($0.text(0)) }
    }

    // MARK: Both

    package static func delete(of device: DeviceID, of user: UserID, on connection: any SQLConnection) throws {
        let parameters: [SQLValue] = [.text(user.string), .text(device.string)]
        try connection.enqueue("DELETE FROM one_time_keys WHERE user_id = $1 AND device_id = $2", parameters)
        try connection.enqueue("DELETE FROM fallback_keys WHERE user_id = $1 AND device_id = $2", parameters)
    }
}
