// Uploading media. Client-Server API §Content Repository.

import Federation
import Homeserver
import MatrixCore

enum MediaUploadRoutes {
    static let table: [Route] = [
        Route(
            .post, templates: MediaRoutes.deprecated("/upload"), bodyLimit: .max, streamsBody: true, upload),
        Route(.post, "/_matrix/media/v1/create", create),
        Route(
            .put, templates: ["/_matrix/media/v3/upload/{serverName}/{mediaId}"], bodyLimit: .max, streamsBody: true, complete),
    ]

    private static func upload(_ context: APIContext) async throws -> APIResponse {
        let (description, body) = try context.uploaded
        let uri = try await context.media.uploads.upload(description, body, by: context.requester.user)
        return .object { $0.member("content_uri", uri.string) }
    }

    private static func create(_ context: APIContext) async throws -> APIResponse {
        let (uri, expires) = try await context.media.uploads.create(by: context.requester.user)
        return .object { body in
            body.member("content_uri", uri.string)
            body.member("unused_expires_at", expires)
        }
    }

    private static func complete(_ context: APIContext) async throws -> APIResponse {
        guard try context.parameter("serverName") == context.homeserver.serverName.string else {
            throw MatrixError.notFound("Non-local server name specified")
        }
        let (description, body) = try context.uploaded
        try await context.media.uploads.complete(context.parameter("mediaId"), description, body, by: context.requester.user)
        return .empty
    }
}

extension APIContext {
    /// What is uploaded. Its length is announced, so that what is too large is refused before it comes.
    fileprivate var uploaded: (MediaUploads.Description, ByteQueue) {
        get throws(MatrixError) {
            guard let length = request.headers["Content-Length"], let body = request.bodyStream else {
                throw .unknown("Request must specify a Content-Length")
            }
            guard let count = Int(length), count >= 0 else { throw .unknown("Content-Length value is invalid") }
            let description = MediaUploads.Description(
                contentType: request.headers["Content-Type"], name: query("filename"), length: count)
            return (description, body)
        }
    }
}
