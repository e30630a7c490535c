// Where clients find the server that gives out their tokens. Client-Server API §OAuth 2.0 API, §Server metadata discovery.

import Homeserver
import MatrixCore

enum AuthMetadataRoutes {
    static let table: [Route] = [
        .client(.get, "/auth_metadata", versions: ["v1"], access: .open, metadata),
        // MSC2965, as it was, and as it was before that.
        .client(.get, "/org.matrix.msc2965/auth_metadata", versions: ["unstable"], access: .open, metadata),
        .client(.get, "/org.matrix.msc2965/auth_issuer", versions: ["unstable"], access: .open, issuer),
        .client(.get, "/auth/m.oauth/fallback/web", access: .open, crossSigningReset),
        .client(.get, "/auth/org.matrix.cross_signing_reset/fallback/web", access: .open, crossSigningReset),
    ]

    /// Ten minutes in browsers, an hour in proxies, as Synapse has it.
    private static let caching = (name: "Cache-Control", value: "public, max-age=600, s-maxage=3600, stale-while-revalidate=600")

    private static func metadata(_ context: APIContext) async throws -> APIResponse {
        let metadata = try await service(context).authorizationMetadata()
        return APIResponse(headers: [caching], body: Array(metadata.bytes))
    }

    private static func issuer(_ context: APIContext) async throws -> APIResponse {
        let metadata = try await service(context).authorizationMetadata()
        var response = APIResponse.object { $0.member("issuer", metadata["issuer"]?.string ?? "") }
        response.headers.append(caching)
        return response
    }

    private static func crossSigningReset(_ context: APIContext) async throws -> APIResponse {
        .redirect(to: try await service(context).crossSigningResetURL())
    }

    private static func service(_ context: APIContext) throws(MatrixError) -> AuthenticationService {
        guard let service = context.homeserver.authenticationService else { throw .unrecognized }
        return service
    }
}
