// Media that may go: tables `local_media`, `remote_media` and `media_thumbnails` (migration 27).

import MatrixCore

/// Finds media that nobody has looked at for long, and forgets media.
package enum MediaRetentionStore {
    /// Copies that were last looked at before a time and are in no quarantine, a page of them.
    package static func oldRemote(
        before limit: Timestamp, count: Int, on connection: any SQLConnection
    ) throws -> [(origin: ServerName, mediaID: String, fileID: String)] {
        try connection.rows(
            """
            SELECT media_origin, media_id, filesystem_id FROM remote_media
            WHERE last_access_ts < $1 AND quarantined_by IS NULL ORDER BY last_access_ts LIMIT $2
            """, [.int(limit.milliseconds), .int(count)]
        ) { (ServerName(trusted: $0.text(0)), $0.text(1), $0.text(2)) }
    }

    /// Media of this server that were last looked at before a time, after `last` in the order of their IDs. What is in quarantine, safe
    /// from it, or waits for its upload stays.
    package static func oldLocal(
        before limit: Timestamp, after last: String, count: Int, on connection: any SQLConnection
    ) throws -> [String] {
        try connection.rows(
            """
            SELECT media_id FROM local_media
            WHERE media_id > $1 AND COALESCE(last_access_ts, created_ts) < $2 AND media_length IS NOT NULL
                AND quarantined_by IS NULL AND NOT safe_from_quarantine
            ORDER BY media_id LIMIT $3
            """, [.text(last), .int(limit.milliseconds), .int(count)]
        ) { $0.text(0) }
    }

    /// Whether a picture stands for a person or a room.
    package static func isAvatar(_ uri: ContentURI, on connection: any SQLConnection) throws -> Bool {
        var json = JSONWriter(capacity: 256)
        json.string(uri.string)
        return try connection.exists(
            """
            SELECT 1 FROM profile_fields WHERE field = 'avatar_url' AND value = $1
            UNION ALL SELECT 1 FROM user_directory WHERE avatar_url = $2
            UNION ALL SELECT 1 FROM room_summaries WHERE avatar_url = $2 LIMIT 1
            """, [.blob(json.bytes), .text(uri.string)])
    }

    package static func deleteLocal(_ mediaID: String, on connection: any SQLConnection) throws {
        try connection.enqueue("DELETE FROM media_thumbnails WHERE media_origin = '' AND media_id = $1", [.text(mediaID)])
        try connection.enqueue("DELETE FROM local_media WHERE media_id = $1", [.text(mediaID)])
    }

    package static func deleteRemote(_ mediaID: String, of origin: ServerName, on connection: any SQLConnection) throws {
        let key: [SQLValue] = [.text(origin.string), .text(mediaID)]
        try connection.enqueue("DELETE FROM media_thumbnails WHERE media_origin = $1 AND media_id = $2", key)
        try connection.enqueue("DELETE FROM remote_media WHERE media_origin = $1 AND media_id = $2", key)
    }
}
