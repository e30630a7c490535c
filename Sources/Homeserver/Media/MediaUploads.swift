// What users upload. Client-Server API §Uploading content.

import Federation
import Logging
import MatrixCore
import Persistence
import Rooms
import ServerConfiguration

package final class MediaUploads: Sendable {
    /// What a client says about what it uploads.
    package struct Description: Sendable {
        package var contentType: String
        package var name: String?
        /// Bytes.
        package var length: Int

        package init(contentType: String?, name: String?, length: Int) {
            self.contentType = ContentDisposition.acceptable(contentType: contentType)
            self.name = ContentDisposition.acceptable(name: name)
            self.length = length
        }
    }

    private let serverName: ServerName
    private let database: any Database
    private let files: MediaFiles
    private let options: MediaConfiguration
    private let pending: PendingUploads
    private let thumbnails: MediaThumbnails
    private let rateLimits: RateLimiter
    private let noting = KeyedQueue<UserID>()

    /// Letters of an ID, as Synapse's.
    private static let idLength = 24

    init(
        serverName: ServerName, database: any Database, files: MediaFiles, options: MediaConfiguration, pending: PendingUploads,
        thumbnails: MediaThumbnails, rateLimits: RateLimiter
    ) {
        self.serverName = serverName
        self.database = database
        self.files = files
        self.options = options
        self.pending = pending
        self.thumbnails = thumbnails
        self.rateLimits = rateLimits
    }

    /// Gives out an address for an upload that comes later.
    ///
    /// - Returns: the address, and until when it waits.
    package func create(by user: UserID) async throws -> (uri: ContentURI, expires: Timestamp) {
        try rateLimits.check(.mediaCreate, of: user.text)
        let now = Timestamp.now
        let lifetime = options.unusedLifetime.milliseconds
        let id = SessionToken.randomLetters(Self.idLength)
        let (limit, isAuthenticated) = (RateLimiter.isSpared ? .max : options.pendingUploadLimit, options.isAuthenticated)
        let oldest = try await database.write { connection -> Timestamp? in
            let pending = try MediaStore.pending(by: user, since: now.advanced(byMilliseconds: -lifetime), on: connection)
            guard pending.count < limit else { return pending.oldest ?? now }
            try MediaStore.insertPending(id, by: user, at: now, isAuthenticated: isAuthenticated, on: connection)
            return nil
        }
        if let oldest {
            throw MatrixError.limitExceeded(retryAfterMs: max(0, oldest.milliseconds + lifetime - now.milliseconds))
        }
        return (ContentURI(server: serverName, mediaID: id), now.advanced(byMilliseconds: lifetime))
    }

    /// Takes an upload. What is acknowledged is on the disk.
    package func upload(_ description: Description, _ body: ByteQueue, by user: UserID) async throws -> ContentURI {
        try await checkSize(description, of: user)
        let id = SessionToken.randomLetters(Self.idLength)
        let isAuthenticated = options.isAuthenticated
        try await store(description, body, as: id, by: user) { content, now, connection in
            try MediaStore.insert(content, as: id, by: user, at: now, isAuthenticated: isAuthenticated, on: connection)
            return true
        }
        return ContentURI(server: serverName, mediaID: id)
    }

    /// Takes the upload to an address that was given out before.
    package func complete(_ mediaID: String, _ description: Description, _ body: ByteQueue, by user: UserID) async throws {
        guard ContentURI.isValid(mediaID: mediaID) else { throw MatrixError.notFound("Unknown media ID") }
        guard pending.begin(mediaID) else { throw MatrixError.cannotOverwriteMedia }
        defer { pending.end(mediaID) }
        let media = try await database.read { try MediaStore.local(mediaID, on: $0) }
        guard let media else { throw MatrixError.notFound("Unknown media ID") }
        guard media.user == user else { throw MatrixError.forbidden("Only the creator of the media ID can upload to it") }
        guard media.length == nil else { throw MatrixError.cannotOverwriteMedia }
        guard !isExpired(media, at: .now) else { throw MatrixError.notFound("Media ID has expired") }
        try await checkSize(description, of: user)
        try await store(description, body, as: mediaID, by: user) { content, _, connection in
            try MediaStore.complete(content, as: mediaID, on: connection)
        }
        pending.arrived(mediaID)
    }

    /// Whether an address has waited too long for its upload.
    func isExpired(_ media: MediaRow, at now: Timestamp) -> Bool {
        media.length == nil && media.created.milliseconds < now.milliseconds - options.unusedLifetime.milliseconds
    }

    // MARK: Steps

    private func checkSize(_ description: Description, of user: UserID) async throws {
        guard description.length <= options.uploadByteLimit else { throw MatrixError.tooLarge("Upload request body is too large") }
        guard !options.uploadLimits.isEmpty else { return }
        let now = Timestamp.now
        let isWithin = try await database.read { [limits = options.uploadLimits] in
            try Self.isWithin(limits, description.length, by: user, at: now, on: $0)
        }
        guard isWithin else { throw Self.limitExceeded }
    }

    private static let limitExceeded = MatrixError(
        status: 400, errcode: "M_RESOURCE_LIMIT_EXCEEDED", message: "Media upload limit exceeded")

    private static func isWithin(
        _ limits: [MediaConfiguration.UploadLimit], _ length: Int, by user: UserID, at now: Timestamp, on connection: any SQLConnection
    ) throws -> Bool {
        try limits.allSatisfy { limit in
            let start = now.advanced(byMilliseconds: -limit.period.milliseconds)
            return try MediaStore.uploadedBytes(by: user, since: start, on: connection) + length <= limit.bytes
        }
    }

    private func store(
        _ description: Description, _ body: ByteQueue, as id: String, by user: UserID,
        note: @escaping @Sendable (MediaContent, Timestamp, any SQLConnection) throws -> Bool
    ) async throws {
        guard let path = MediaFile.local(id).path else { throw MatrixError.notFound("Unknown media ID") }
        var file = IncomingFile(files)
        do {
            while let bytes = try await body.next() { try await file.append(bytes) }
        } catch is ByteQueue.Lost {
            throw MatrixError.unknown("The upload ended early")
        }
        guard file.length == description.length else { throw MatrixError.unknown("The upload is not as long as announced") }
        let content = MediaContent(
            contentType: description.contentType, length: file.length, name: description.name, sha256: try await file.finish(as: path))
        let limits = options.uploadLimits
        try await files.keep(path) {
            // One of the user's uploads after the other, so that each sees what the others came to.
            try await noting.run(user) {
                try await database.write { connection in
                    let now = Timestamp.now
                    guard try Self.isWithin(limits, content.length, by: user, at: now, on: connection) else { throw Self.limitExceeded }
                    guard try note(content, now, connection) else { throw MatrixError.cannotOverwriteMedia }
                }
            }
        }
        var media = MediaRow(mediaID: id, fileID: id, created: .now, isAuthenticated: options.isAuthenticated)
        media.contentType = content.contentType
        thumbnails.prepare(media)
    }
}
