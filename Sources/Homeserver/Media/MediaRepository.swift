// The content repository, put together. Client-Server API §Content Repository.

import Federation
import Logging
import MatrixCore
import Persistence
import ServerConfiguration

package struct MediaRepository: Sendable {
    package let uploads: MediaUploads
    package let library: MediaLibrary
    package let thumbnails: MediaThumbnails
    package let upkeep: MediaUpkeep
    package let options: MediaConfiguration

    /// - Throws: where the media store cannot be made.
    package init(
        _ configuration: ServerConfiguration, database: any Database, client: FederationClient, rateLimits: RateLimiter, logger: Logger
    ) throws {
        options = configuration.media
        let files = MediaFiles(base: options.storePath)
        try files.prepare()
        let pending = PendingUploads()
        thumbnails = MediaThumbnails(database: database, files: files, options: options, logger: logger)
        upkeep = MediaUpkeep(
            serverName: configuration.serverName, database: database, files: files, options: options, logger: logger)
        uploads = MediaUploads(
            serverName: configuration.serverName, database: database, files: files, options: options, pending: pending,
            thumbnails: thumbnails, rateLimits: rateLimits)
        let remote = RemoteMedia(
            client: client, database: database, files: files, options: options, thumbnails: thumbnails, rateLimits: rateLimits,
            logger: logger)
        library = MediaLibrary(
            serverName: configuration.serverName, database: database, files: files, options: options, pending: pending,
            uploads: uploads, remote: remote, upkeep: upkeep, federation: configuration.federation, logger: logger)
    }
}
