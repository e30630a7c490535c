// What is known of the devices of other servers' users: tables `remote_device_lists` and `remote_devices` (migration 20).
// Server-Server API §Device Management.

import MatrixCore

/// How the list of one user's devices stands.
package struct RemoteDeviceListRow: Sendable, Hashable {
    package let user: UserID
    /// Of the last change that was taken in; empty where it is not known.
    package let streamID: ByteString
    /// The end of the stream when the list was asked for.
    package let position: StreamPosition
    /// Changes were missed: what is stored may be wrong.
    package let isStale: Bool
    /// How often the list could not be fetched, or not be understood, since it is stale.
    package let failures: Int64
    /// When a stale list may be fetched next.
    package let retryAt: Timestamp

    package init(
        user: UserID, streamID: ByteString, position: StreamPosition = .zero, isStale: Bool = false, failures: Int64 = 0,
        retryAt: Timestamp = Timestamp(milliseconds: 0)
    ) {
        self.user = user
        self.streamID = streamID
        self.position = position
        self.isStale = isStale
        self.failures = failures
        self.retryAt = retryAt
    }

    fileprivate init(_ row: SQLRow) {
        self.init(
            user: UserID(trusted: row.text(0)), streamID: ByteString(row.text(1)), position: StreamPosition(row.int(2)),
            isStale: row.bool(3), failures: row.int(4), retryAt: Timestamp(milliseconds: row.int(5)))
    }
}

/// Reads and writes the lists.
package enum RemoteDeviceStore {
    // MARK: Lists

    /// The lists of those of `users` whose devices are followed.
    package static func lists(of users: [UserID], on connection: any SQLConnection) throws -> [RemoteDeviceListRow] {
        try connection.rows(
            "SELECT user_id, stream_id, position, is_stale, failures, retry_ts FROM remote_device_lists WHERE {user_id IN $1}",
            [.texts(users.map(\.string))], RemoteDeviceListRow.init)
    }

    package static func set(_ list: RemoteDeviceListRow, on connection: any SQLConnection) throws {
        try connection.enqueue(
            """
            INSERT INTO remote_device_lists (user_id, server_name, stream_id, position, is_stale, failures, retry_ts)
            VALUES ($1, $2, $3, $4, $5, $6, $7)
            ON CONFLICT (user_id) DO UPDATE SET stream_id = excluded.stream_id, position = excluded.position,
                is_stale = excluded.is_stale, failures = excluded.failures, retry_ts = excluded.retry_ts
            """,
            [
                .text(list.user.string), .text(list.user.server.string), .text(list.streamID.string), .int(list.position.value),
                .bool(list.isStale), .int(list.failures), .int(list.retryAt.milliseconds),
            ])
    }

    /// Goes on from one change to the next, where the list still stands at the first and is not stale.
    ///
    /// - Returns: false where it does not.
    package static func advance(
        _ user: UserID, from old: ByteString, to new: ByteString, on connection: any SQLConnection
    ) throws -> Bool {
        try connection.execute(
            "UPDATE remote_device_lists SET stream_id = $3 WHERE user_id = $1 AND stream_id = $2 AND NOT is_stale",
            [.text(user.string), .text(old.string), .text(new.string)]) == 1
    }

    // MARK: What is to be fetched

    /// The servers of users whose stale lists may be fetched at `now`.
    package static func serversWithStaleLists(at now: Timestamp, limit: Int, on connection: any SQLConnection) throws -> [ServerName] {
        try connection.rows(
            "SELECT DISTINCT server_name FROM remote_device_lists WHERE is_stale AND retry_ts <= $1 LIMIT $2",
            [.int(now.milliseconds), .int(limit)]
        ) { ServerName(trusted: $0.text(0)) }
    }

    /// The stale lists of one server's users that may be fetched at `now`, those first that wait longest.
    package static func staleLists(
        of server: ServerName, at now: Timestamp, limit: Int, on connection: any SQLConnection
    ) throws -> [RemoteDeviceListRow] {
        try connection.rows(
            """
            SELECT user_id, stream_id, position, is_stale, failures, retry_ts FROM remote_device_lists
            WHERE is_stale AND server_name = $1 AND retry_ts <= $2 ORDER BY retry_ts LIMIT $3
            """, [.text(server.string), .int(now.milliseconds), .int(limit)], RemoteDeviceListRow.init)
    }

    /// Puts off fetching stale lists.
    package static func postpone(_ users: [UserID], until time: Timestamp, on connection: any SQLConnection) throws {
        try connection.enqueue(
            "UPDATE remote_device_lists SET retry_ts = $2 WHERE {user_id IN $1} AND is_stale AND retry_ts < $2",
            [.texts(users.map(\.string)), .int(time.milliseconds)])
    }

    // MARK: Devices

    /// The stored devices of these users, in the order of users and devices.
    package static func devices(of users: [UserID], on connection: any SQLConnection) throws -> [DeviceKeysRow] {
        try connection.rows(
            """
            SELECT user_id, device_id, display_name, json FROM remote_devices WHERE {user_id IN $1} ORDER BY user_id, device_id
            """, [.texts(users.map(\.string))], DeviceKeysRow.init)
    }

    /// Whether all of these devices of the user are stored.
    package static func knows(_ devices: [DeviceID], of user: UserID, on connection: any SQLConnection) throws -> Bool {
        let found = try connection.rows(
            "SELECT device_id FROM remote_devices WHERE user_id = $1 AND {device_id IN $2}",
            [.text(user.string), .texts(devices.map(\.string))]
        ) { ByteString($0.text(0)) }
        return Set(devices.map(\.text)).isSubset(of: found)
    }

    package static func set(_ device: DeviceKeysRow, on connection: any SQLConnection) throws {
        try connection.enqueue(
            """
            INSERT INTO remote_devices (user_id, device_id, display_name, json) VALUES ($1, $2, $3, $4)
            ON CONFLICT (user_id, device_id) DO UPDATE SET display_name = excluded.display_name, json = excluded.json
            """,
            [.text(device.user.string), .text(device.device.string), .optional(device.displayName), .blob(device.json)])
    }

    package static func delete(_ device: DeviceID, of user: UserID, on connection: any SQLConnection) throws {
        try connection.enqueue(
            "DELETE FROM remote_devices WHERE user_id = $1 AND device_id = $2", [.text(user.string), .text(device.string)])
    }

    package static func deleteDevices(of user: UserID, on connection: any SQLConnection) throws {
        try connection.enqueue("DELETE FROM remote_devices WHERE user_id = $1", [.text(user.string)])
    }

    // MARK: The end of following

    /// Forgets what is stored of these users.
    package static func forget(_ users: [UserID], on connection: any SQLConnection) throws {
        guard !users.isEmpty else { return }
        let users: [SQLValue] = [.texts(users.map(\.string))]
        try connection.enqueue("DELETE FROM remote_device_lists WHERE {user_id IN $1}", users)
        try connection.enqueue("DELETE FROM remote_devices WHERE {user_id IN $1}", users)
        try connection.enqueue("DELETE FROM cross_signing_keys WHERE {user_id IN $1}", users)
    }

    /// The lists of those who are followed and have a membership in this room.
    package static func lists(in room: RoomNID, on connection: any SQLConnection) throws -> [RemoteDeviceListRow] {
        try connection.rows(
            """
            SELECT l.user_id, l.stream_id, l.position, l.is_stale, l.failures, l.retry_ts FROM current_state s
            JOIN state_keys k ON k.key_nid = s.key_nid AND k.type = 'm.room.member'
            JOIN remote_device_lists l ON l.user_id = k.state_key
            WHERE s.room_nid = $1
            """, [.int(room.value)], RemoteDeviceListRow.init)
    }

    /// Those who are followed, after `after`, in the order of their ids.
    package static func followed(after: String, limit: Int, on connection: any SQLConnection) throws -> [UserID] {
        try connection.rows(
            "SELECT user_id FROM remote_device_lists WHERE user_id > $1 ORDER BY user_id LIMIT $2", [.text(after), .int(limit)]
        ) { UserID(trusted: $0.text(0)) }
    }
}
