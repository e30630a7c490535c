// Thumbnails that have been made: table `media_thumbnails` (migration 27).

import MatrixCore

/// One thumbnail. Its file is named by all of these but the length.
package struct ThumbnailRow: Sendable, Hashable {
    /// The size that was asked for; the picture is smaller where the image is.
    package var width: Int
    package var height: Int
    /// `crop` or `scale`.
    package var method: String
    package var contentType: String
    /// Bytes.
    package var length: Int

    package init(width: Int, height: Int, method: String, contentType: String, length: Int) {
        self.width = width
        self.height = height
        self.method = method
        self.contentType = contentType
        self.length = length
    }
}

/// Reads and writes thumbnails.
package enum ThumbnailStore {
    /// - Parameter origin: nil for media of this server.
    package static func thumbnails(
        of mediaID: String, from origin: ServerName?, on connection: any SQLConnection
    ) throws -> [ThumbnailRow] {
        try connection.rows(
            """
            SELECT width, height, method, media_type, media_length FROM media_thumbnails
            WHERE media_origin = $1 AND media_id = $2 ORDER BY width, height, method, media_type
            """, [.text(origin?.string ?? ""), .text(mediaID)]
        ) {
            ThumbnailRow(
                width: Int($0.int(0)), height: Int($0.int(1)), method: $0.text(2), contentType: $0.text(3), length: Int($0.int(4)))
        }
    }

    package static func insert(
        _ thumbnails: [ThumbnailRow], of mediaID: String, from origin: ServerName?, on connection: any SQLConnection
    ) throws {
        for row in thumbnails {
            try connection.enqueue(
                """
                INSERT INTO media_thumbnails (media_origin, media_id, width, height, method, media_type, media_length)
                VALUES ($1, $2, $3, $4, $5, $6, $7)
                ON CONFLICT (media_origin, media_id, width, height, method, media_type) DO UPDATE SET media_length = excluded.media_length
                """,
                [
                    .text(origin?.string ?? ""), .text(mediaID), .int(row.width), .int(row.height), .text(row.method),
                    .text(row.contentType), .int(row.length),
                ])
        }
    }
}
