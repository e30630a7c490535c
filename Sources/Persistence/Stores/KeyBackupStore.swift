// Backups of room keys: tables `key_backups` and `key_backup_sessions` (migration 15). Client-Server API §Server-side key backups.

import MatrixCore

/// One row of `key_backups` that is not deleted.
package struct KeyBackupRow: Sendable, Equatable {
    package let version: Int64
    package let algorithm: String
    /// Canonical JSON.
    package let authData: [UInt8]
    /// Raised by every change of the keys.
    package let etag: Int64
    /// How many keys there are.
    package let count: Int64

    fileprivate init(_ row: SQLRow) {
        version = row.int(0)
        algorithm = row.text(1)
        authData = row.blob(2)
        etag = row.int(3)
        count = row.int(4)
    }
}

/// The key of one session, as it is backed up.
package struct BackedUpSession: Sendable, Equatable {
    package let room: ByteString
    package let session: ByteString
    package let firstMessageIndex: Int64
    package let forwardedCount: Int64
    package let isVerified: Bool
    /// Canonical JSON.
    package let data: [UInt8]

    package init(
        room: ByteString, session: ByteString, firstMessageIndex: Int64, forwardedCount: Int64, isVerified: Bool, data: [UInt8]
    ) {
        self.room = room
        self.session = session
        self.firstMessageIndex = firstMessageIndex
        self.forwardedCount = forwardedCount
        self.isVerified = isVerified
        self.data = data
    }

    fileprivate init(_ row: SQLRow) {
        self.init(
            room: ByteString(row.text(0)), session: ByteString(row.text(1)), firstMessageIndex: row.int(2), forwardedCount: row.int(3),
            isVerified: row.bool(4), data: row.blob(5))
    }
}

/// Which keys of a backup are meant.
package enum KeyBackupScope: Sendable, Hashable {
    case all
    case room(ByteString)
    case session(room: ByteString, session: ByteString)

    /// The end of a condition on `key_backup_sessions` whose first two parameters are user and version.
    fileprivate var condition: String {
        switch self {
        case .all: ""
        case .room: " AND room_id = $3"
        case .session: " AND room_id = $3 AND session_id = $4"
        }
    }

    fileprivate var parameters: [SQLValue] {
        switch self {
        case .all: []
        case .room(let room): [.text(room.string)]
        case .session(let room, let session): [.text(room.string), .text(session.string)]
        }
    }
}

/// Reads and writes backups.
package enum KeyBackupStore {
    // MARK: Backups

    /// Begins a backup, which is the current one from then on.
    ///
    /// - Returns: its version.
    package static func create(
        algorithm: String, authData: [UInt8], of user: UserID, on connection: any SQLConnection
    ) throws -> Int64? {
        try connection.first(
            """
            INSERT INTO key_backups (user_id, version, algorithm, auth_data, etag, key_count, deleted)
            SELECT $1, COALESCE(max(version), 0) + 1, $2, $3, 0, 0, false FROM key_backups WHERE user_id = $1
            RETURNING version
            """, [.text(user.string), .text(algorithm), .blob(authData)]
        ) { $0.int(0) }
    }

    /// The newest backup.
    package static func current(of user: UserID, on connection: any SQLConnection) throws -> KeyBackupRow? {
        try connection.first(
            """
            SELECT version, algorithm, auth_data, etag, key_count FROM key_backups
            WHERE user_id = $1 AND NOT deleted ORDER BY version DESC LIMIT 1
            """, [.text(user.string)], KeyBackupRow.init)
    }

    package static func backup(_ version: Int64, of user: UserID, on connection: any SQLConnection) throws -> KeyBackupRow? {
        try connection.first(
            """
            SELECT version, algorithm, auth_data, etag, key_count FROM key_backups WHERE user_id = $1 AND version = $2 AND NOT deleted
            """, [.text(user.string), .int(version)], KeyBackupRow.init)
    }

    /// Whether there is or was a backup of this version.
    package static func existed(_ version: Int64, of user: UserID, on connection: any SQLConnection) throws -> Bool {
        try connection.exists("SELECT 1 FROM key_backups WHERE user_id = $1 AND version = $2", [.text(user.string), .int(version)])
    }

    package static func setAuthData(
        _ authData: [UInt8], of version: Int64, of user: UserID, on connection: any SQLConnection
    ) throws {
        try connection.enqueue(
            "UPDATE key_backups SET auth_data = $3 WHERE user_id = $1 AND version = $2",
            [.text(user.string), .int(version), .blob(authData)])
    }

    /// Notes that the keys of a backup changed.
    ///
    /// - Parameter change: how many more keys there are.
    /// - Returns: the new etag and number of keys.
    package static func touch(
        _ version: Int64, of user: UserID, addingToCount change: Int, on connection: any SQLConnection
    ) throws -> (etag: Int64, count: Int64)? {
        try connection.first(
            """
            UPDATE key_backups SET etag = etag + 1, key_count = key_count + $3 WHERE user_id = $1 AND version = $2
            RETURNING etag, key_count
            """, [.text(user.string), .int(version), .int(change)]
        ) { ($0.int(0), $0.int(1)) }
    }

    /// Deletes a backup with its keys. Its version is not given out again.
    package static func delete(_ version: Int64, of user: UserID, on connection: any SQLConnection) throws {
        let backup: [SQLValue] = [.text(user.string), .int(version)]
        try connection.enqueue("DELETE FROM key_backup_sessions WHERE user_id = $1 AND version = $2", backup)
        try connection.enqueue(
            "UPDATE key_backups SET deleted = true, key_count = 0 WHERE user_id = $1 AND version = $2", backup)
    }

    /// Deletes everything of a user.
    package static func deleteAll(of user: UserID, on connection: any SQLConnection) throws {
        try connection.enqueue("DELETE FROM key_backup_sessions WHERE user_id = $1", [.text(user.string)])
        try connection.enqueue("DELETE FROM key_backups WHERE user_id = $1", [.text(user.string)])
    }

    // MARK: Keys

    /// The keys of a backup, in the order of rooms and sessions.
    package static func sessions(
        _ scope: KeyBackupScope, of version: Int64, of user: UserID, on connection: any SQLConnection
    ) throws -> [BackedUpSession] {
        try connection.rows(
            SQL(
                """
                SELECT room_id, session_id, first_message_index, forwarded_count, is_verified, session_data FROM key_backup_sessions
                WHERE user_id = $1 AND version = $2\(scope.condition) ORDER BY room_id, session_id
                """), [.text(user.string), .int(version)] + scope.parameters, BackedUpSession.init)
    }

    /// - Returns: how many there were.
    package static func deleteSessions(
        _ scope: KeyBackupScope, of version: Int64, of user: UserID, on connection: any SQLConnection
    ) throws -> Int {
        try connection.execute(
            SQL("DELETE FROM key_backup_sessions WHERE user_id = $1 AND version = $2\(scope.condition)"),
            [.text(user.string), .int(version)] + scope.parameters)
    }

    /// How many of these sessions a backup has already.
    package static func countKnown(
        among sessions: [BackedUpSession], of version: Int64, of user: UserID, on connection: any SQLConnection
    ) throws -> Int {
        let values = SQLValue.records(sessions, size: 96 * sessions.count) { writer, session in
            writer.string(session.room)
            writer.string(session.session)
        }
        let names = connection.dialect.records(3, [("room_id", .text), ("session_id", .text)])
        return try connection.first(
            SQL(
                """
                SELECT count(*) FROM \(names) AS n
                JOIN key_backup_sessions k ON k.room_id = n.room_id AND k.session_id = n.session_id
                WHERE k.user_id = $1 AND k.version = $2
                """), [.text(user.string), .int(version), values]
        ) { Int($0.int(0)) } ?? 0
    }

    /// Adds keys, each session once. One that is there is replaced by a better one only: one that is verified where the old one was not; of
    /// two that are alike in that, the one that begins at an earlier message; and then, the one that was forwarded fewer times. A verified
    /// key never gives way to one that is not. Client-Server API §Server-side key backups, `PUT /room_keys/keys`.
    ///
    /// - Returns: how many were added or replaced.
    package static func put(
        _ sessions: [BackedUpSession], to version: Int64, of user: UserID, on connection: any SQLConnection
    ) throws -> Int {
        guard !sessions.isEmpty else { return 0 }
        let size = sessions.reduce(0) { $0 + $1.data.count + $1.data.count / 8 + 160 }
        let values = SQLValue.records(sessions, size: size) { writer, session in
            writer.string(session.room)
            writer.string(session.session)
            writer.int(session.firstMessageIndex)
            writer.int(session.forwardedCount)
            writer.int(session.isVerified ? 1 : 0)
            writer.string(String(decoding: session.data, as: UTF8.self))
        }
        return try connection.execute(
            connection.dialect == .postgres ? putOnPostgres : putOnSQLite, [.text(user.string), .int(version), values])
    }

    private static let putOnPostgres = putText(.postgres)
    private static let putOnSQLite = putText(.sqlite)

    private static func putText(_ dialect: SQLDialect) -> SQL {
        let sessions = dialect.records(
            3,
            [
                ("room_id", .text), ("session_id", .text), ("first_message_index", .int), ("forwarded_count", .int), ("verified", .int),
                ("session_data", .text),
            ])
        return SQL(
            """
            INSERT INTO key_backup_sessions
                (user_id, version, room_id, session_id, first_message_index, forwarded_count, is_verified, session_data)
            SELECT $1, $2, n.room_id, n.session_id, n.first_message_index, n.forwarded_count, n.verified = 1, n.session_data
            FROM \(sessions) AS n WHERE true
            ON CONFLICT (user_id, version, room_id, session_id) DO UPDATE SET
                first_message_index = excluded.first_message_index, forwarded_count = excluded.forwarded_count,
                is_verified = excluded.is_verified, session_data = excluded.session_data
            WHERE (excluded.is_verified AND NOT key_backup_sessions.is_verified)
                OR excluded.is_verified = key_backup_sessions.is_verified
                    AND (excluded.first_message_index < key_backup_sessions.first_message_index
                        OR excluded.first_message_index = key_backup_sessions.first_message_index
                            AND excluded.forwarded_count < key_backup_sessions.forwarded_count)
            """)
    }
}
