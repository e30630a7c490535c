// What is given to those who ask for media. Client-Server API §Downloading content, §Content Repository.

import Logging
import MatrixCore
import Persistence
import ServerConfiguration

/// Who asks, and how.
package struct MediaReader: Sendable {
    /// Whether it is known who asks; otherwise only what was stored before media needed that is given.
    package var isKnown: Bool
    /// Of the client.
    package var address: String
    /// How long an upload that is still to come is waited for.
    package var patience: Duration
    /// Whether media of other servers are fetched.
    package var fetchesRemote: Bool

    package static let longestPatience = Duration.seconds(60)
    package static let usualPatience = Duration.seconds(20)

    package init(isKnown: Bool, address: String = "", patience: Duration = usualPatience, fetchesRemote: Bool = true) {
        self.isKnown = isKnown
        self.address = address
        self.patience = min(max(.zero, patience), Self.longestPatience)
        self.fetchesRemote = fetchesRemote
    }
}

/// Content on its way to somebody.
package struct ServedMedia: Sendable {
    package let contentType: String
    package let name: String?
    package let content: StoredContent
}

package final class MediaLibrary: Sendable {
    private let serverName: ServerName
    private let database: any Database
    private let files: MediaFiles
    private let options: MediaConfiguration
    private let pending: PendingUploads
    private let uploads: MediaUploads
    private let remote: RemoteMedia
    private let upkeep: MediaUpkeep
    private let federation: FederationConfiguration
    private let logger: Logger

    init(
        serverName: ServerName, database: any Database, files: MediaFiles, options: MediaConfiguration, pending: PendingUploads,
        uploads: MediaUploads, remote: RemoteMedia, upkeep: MediaUpkeep, federation: FederationConfiguration, logger: Logger
    ) {
        self.serverName = serverName
        self.database = database
        self.files = files
        self.options = options
        self.pending = pending
        self.uploads = uploads
        self.remote = remote
        self.upkeep = upkeep
        self.federation = federation
        self.logger = logger
    }

    /// What is known of a medium that may be given to somebody. One of another server is fetched first.
    ///
    /// - Throws: `M_NOT_FOUND`, also for what may not be given; `M_NOT_YET_UPLOADED`.
    package func find(_ mediaID: String, of server: ServerName, for reader: MediaReader) async throws -> MediaRow {
        guard ContentURI.isValid(mediaID: mediaID) else { throw MatrixError.notFound() }
        let media = server == serverName ? try await local(mediaID, for: reader) : try await copy(mediaID, of: server, for: reader)
        upkeep.noteAccess(media)
        return media
    }

    /// The content of what was found.
    package func content(of media: MediaRow, for reader: MediaReader) async throws -> ServedMedia {
        var media = media
        var content = try await open(media)
        if content == nil, let server = media.origin {
            // A copy can be had again.
            media = try await remote.fetch(media.mediaID, of: server, for: reader)
            guard media.quarantinedBy == nil else { throw MatrixError.notFound() }
            content = try await open(media)
        }
        guard let content else {
            logger.warning("the file of a medium is missing", metadata: ["media": "\(media.mediaID)"])
            throw MatrixError.notFound()
        }
        return ServedMedia(contentType: media.contentType ?? "application/octet-stream", name: media.name, content: content)
    }

    // MARK: Steps

    private func open(_ media: MediaRow) async throws -> StoredContent? {
        guard let path = MediaFile(media).path else { return nil }
        return try await files.open(path)
    }

    private func isHidden(_ media: MediaRow, from reader: MediaReader) -> Bool {
        options.isAuthenticated && media.isAuthenticated && !reader.isKnown
    }

    private func local(_ mediaID: String, for reader: MediaReader) async throws -> MediaRow {
        var media = try await known(mediaID, for: reader)
        guard media.length == nil else { return media }
        if reader.patience > .zero {
            try await pending.wait(for: mediaID, atMost: reader.patience) { try await self.known(mediaID, for: reader).length == nil }
            media = try await known(mediaID, for: reader)
        }
        guard media.length != nil else { throw MatrixError.notYetUploaded }
        return media
    }

    private func known(_ mediaID: String, for reader: MediaReader) async throws -> MediaRow {
        let media = try await database.read { try MediaStore.local(mediaID, on: $0) }
        guard let media, media.quarantinedBy == nil, !uploads.isExpired(media, at: .now), !isHidden(media, from: reader) else {
            throw MatrixError.notFound()
        }
        return media
    }

    private func copy(_ mediaID: String, of server: ServerName, for reader: MediaReader) async throws -> MediaRow {
        guard reader.fetchesRemote, !options.blockedServers.contains(server) else { throw MatrixError.notFound() }
        guard federation.allows(server) else { throw MatrixError.forbidden("Federation denied with \(server).") }
        let known = try await database.read { try MediaStore.remote(mediaID, of: server, on: $0) }
        if let known {
            guard known.quarantinedBy == nil, !isHidden(known, from: reader) else { throw MatrixError.notFound() }
            return known
        }
        // What were fetched now would only be for those who say who they are.
        guard reader.isKnown || !options.isAuthenticated else { throw MatrixError.notFound() }
        let media = try await remote.fetch(mediaID, of: server, for: reader)
        guard media.quarantinedBy == nil else { throw MatrixError.notFound() }
        return media
    }
}
