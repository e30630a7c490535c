// Backups of room keys, encrypted by their owners. Client-Server API §Server-side key backups.

import MatrixCore
import Persistence
import Rooms

/// Keeps the room keys that clients hand over for the day on which they have lost their own. Only the newest backup of a user takes keys.
package struct KeyBackupService: Sendable {
    /// What a change of the keys answers.
    package struct Standing: Sendable, Equatable {
        package let etag: Int64
        package let count: Int64

        package init(etag: Int64, count: Int64) {
            self.etag = etag
            self.count = count
        }
    }

    private let database: any Database
    /// A user's backups are changed by one request after the other.
    private let changes = KeyedQueue<UserID>()

    /// The largest `auth_data` in bytes.
    package static let authDataLimit = 65_536

    package init(database: any Database) {
        self.database = database
    }

    // MARK: Backups

    /// Begins a backup, which takes the place of the current one.
    ///
    /// - Returns: its version.
    package func create(algorithm: String, authData: JSON, of user: UserID) async throws -> Int64 {
        let authData = try Self.check(algorithm: algorithm, authData: authData)
        let version = try await changes.run(user) {
            try await database.write { try KeyBackupStore.create(algorithm: algorithm, authData: authData, of: user, on: $0) }
        }
        guard let version else { throw MatrixError.internalError }
        return version
    }

    /// A backup of a user; the current one where no version is named.
    ///
    /// - Throws: `M_NOT_FOUND`.
    package func backup(_ version: String?, of user: UserID) async throws -> KeyBackupRow {
        try await database.read { connection in
            guard let version else {
                let current = try KeyBackupStore.current(of: user, on: connection)
                guard let current else { throw MatrixError.notFound("No backup found") }
                return current
            }
            return try Self.existing(version, of: user, on: connection)
        }
    }

    /// Gives a backup other data for its owner to recognise it by.
    ///
    /// - Throws: `M_NOT_FOUND`; `M_INVALID_PARAM` for another algorithm.
    package func update(_ version: String, algorithm: String, authData: JSON, of user: UserID) async throws {
        let authData = try Self.check(algorithm: algorithm, authData: authData)
        try await changes.run(user) {
            try await database.write { connection in
                let backup = try Self.existing(version, of: user, on: connection)
                guard ByteString(backup.algorithm) == ByteString(algorithm) else {
                    throw MatrixError.invalidParam("Algorithm does not match")
                }
                try KeyBackupStore.setAuthData(authData, of: backup.version, of: user, on: connection)
            }
        }
    }

    /// Deletes a backup with its keys; the one before is the current one then. To delete it again is right.
    ///
    /// - Throws: `M_NOT_FOUND` where there was none of this version.
    package func delete(_ version: String, of user: UserID) async throws {
        try await changes.run(user) {
            try await database.write { connection in
                guard let number = Self.number(version), try KeyBackupStore.existed(number, of: user, on: connection) else {
                    throw Self.unknownBackup
                }
                try KeyBackupStore.delete(number, of: user, on: connection)
            }
        }
    }

    // MARK: Keys

    /// Adds keys to the current backup; of a session that it has, the better key stays.
    ///
    /// - Throws: `M_WRONG_ROOM_KEYS_VERSION` for an earlier backup; `M_NOT_FOUND`.
    package func put(_ upload: KeyBackupUpload, to version: String, of user: UserID) async throws -> Standing {
        try await changes.run(user) {
            try await database.write { connection in
                guard let current = try KeyBackupStore.current(of: user, on: connection) else { throw Self.unknownBackup }
                if String(current.version) != version {
                    _ = try Self.existing(version, of: user, on: connection)
                    throw MatrixError.wrongRoomKeysVersion(current: String(current.version))
                }
                let known = try KeyBackupStore.countKnown(among: upload.sessions, of: current.version, of: user, on: connection)
                guard try KeyBackupStore.put(upload.sessions, to: current.version, of: user, on: connection) > 0 else {
                    return Standing(etag: current.etag, count: current.count)
                }
                return try Self.touch(current, of: user, addingToCount: upload.sessions.count - known, on: connection)
            }
        }
    }

    /// The keys of a backup.
    ///
    /// - Throws: `M_NOT_FOUND` where there is no such backup; what is not in it is not an error.
    package func sessions(_ scope: KeyBackupScope, of version: String, of user: UserID) async throws -> [BackedUpSession] {
        try await database.read { connection in
            let backup = try Self.existing(version, of: user, on: connection)
            return try KeyBackupStore.sessions(scope, of: backup.version, of: user, on: connection)
        }
    }

    /// Deletes keys of a backup.
    ///
    /// - Throws: `M_NOT_FOUND` where there is no such backup; what is not in it is not an error.
    package func deleteSessions(_ scope: KeyBackupScope, of version: String, of user: UserID) async throws -> Standing {
        try await changes.run(user) {
            try await database.write { connection in
                let backup = try Self.existing(version, of: user, on: connection)
                let count = try KeyBackupStore.deleteSessions(scope, of: backup.version, of: user, on: connection)
                guard count > 0 else { return Standing(etag: backup.etag, count: backup.count) }
                return try Self.touch(backup, of: user, addingToCount: -count, on: connection)
            }
        }
    }

    // MARK: Steps

    private static let unknownBackup = MatrixError.notFound("Unknown backup version")

    /// The number of a version. Versions are written in one way only: they are compared as texts by clients.
    private static func number(_ version: String) -> Int64? {
        Int64(version).flatMap { String($0) == version ? $0 : nil }
    }

    private static func existing(_ version: String, of user: UserID, on connection: any SQLConnection) throws -> KeyBackupRow {
        guard let number = number(version), let backup = try KeyBackupStore.backup(number, of: user, on: connection) else {
            throw unknownBackup
        }
        return backup
    }

    private static func touch(
        _ backup: KeyBackupRow, of user: UserID, addingToCount change: Int, on connection: any SQLConnection
    ) throws -> Standing {
        let standing = try KeyBackupStore.touch(backup.version, of: user, addingToCount: change, on: connection)
        guard let (etag, count) = standing else { throw unknownBackup }
        return Standing(etag: etag, count: count)
    }

    private static func check(algorithm: String, authData: JSON) throws(MatrixError) -> [UInt8] {
        guard algorithm.utf8.count <= 255, !algorithm.utf8.contains(0) else { throw .invalidParam("Invalid algorithm") }
        guard authData.isObject || authData.isString else { throw .badJSON("auth_data must be an object") }
        guard authData.byteRange.count <= authDataLimit else { throw .tooLarge("auth_data is longer than \(authDataLimit) bytes") }
        return authData.canonicalBytes
    }
}
