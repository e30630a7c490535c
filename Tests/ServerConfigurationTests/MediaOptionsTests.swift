// The options of the content repository.

import MatrixCore
import ServerConfiguration
import Testing

@Suite struct MediaOptionsTests {
    @Test("limits, sizes and lifetimes")
    func values() throws {
        let configuration = try settings(
            """
            enable_authenticated_media: false
            media_store_path: /var/media
            max_upload_size: 10M
            max_image_pixels: 1M
            dynamic_thumbnails: true
            thumbnail_sizes: [{width: 64, height: 48, method: crop}]
            max_pending_media_uploads: 2
            unused_expiration_time: 1h
            media_upload_limits: [{time_period: 1d, max_size: 100M}]
            prevent_media_downloads_from: [evil.example, "evil.example:8448"]
            media_retention: {local_media_lifetime: 90d, remote_media_lifetime: 14d}
            remote_media_download_per_second: 1K
            remote_media_download_burst_count: 2M
            """)
        let media = configuration.media
        #expect(
            !media.isAuthenticated && media.storePath == "/var/media" && media.uploadByteLimit == 10 << 20 && media.pixelLimit == 1 << 20)
        #expect(media.makesAnySize && media.thumbnailSizes == [ThumbnailSize(64, 48, .crop)])
        #expect(media.pendingUploadLimit == 2 && media.unusedLifetime == .seconds(3600))
        #expect(media.uploadLimits == [.init(period: .seconds(86_400), bytes: 100 << 20)])
        #expect(media.blockedServers == [ServerName(trusted: "evil.example"), ServerName(trusted: "evil.example:8448")])
        #expect(media.localLifetime == .seconds(90 * 86_400) && media.remoteLifetime == .seconds(14 * 86_400))
        #expect(configuration.rateLimits.remoteMediaBytes == RateLimit(1024, 2 << 20))
        let plain = try settings("").media
        #expect(plain.isEnabled && plain.isAuthenticated && plain.thumbnailSizes.count == 5 && plain.localLifetime == nil)
    }

    @Test(
        "what cannot be meant is an error",
        arguments: [
            "thumbnail_sizes: [{width: 0, height: 1, method: crop}]", "thumbnail_sizes: [{width: 1, height: 1, method: stretch}]",
            "thumbnail_sizes: 5", "media_upload_limits: [{time_period: 1d}]", "prevent_media_downloads_from: [\"no server\"]",
            "media_retention: {local_media_lifetime: soon}", "max_pending_media_uploads: -1", "remote_media_download_per_second: fast",
        ])
    func errors(text: String) throws {
        let result = try read(text)
        #expect(result.configuration == nil && result.errors.count == 1)
    }
}
