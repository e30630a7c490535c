// Who was seen last: table `presence` (migration 6). Client-Server API §Presence.

import MatrixCore

/// One row of `presence`.
package struct PresenceRow: Sendable, Hashable {
    package let user: UserID
    /// `online`, `unavailable` or `offline`.
    package let state: String
    /// Zero where the user was never active.
    package let lastActive: Timestamp
    package let statusMessage: String?
    /// Of the last change, in the stream.
    package let position: StreamPosition

    package init(user: UserID, state: String, lastActive: Timestamp, statusMessage: String?, position: StreamPosition) {
        self.user = user
        self.state = state
        self.lastActive = lastActive
        self.statusMessage = statusMessage
        self.position = position
    }

    fileprivate init(_ row: SQLRow) {
        self.init(
            user: UserID(trusted: row.text(0)), state: row.text(1), lastActive: Timestamp(milliseconds: row.int(2)),
            statusMessage: row.optionalText(3), position: StreamPosition(row.int(4)))
    }
}

/// Reads and writes presence.
package enum PresenceStore {
    /// Those of these users of whom something is stored.
    package static func rows(of users: [UserID], on connection: any SQLConnection) throws -> [PresenceRow] {
        try connection.rows(
            "SELECT user_id, state, last_active_ts, status_msg, position FROM presence WHERE {user_id IN $1}",
            [.texts(users.map(\.string))], PresenceRow.init)
    }

    /// Those who are not offline.
    package static func present(on connection: any SQLConnection) throws -> [PresenceRow] {
        try connection.rows(
            "SELECT user_id, state, last_active_ts, status_msg, position FROM presence WHERE state <> 'offline'", [], PresenceRow.init)
    }

    /// The users whose presence changed after `position`, the latest first.
    package static func users(
        changedAfter position: StreamPosition, limit: Int, on connection: any SQLConnection
    ) throws -> [UserID] {
        try connection.rows(
            "SELECT user_id FROM presence WHERE position > $1 ORDER BY position DESC LIMIT $2", [.int(position.value), .int(limit)]
        ) { UserID(trusted: $0.text(0)) }
    }

    /// Those of `candidates`, local users, who are joined to a room that `user` is joined to, `excluded` rooms left aside.
    package static func sharingRoom(
        with user: UserID, among candidates: [UserID], except excluded: Set<RoomID>, on connection: any SQLConnection
    ) throws -> [UserID] {
        guard !excluded.isEmpty else { return try DeviceListStore.sharingRoom(with: user, among: candidates, on: connection) }
        return try connection.rows(
            """
            SELECT DISTINCT theirs.user_id
            FROM memberships theirs JOIN memberships mine ON mine.room_nid = theirs.room_nid JOIN rooms r ON r.room_nid = mine.room_nid
            WHERE {theirs.user_id IN $2} AND theirs.membership = 'join' AND mine.user_id = $1 AND mine.membership = 'join'
                AND {r.room_id NOT IN $3}
            """, [.text(user.string), .texts(candidates.map(\.string)), .texts(excluded.map(\.string))]
        ) { UserID(trusted: $0.text(0)) }
    }

    /// Writes these rows in one statement. No status message may hold U+0000.
    package static func set(_ rows: [PresenceRow], on connection: any SQLConnection) throws {
        guard !rows.isEmpty else { return }
        let values = SQLValue.records(rows, size: 96 * rows.count) { writer, row in
            writer.string(row.user.string)
            writer.string(row.state)
            writer.int(row.lastActive.milliseconds)
            if let message = row.statusMessage { writer.string(message) } else { writer.null() }
            writer.int(row.position.value)
        }
        try connection.enqueue(connection.dialect == .postgres ? upsertOnPostgres : upsertOnSQLite, [values])
    }

    private static let upsertOnPostgres = upsert(.postgres)
    private static let upsertOnSQLite = upsert(.sqlite)

    /// `WHERE true` tells SQLite that `ON` does not begin a join.
    private static func upsert(_ dialect: SQLDialect) -> SQL {
        let rows = dialect.records(
            1, [("user_id", .text), ("state", .text), ("last_active_ts", .int), ("status_msg", .text), ("position", .int)])
        return SQL(
            """
            INSERT INTO presence (user_id, state, last_active_ts, status_msg, position)
            SELECT user_id, state, last_active_ts, status_msg, position FROM \(rows) AS n WHERE true
            ON CONFLICT (user_id) DO UPDATE SET state = excluded.state, last_active_ts = excluded.last_active_ts,
                status_msg = excluded.status_msg, position = excluded.position
            """)
    }
}
