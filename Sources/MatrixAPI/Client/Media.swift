// Media to look at. Client-Server API §Content Repository, and its deprecated endpoints, which do not ask who it is for.

import Homeserver
import MatrixCore
import Persistence
import ServerConfiguration

enum MediaRoutes {
    /// What is served of `routes`: nothing of this where the server keeps no media.
    static func select(from routes: [Route], for configuration: ServerConfiguration) -> [Route] {
        guard !configuration.media.isEnabled else { return routes }
        return routes.filter { !$0.templates[0].contains("/media/") }
    }

    static let table: [Route] = [
        Route(.get, "/_matrix/client/v1/media/config", config),
        Route(.get, "/_matrix/client/v1/media/download/{serverName}/{mediaId}", download),
        Route(.get, "/_matrix/client/v1/media/download/{serverName}/{mediaId}/{fileName}", download),
        Route(.get, "/_matrix/client/v1/media/thumbnail/{serverName}/{mediaId}", thumbnail),
        Route(.get, templates: deprecated("/config"), config),
        Route(.get, templates: deprecated("/download/{serverName}/{mediaId}"), access: .open, download),
        Route(.get, templates: deprecated("/download/{serverName}/{mediaId}/{fileName}"), access: .open, download),
        Route(.get, templates: deprecated("/thumbnail/{serverName}/{mediaId}"), access: .open, thumbnail),
    ]

    /// Under the prefixes of before media were for those only who say who they are.
    static func deprecated(_ path: String) -> [String] { ["v3", "r0", "v1"].map { "/_matrix/media/\($0)\(path)" } }

    private static func config(_ context: APIContext) throws -> APIResponse {
        let limit = try context.media.options.uploadByteLimit
        return .object { $0.member("m.upload.size", Int64(limit)) }
    }

    private static func download(_ context: APIContext) async throws -> APIResponse {
        let library = try context.media.library
        let name = context.hasParameter("fileName") ? ContentDisposition.acceptable(name: try context.parameter("fileName")) : nil
        let reader = try context.mediaReader
        let media = try await library.find(context.parameter("mediaId"), of: context.mediaServer, for: reader)
        if context.hasCachedMedia { return .mediaUnchanged }
        return .media(try await library.content(of: media, for: reader), name: name)
    }

    private static func thumbnail(_ context: APIContext) async throws -> APIResponse {
        let repository = try context.media
        let request = try context.thumbnailRequest
        let reader = try context.mediaReader
        let media = try await repository.library.find(context.parameter("mediaId"), of: context.mediaServer, for: reader)
        if context.hasCachedMedia { return .mediaUnchanged }
        return .media(try await repository.thumbnails.thumbnail(of: media, for: request))
    }
}

extension APIContext {
    /// - Throws: `M_UNRECOGNIZED` where this server keeps no media.
    var media: MediaRepository {
        get throws(MatrixError) {
            guard let media = homeserver.media else { throw .unrecognized }
            return media
        }
    }

    /// `{serverName}`.
    fileprivate var mediaServer: ServerName {
        get throws(MatrixError) {
            let text = try parameter("serverName")
            do { return try ServerName(parsing: text) } catch { throw .invalidParam("serverName: \(text) is not a valid server name") }
        }
    }

    /// Who asks for a medium. Whoever may use the endpoint of a user or a server is known.
    var mediaReader: MediaReader {
        get throws(MatrixError) {
            let isKnown = optionalRequester != nil || isFromServer
            let patience = try queryInt("timeout_ms").map { Duration.milliseconds($0) }
            let allowsRemote = try queryBool("allow_remote") ?? true
            return MediaReader(
                isKnown: isKnown, address: request.remoteAddress, patience: patience ?? MediaReader.usualPatience,
                fetchesRemote: isKnown || allowsRemote)
        }
    }

    /// The size and kind of thumbnail that is asked for.
    var thumbnailRequest: ThumbnailRequest {
        get throws(MatrixError) {
            guard let width = try queryInt("width"), let height = try queryInt("height") else {
                throw .missingParam("Missing query parameter width or height")
            }
            guard width >= 0, height >= 0 else { throw .invalidParam("Query parameters width and height must not be negative") }
            guard let method = ThumbnailMethod(rawValue: query("method")?.lowercased() ?? "scale") else {
                throw .invalidParam("Query parameter method must be one of [\"crop\", \"scale\"]")
            }
            return ThumbnailRequest(width: width, height: height, method: method, isAnimated: try queryBool("animated") ?? false)
        }
    }

    /// Whether the caller has it already. Media never change, so they all have the same tag.
    var hasCachedMedia: Bool { request.headers["If-None-Match"] == APIResponse.mediaTag }
}

extension APIResponse {
    static let mediaTag = "1"

    /// Kept for a day by who has asked; others ask again whether they may have it.
    static let mediaCaching: [(name: String, value: String)] = [
        ("Cache-Control", "public,max-age=86400,s-maxage=0,proxy-revalidate"), ("ETag", mediaTag),
    ]

    /// What keeps a medium from doing anything in the name of this server.
    private static let mediaProtection: [(name: String, value: String)] = [
        (
            "Content-Security-Policy",
            "sandbox; default-src 'none'; script-src 'none'; plugin-types application/pdf; style-src 'unsafe-inline'; media-src 'self'; "
                + "object-src 'self';"
        ),
        ("X-Content-Security-Policy", "sandbox;"), ("X-Content-Type-Options", "nosniff"), ("Referrer-Policy", "no-referrer"),
        ("Cross-Origin-Resource-Policy", "cross-origin"), ("X-Robots-Tag", "noindex, nofollow, noarchive, noimageindex"),
    ]

    static let mediaUnchanged = APIResponse(status: 304, headers: mediaCaching, body: [])

    /// - Parameter name: in place of the one it was uploaded with.
    static func media(_ media: ServedMedia, name: String? = nil) -> APIResponse {
        let disposition = ContentDisposition.header(contentType: media.contentType, name: name ?? media.name)
        var response = APIResponse(
            contentType: ContentDisposition.contentType(media.contentType),
            headers: [("Content-Disposition", disposition)] + mediaCaching + mediaProtection, body: [])
        switch media.content {
        case .bytes(let bytes): response.body = bytes
        case .file(let file): response.stream = ResponseStream(length: file.length) { try await file.next() }
        }
        return response
    }
}
