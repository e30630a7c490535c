// Media of this server, for other servers. Server-Server API §Content Repository.

import Federation
import Homeserver
import MatrixCore

enum FederationMediaRoutes {
    static let table: [Route] = [
        .federation(.get, "/media/download/{mediaId}", download),
        .federation(.get, "/media/thumbnail/{mediaId}", thumbnail),
    ]

    private static let boundaryLength = 32

    private static func download(_ context: APIContext) async throws -> APIResponse {
        let library = try context.media.library
        let reader = try context.mediaReader
        let media = try await library.find(context.parameter("mediaId"), of: context.homeserver.serverName, for: reader)
        if context.hasCachedMedia { return .mediaUnchanged }
        return enveloped(try await library.content(of: media, for: reader))
    }

    private static func thumbnail(_ context: APIContext) async throws -> APIResponse {
        let repository = try context.media
        let request = try context.thumbnailRequest
        let media = try await repository.library.find(
            context.parameter("mediaId"), of: context.homeserver.serverName, for: context.mediaReader)
        if context.hasCachedMedia { return .mediaUnchanged }
        return enveloped(try await repository.thumbnails.thumbnail(of: media, for: request))
    }

    /// A part with what is to be said about the medium, nothing so far, and one with its content.
    private static func enveloped(_ media: ServedMedia) -> APIResponse {
        let envelope = MultipartEnvelope(
            headers: [
                ("Content-Type", media.contentType),
                ("Content-Disposition", ContentDisposition.header(contentType: media.contentType, name: media.name)),
            ], boundary: SessionToken.randomLetters(boundaryLength))
        var response = APIResponse(contentType: envelope.contentType, headers: APIResponse.mediaCaching, body: [])
        switch media.content {
        case .bytes(let bytes): response.body = envelope.prefix + bytes + envelope.suffix
        case .file(let file):
            let pieces = EnvelopedFile(envelope, file)
            let length = envelope.prefix.count + file.length + envelope.suffix.count
            response.stream = ResponseStream(length: length) { try await pieces.next() }
        }
        return response
    }
}

/// The pieces of a large medium in its envelope; one task asks for them.
private actor EnvelopedFile {
    private let envelope: MultipartEnvelope
    private let file: StoredFile
    private var isBegun = false
    private var isEnded = false

    init(_ envelope: MultipartEnvelope, _ file: StoredFile) {
        self.envelope = envelope
        self.file = file
    }

    func next() async throws -> [UInt8]? {
        guard isBegun else {
            isBegun = true
            return envelope.prefix
        }
        guard !isEnded else { return nil }
        if let piece = try await file.next() { return piece }
        isEnded = true
        return envelope.suffix
    }
}
