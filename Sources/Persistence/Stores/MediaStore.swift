// What is known of media: tables `local_media` and `remote_media` (migration 27). Client-Server API §Content Repository.

import MatrixCore

/// One medium, of this server or a copy of another server's.
package struct MediaRow: Sendable, Equatable {
    package var mediaID: String
    /// The server it is of; nil for this one.
    package var origin: ServerName?
    /// By which its files are named.
    package var fileID: String
    /// Who uploaded it.
    package var user: UserID?
    package var contentType: String?
    /// Bytes; nil where nothing was uploaded yet.
    package var length: Int?
    package var name: String?
    /// In hexadecimal.
    package var sha256: String?
    package var created: Timestamp
    package var lastAccess: Timestamp?
    package var quarantinedBy: String?
    package var isSafeFromQuarantine = false
    /// Only for those who say who they are.
    package var isAuthenticated: Bool

    package init(mediaID: String, origin: ServerName? = nil, fileID: String, created: Timestamp, isAuthenticated: Bool) {
        self.mediaID = mediaID
        self.origin = origin
        self.fileID = fileID
        self.created = created
        self.isAuthenticated = isAuthenticated
    }
}

/// What was uploaded or fetched.
package struct MediaContent: Sendable, Equatable {
    package var contentType: String
    package var length: Int
    package var name: String?
    /// In hexadecimal.
    package var sha256: String

    package init(contentType: String, length: Int, name: String?, sha256: String) {
        self.contentType = contentType
        self.length = length
        self.name = name
        self.sha256 = sha256
    }
}

/// Reads and writes what is known of media.
package enum MediaStore {
    /// Who is said to have quarantined what is the same as something in quarantine.
    private static let system = "system"

    // MARK: Media of this server

    package static func local(_ mediaID: String, on connection: any SQLConnection) throws -> MediaRow? {
        try connection.first(
            """
            SELECT media_id, user_id, media_type, media_length, upload_name, sha256, created_ts, last_access_ts, quarantined_by,
                safe_from_quarantine, authenticated
            FROM local_media WHERE media_id = $1
            """, [.text(mediaID)], local)
    }

    private static func local(_ row: SQLRow) -> MediaRow {
        let id = row.text(0)
        var media = MediaRow(
            mediaID: id, fileID: id, created: Timestamp(milliseconds: row.int(6)), isAuthenticated: row.bool(10))
        media.user = row.optionalText(1).map { UserID(trusted: $0) }
        media.contentType = row.optionalText(2)
        media.length = row.optionalInt(3).map { Int($0) }
        media.name = row.optionalText(4)
        media.sha256 = row.optionalText(5)
        media.lastAccess = row.optionalInt(7).map { Timestamp(milliseconds: $0) }
        media.quarantinedBy = row.optionalText(8)
        media.isSafeFromQuarantine = row.bool(9)
        return media
    }

    /// An address for an upload that comes later.
    package static func insertPending(
        _ mediaID: String, by user: UserID, at now: Timestamp, isAuthenticated: Bool, on connection: any SQLConnection
    ) throws {
        try connection.enqueue(
            """
            INSERT INTO local_media (media_id, user_id, created_ts, safe_from_quarantine, authenticated)
            VALUES ($1, $2, $3, $4, $5)
            """,
            [.text(mediaID), .text(user.string), .int(now.milliseconds), .bool(false), .bool(isAuthenticated)])
    }

    /// How many addresses of a user wait for their upload, and since when the oldest does; those from before `start` are forgotten.
    package static func pending(
        by user: UserID, since start: Timestamp, on connection: any SQLConnection
    ) throws -> (count: Int, oldest: Timestamp?) {
        try connection.enqueue(
            "DELETE FROM local_media WHERE user_id = $1 AND created_ts < $2 AND media_length IS NULL",
            [.text(user.string), .int(start.milliseconds)])
        let found = try connection.first(
            "SELECT count(*), min(created_ts) FROM local_media WHERE user_id = $1 AND created_ts >= $2 AND media_length IS NULL",
            [.text(user.string), .int(start.milliseconds)]
        ) { (Int($0.int(0)), $0.optionalInt(1).map { Timestamp(milliseconds: $0) }) }
        return found ?? (0, nil)
    }

    /// Notes what was uploaded. What is the same as something in quarantine is in quarantine too.
    package static func insert(
        _ content: MediaContent, as mediaID: String, by user: UserID, at now: Timestamp, isAuthenticated: Bool,
        on connection: any SQLConnection
    ) throws {
        let quarantine = try isQuarantined(content.sha256, on: connection) ? system : nil
        try connection.enqueue(
            """
            INSERT INTO local_media (media_id, user_id, media_type, media_length, upload_name, sha256, created_ts, quarantined_by,
                safe_from_quarantine, authenticated)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
            """,
            [
                .text(mediaID), .text(user.string), .text(content.contentType), .int(content.length), .optional(content.name),
                .text(content.sha256), .int(now.milliseconds), .optional(quarantine), .bool(false), .bool(isAuthenticated),
            ])
    }

    /// The same, for an address that was there before.
    ///
    /// - Returns: false where there is no such address, or it has its content.
    package static func complete(_ content: MediaContent, as mediaID: String, on connection: any SQLConnection) throws -> Bool {
        let quarantine = try isQuarantined(content.sha256, on: connection) ? system : nil
        return try connection.execute(
            """
            UPDATE local_media SET media_type = $2, media_length = $3, upload_name = $4, sha256 = $5,
                quarantined_by = COALESCE(quarantined_by, $6)
            WHERE media_id = $1 AND media_length IS NULL
            """,
            [
                .text(mediaID), .text(content.contentType), .int(content.length), .optional(content.name), .text(content.sha256),
                .optional(quarantine),
            ]) == 1
    }

    /// How many bytes a user has uploaded since a time.
    package static func uploadedBytes(by user: UserID, since start: Timestamp, on connection: any SQLConnection) throws -> Int {
        let sum = try connection.first(
            "SELECT COALESCE(sum(media_length), 0) FROM local_media WHERE user_id = $1 AND created_ts > $2",
            [.text(user.string), .int(start.milliseconds)]
        ) { Int($0.int(0)) }
        return sum ?? 0
    }

    // MARK: Media of other servers

    package static func remote(_ mediaID: String, of origin: ServerName, on connection: any SQLConnection) throws -> MediaRow? {
        try connection.first(
            """
            SELECT filesystem_id, media_type, media_length, upload_name, sha256, created_ts, last_access_ts, quarantined_by, authenticated
            FROM remote_media WHERE media_origin = $1 AND media_id = $2
            """, [.text(origin.string), .text(mediaID)]
        ) { row in
            var media = MediaRow(
                mediaID: mediaID, origin: origin, fileID: row.text(0), created: Timestamp(milliseconds: row.int(5)),
                isAuthenticated: row.bool(8))
            media.contentType = row.optionalText(1)
            media.length = Int(row.int(2))
            media.name = row.optionalText(3)
            media.sha256 = row.optionalText(4)
            media.lastAccess = Timestamp(milliseconds: row.int(6))
            media.quarantinedBy = row.optionalText(7)
            return media
        }
    }

    /// Notes a copy. One that was there before, and whose file is gone, is replaced; its quarantine stays.
    ///
    /// - Returns: the row as it is now.
    package static func insertRemote(
        _ content: MediaContent, as mediaID: String, of origin: ServerName, fileID: String, at now: Timestamp, isAuthenticated: Bool,
        on connection: any SQLConnection
    ) throws -> MediaRow? {
        let quarantine = try isQuarantined(content.sha256, on: connection) ? system : nil
        try connection.enqueue(
            "DELETE FROM media_thumbnails WHERE media_origin = $1 AND media_id = $2", [.text(origin.string), .text(mediaID)])
        try connection.enqueue(
            """
            INSERT INTO remote_media (media_origin, media_id, filesystem_id, media_type, media_length, upload_name, sha256, created_ts,
                last_access_ts, quarantined_by, authenticated)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8, $9, $10)
            ON CONFLICT (media_origin, media_id) DO UPDATE SET filesystem_id = excluded.filesystem_id,
                media_type = excluded.media_type, media_length = excluded.media_length, upload_name = excluded.upload_name,
                sha256 = excluded.sha256, last_access_ts = excluded.last_access_ts,
                quarantined_by = COALESCE(remote_media.quarantined_by, excluded.quarantined_by)
            """,
            [
                .text(origin.string), .text(mediaID), .text(fileID), .text(content.contentType), .int(content.length),
                .optional(content.name), .text(content.sha256), .int(now.milliseconds), .optional(quarantine), .bool(isAuthenticated),
            ])
        return try remote(mediaID, of: origin, on: connection)
    }

    // MARK: Both

    private static func isQuarantined(_ sha256: String, on connection: any SQLConnection) throws -> Bool {
        try connection.exists(
            """
            SELECT 1 FROM local_media WHERE sha256 = $1 AND quarantined_by IS NOT NULL
            UNION ALL SELECT 1 FROM remote_media WHERE sha256 = $1 AND quarantined_by IS NOT NULL LIMIT 1
            """, [.text(sha256)])
    }

    /// Notes that media were looked at.
    package static func touch(
        local: Set<String>, remote: [ServerName: Set<String>], at now: Timestamp, on connection: any SQLConnection
    ) throws {
        try connection.enqueue(
            "UPDATE local_media SET last_access_ts = $1 WHERE {media_id IN $2}", [.int(now.milliseconds), .texts(local.sorted())])
        for (origin, ids) in remote {
            try connection.enqueue(
                "UPDATE remote_media SET last_access_ts = $1 WHERE media_origin = $2 AND {media_id IN $3}",
                [.int(now.milliseconds), .text(origin.string), .texts(ids.sorted())])
        }
    }
}
