// The content repository: where media are, how large they may be, how long they are kept. Client-Server API §Content Repository.

import MatrixCore

package struct MediaConfiguration: Sendable {
    /// `enable_media_repo`: whether this server keeps media at all.
    package var isEnabled = true
    /// `media_store_path`.
    package var storePath = "media_store"
    /// `enable_authenticated_media`: what is stored from now on is only for those who say who they are.
    package var isAuthenticated = true
    /// `max_upload_size`, in bytes; also what is fetched from other servers is not larger.
    package var uploadByteLimit = 50 << 20
    /// `max_image_pixels`: of an image with as many, no thumbnail is made.
    package var pixelLimit = 32 << 20
    /// `dynamic_thumbnails`: thumbnails of any size are made when they are asked for.
    package var makesAnySize = false
    /// `thumbnail_sizes`.
    package var thumbnailSizes = ThumbnailSize.standard
    /// `max_pending_media_uploads`: how many addresses of media a user may have that nothing was uploaded to.
    package var pendingUploadLimit = 5
    /// `unused_expiration_time`: how long such an address waits for its upload.
    package var unusedLifetime = Duration.seconds(86_400)
    /// `media_upload_limits`: how much a user may upload in some time.
    package var uploadLimits: [UploadLimit] = []
    /// `prevent_media_downloads_from`: servers whose media nobody here sees.
    package var blockedServers: Set<ServerName> = []
    /// `media_retention`: media that nobody has looked at for so long are deleted; nil: none is.
    package var localLifetime: Duration?
    package var remoteLifetime: Duration?

    package init() {}

    package struct UploadLimit: Sendable, Equatable {
        package var period: Duration
        package var bytes: Int

        package init(period: Duration, bytes: Int) {
            self.period = period
            self.bytes = bytes
        }
    }
}

/// How a thumbnail is cut from an image. Client-Server API §Thumbnails.
package enum ThumbnailMethod: String, Sendable, CaseIterable {
    case crop, scale
}

/// A thumbnail that is made of every image.
package struct ThumbnailSize: Sendable, Hashable {
    package var width: Int
    package var height: Int
    package var method: ThumbnailMethod

    package init(_ width: Int, _ height: Int, _ method: ThumbnailMethod) {
        self.width = width
        self.height = height
        self.method = method
    }

    /// Those that the specification recommends.
    package static let standard = [
        ThumbnailSize(32, 32, .crop), ThumbnailSize(96, 96, .crop), ThumbnailSize(320, 240, .scale), ThumbnailSize(640, 480, .scale),
        ThumbnailSize(800, 600, .scale),
    ]

    /// The longest side that is made.
    package static let sideLimit = 10_000
}
