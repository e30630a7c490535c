// Migration 27: media of this server, copies of other servers' media, and thumbnails of both.

extension Migration {
    /// What Synapse keeps in `local_media_repository`, `remote_media_cache` and their tables of thumbnails; the content lies in files.
    package static let media = Migration(number: 27, name: "media") { _ in
        [
            // `media_length` NULL: an address that nothing was uploaded to yet. `sha256` in hexadecimal. `url_cache`: the page whose
            // preview it belongs to. `authenticated`: only for those who say who they are.
            """
            CREATE TABLE local_media (
                media_id TEXT NOT NULL PRIMARY KEY,
                user_id TEXT,
                media_type TEXT,
                media_length BIGINT,
                upload_name TEXT,
                sha256 TEXT,
                created_ts BIGINT NOT NULL,
                last_access_ts BIGINT,
                url_cache TEXT,
                quarantined_by TEXT,
                safe_from_quarantine BOOLEAN NOT NULL,
                authenticated BOOLEAN NOT NULL
            )
            """,
            "CREATE INDEX local_media_user ON local_media (user_id, created_ts)",
            "CREATE INDEX local_media_created ON local_media (created_ts)",
            "CREATE INDEX local_media_quarantined ON local_media (sha256) WHERE quarantined_by IS NOT NULL",

            // `filesystem_id`: by which the files are named, whatever the other server calls it.
            """
            CREATE TABLE remote_media (
                media_origin TEXT NOT NULL,
                media_id TEXT NOT NULL,
                filesystem_id TEXT NOT NULL,
                media_type TEXT,
                media_length BIGINT NOT NULL,
                upload_name TEXT,
                sha256 TEXT,
                created_ts BIGINT NOT NULL,
                last_access_ts BIGINT NOT NULL,
                quarantined_by TEXT,
                authenticated BOOLEAN NOT NULL,
                PRIMARY KEY (media_origin, media_id)
            )
            """,
            "CREATE INDEX remote_media_access ON remote_media (last_access_ts)",
            "CREATE INDEX remote_media_quarantined ON remote_media (sha256) WHERE quarantined_by IS NOT NULL",

            // `media_origin` is empty for media of this server. Width and height are those that were asked for: they name the file.
            """
            CREATE TABLE media_thumbnails (
                media_origin TEXT NOT NULL,
                media_id TEXT NOT NULL,
                width INTEGER NOT NULL,
                height INTEGER NOT NULL,
                method TEXT NOT NULL,
                media_type TEXT NOT NULL,
                media_length BIGINT NOT NULL,
                PRIMARY KEY (media_origin, media_id, width, height, method, media_type)
            )
            """,
        ]
    }
}
