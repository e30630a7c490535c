// What calls go over. Client-Server API §Voice over IP.

import Homeserver
import MatrixCore

enum VoIPRoutes {
    static let table: [Route] = [
        .client(.get, "/voip/turnServer", legacy: true, turnServer),
        // MSC4143.
        .client(.get, "/org.matrix.msc4143/rtc/transports", versions: ["unstable"], rtcTransports),
    ]

    private static func turnServer(_ context: APIContext) async throws -> APIResponse {
        let requester = try context.requester
        let options = context.homeserver.configuration.turn
        guard !requester.isGuest || options.allowsGuests else { throw MatrixError.guestForbidden }
        guard let credentials = TurnCredentials(for: requester.user, options: options, now: .now) else { return .empty }
        return .object { body in
            body.member("username", credentials.username)
            body.member("password", credentials.password)
            body.member("ttl", credentials.lifetime)
            body.member("uris", credentials.uris)
        }
    }

    /// For calls of many. Clients that find no such endpoint look for transports elsewhere, so there is none where none are configured.
    private static func rtcTransports(_ context: APIContext) throws -> APIResponse {
        let transports = context.homeserver.configuration.rtcTransports
        guard !transports.isEmpty else { throw MatrixError.unrecognized }
        return .object { $0.member("rtc_transports", .array(transports)) }
    }
}
