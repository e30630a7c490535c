// What the server speaks. Client-Server API §API Versions.

import Homeserver
import MatrixCore
import ServerConfiguration

enum VersionsRoutes {
    static let table: [Route] = [
        Route(.get, "/_matrix/client/versions", access: .optionalUser, versions)
    ]

    /// Clients choose what they ask for by these: a version stands here when its endpoints that are built answer as it says.
    ///
    /// Synapse stops at 1.15; of 1.16 everything is here (`state_after`, profile fields, `format` of state, room version 12). Of the later
    /// ones much is, and clients find it by the features below or by asking. Whether there is OAuth, a client asks (`/auth_metadata`).
    private static let supported = [
        "r0.0.1", "r0.1.0", "r0.2.0", "r0.3.0", "r0.4.0", "r0.5.0", "r0.6.0", "r0.6.1", "v1.1", "v1.2", "v1.3", "v1.4", "v1.5",
        "v1.6", "v1.7", "v1.8", "v1.9", "v1.10", "v1.11", "v1.12", "v1.13", "v1.14", "v1.15", "v1.16",
    ]

    /// Proposals by the names that clients look for. Only what works is true; what is not named is not there.
    private static let unstableFeatures = [
        // Keys that vouch for each other: older clients ask for it.
        ("org.matrix.e2e_cross_signing", true),
        // Profile fields.
        ("uk.tcpip.msc4133", true),
        ("uk.tcpip.msc4133.stable", true),
        // Private receipts; receipts and counts by thread. Unread counts by thread (MSC3773) have their stable names only, of 1.4.
        ("org.matrix.msc2285.stable", true),
        ("org.matrix.msc3771", true),
        // Threads, and relations through relations.
        ("org.matrix.msc3440.stable", true),
        ("org.matrix.msc3981", true),
        // Aliases of a room; rooms of a type in the directory; rooms in common.
        ("org.matrix.msc2432", true),
        ("org.matrix.msc3827.stable", true),
        ("uk.half-shot.msc2666.query_mutual_rooms", true),
        ("uk.half-shot.msc2666.query_mutual_rooms.stable", true),
        // Account data can be deleted; invites can be blocked.
        ("org.matrix.msc3391", true),
        ("org.matrix.simplified_msc3575", true),
        ("org.matrix.msc4380.stable", true),
        // Redactions by `/send`; the state after the timeline in syncs.
        ("com.beeper.msc4169", true),
        ("org.matrix.msc4222", true),
    ]

    /// Those that the operator decides about.
    private static func features(by configuration: ServerConfiguration) -> [(String, Bool)] {
        let encryption = configuration.encryptionEnabledByDefault
        return [
            ("org.matrix.msc4306", configuration.hasThreadSubscriptions),
            ("org.matrix.msc4140", configuration.maxEventDelay > .zero),
            ("org.matrix.msc4143", !configuration.rtcTransports.isEmpty),
            ("org.matrix.msc4108", configuration.login.rendezvous.isEnabled || configuration.login.rendezvous.delegationEndpoint != nil),
            ("io.element.msc4388", configuration.login.rendezvous.mode != .off),
            ("io.element.e2ee_forced.public", encryption == .all),
            ("io.element.e2ee_forced.private", encryption != .off),
            ("io.element.e2ee_forced.trusted_private", encryption != .off),
        ]
    }

    private static func versions(_ context: APIContext) -> APIResponse {
        let features = unstableFeatures + features(by: context.homeserver.configuration)
        var response = APIResponse.object(capacity: 2048) { body in
            body.member("versions", supported)
            body.member(
                "unstable_features", object: { writer in for (name, isSupported) in features { writer.member(name, isSupported) } })
        }
        response.headers.append(("Vary", "Authorization"))
        if context.optionalRequester == nil {
            response.headers.append(("Cache-Control", "public, max-age=600, s-maxage=3600, stale-while-revalidate=600"))
        }
        return response
    }
}
