// Copies of other servers' media. Server-Server API §Content Repository.

import Federation
import Logging
import MatrixCore
import Persistence
import ServerConfiguration

/// Fetches media of other servers, each once however many ask for it.
final class RemoteMedia: Sendable {
    private struct Key: Hashable {
        let server: ServerName
        let mediaID: String
    }

    private let client: FederationClient
    private let database: any Database
    private let files: MediaFiles
    private let options: MediaConfiguration
    private let thumbnails: MediaThumbnails
    private let rateLimits: RateLimiter
    private let logger: Logger
    private let fetches = SharedFetches<Key, MediaRow>(atOnce: waitingLimit, memory: .zero, capacity: 1)
    /// Servers that are slow hold up their own media, and not those of others.
    private let perServer = KeyedSlots<ServerName>(20)
    private let overall = Slots(200)

    /// Who has not so many bytes left fetches nothing.
    private static let leastBytes = 1 << 20
    private static let idLength = 24
    private static let waitingLimit = 10_000

    init(
        client: FederationClient, database: any Database, files: MediaFiles, options: MediaConfiguration, thumbnails: MediaThumbnails,
        rateLimits: RateLimiter, logger: Logger
    ) {
        self.client = client
        self.database = database
        self.files = files
        self.options = options
        self.thumbnails = thumbnails
        self.rateLimits = rateLimits
        self.logger = logger
    }

    /// A copy that is on this server's disk from now on.
    func fetch(_ mediaID: String, of server: ServerName, for reader: MediaReader) async throws -> MediaRow {
        try await fetches.value(for: Key(server: server, mediaID: mediaID)) { [self] in
            do {
                let media = try await perServer.run(server) {
                    try await overall.run { try await copy(mediaID, of: server, for: reader) }
                }
                thumbnails.prepare(media)
                return .success(media)
            } catch let error as MatrixError {
                return .failure(error)
            } catch let failure as FederationFailure {
                logger.info("a medium could not be fetched", metadata: ["server": "\(server)", "media": "\(mediaID)", "why": "\(failure)"])
                return .failure(Self.error(failure))
            } catch {
                logger.error("a medium could not be stored", metadata: ["server": "\(server)", "media": "\(mediaID)", "error": "\(error)"])
                return .failure(.internalError)
            }
        }
    }

    // MARK: Steps

    private func copy(_ mediaID: String, of server: ServerName, for reader: MediaReader) async throws -> MediaRow {
        let address = ByteString(reader.address)
        try rateLimits.check(.remoteMediaBytes, of: address, cost: Self.leastBytes, isCounted: false)
        var content = try await client.media(mediaID, of: server, patience: reader.patience, byteLimit: options.uploadByteLimit)
        let fileID = SessionToken.randomLetters(Self.idLength)
        guard let path = MediaFile.remote(server, fileID).path else { throw MatrixError.notFound() }
        var file = IncomingFile(files)
        do {
            if let length = content.announcedLength {
                try rateLimits.check(.remoteMediaBytes, of: address, cost: length)
            }
            while let bytes = try await content.next() {
                try await file.append(bytes)
                guard file.length <= options.uploadByteLimit else { throw FederationFailure.tooLarge }
            }
        } catch {
            content.abandon()
            throw error
        }
        if content.announcedLength == nil { rateLimits.note(.remoteMediaBytes, of: address, cost: file.length) }
        let description = MediaContent(
            contentType: ContentDisposition.acceptable(contentType: content.contentType), length: file.length,
            name: content.disposition.flatMap(ContentDisposition.name), sha256: try await file.finish(as: path))
        return try await note(description, as: mediaID, of: server, fileID: fileID, path: path)
    }

    private func note(
        _ content: MediaContent, as mediaID: String, of server: ServerName, fileID: String, path: String
    ) async throws -> MediaRow {
        let isAuthenticated = options.isAuthenticated
        return try await files.keep(path) {
            let row = try await database.write {
                try MediaStore.insertRemote(
                    content, as: mediaID, of: server, fileID: fileID, at: .now, isAuthenticated: isAuthenticated, on: $0)
            }
            guard let row else { throw MatrixError.internalError }
            return row
        }
    }

    /// What our client is told.
    private static func error(_ failure: FederationFailure) -> MatrixError {
        switch failure {
        case .answered(let error) where error.status == 404 || error.errcode == MatrixError.notYetUploaded.errcode: error
        case .notAllowed, .tooLarge: failure.asMatrixError
        case .answered, .paused, .unreachable, .malformed: .unknown("Failed to fetch remote media", status: 502)
        }
    }
}
