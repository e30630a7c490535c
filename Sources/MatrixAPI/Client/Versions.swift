// What the server speaks. Client-Server API §API Versions.

import Homeserver
import MatrixCore

enum VersionsRoutes {
    static let table: [Route] = [
        Route(.get, "/_matrix/client/versions", access: .optionalUser, versions)
    ]

    /// Clients choose what they ask for by these: a version stands here when its endpoints that are built answer as it says.
    private static let supported = [
        "r0.0.1", "r0.1.0", "r0.2.0", "r0.3.0", "r0.4.0", "r0.5.0", "r0.6.0", "r0.6.1", "v1.1", "v1.2", "v1.3", "v1.4", "v1.5",
        "v1.6", "v1.7", "v1.8", "v1.9", "v1.10", "v1.11", "v1.12",
    ]

    /// Proposals by the names that clients look for. Only what works is true.
    private static let unstableFeatures = [
        ("uk.tcpip.msc4133", true),
        ("uk.tcpip.msc4133.stable", true),
        ("org.matrix.msc2285.stable", true),
    ]

    /// The answer depends on nothing: it is made once.
    private static let body: [UInt8] = {
        var writer = JSONWriter(capacity: 1024)
        writer.object { body in
            body.member("versions", supported)
            body.member(
                "unstable_features",
                object: { features in
                    for (name, isSupported) in unstableFeatures { features.member(name, isSupported) }
                })
        }
        return writer.bytes
    }()

    private static func versions(_ context: APIContext) -> APIResponse {
        var response = APIResponse.json(bytes: body)
        response.headers.append(("Vary", "Authorization"))
        if context.optionalRequester == nil {
            response.headers.append(("Cache-Control", "public, max-age=600, s-maxage=3600, stale-while-revalidate=600"))
        }
        return response
    }
}
