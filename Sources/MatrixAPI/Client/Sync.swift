// Sync. Client-Server API §Syncing, GET /_matrix/client/v3/sync.

import Homeserver
import MatrixCore

enum SyncRoutes {
    static let table: [Route] = [
        .client(.get, "/sync", deed: .sync, sync)
    ]

    @Sendable private static func sync(_ context: APIContext) async throws -> APIResponse {
        let requester = try context.requester
        if context.query("from") != nil {
            throw MatrixError.unknown("'from' is not a valid query parameter. Did you mean 'since'?", status: 400)
        }
        let presence = try presence(context.query("set_presence"))
        let timeout = try context.queryInt("timeout") ?? 0
        guard timeout >= 0 else { throw MatrixError.invalidParam("Query parameter timeout must not be negative") }
        let since = try context.query("since").map { text throws(MatrixError) in try SyncToken(parsing: text) }
        let filter = try await context.homeserver.sync.filter(context.query("filter"), of: requester.user)

        var request = SyncRequest(user: requester.user, device: requester.device, since: since, filter: filter)
        request.wantsFullState = try context.queryBool("full_state") ?? false
        request.usesStateAfter = try context.queryBool("use_state_after") ?? false
        if !request.usesStateAfter, try context.queryBool("org.matrix.msc4222.use_state_after") ?? false {
            request.usesStateAfter = true
            request.stateAfterName = "org.matrix.msc4222.state_after"
        }
        request.timeout = .milliseconds(timeout)
        await context.homeserver.serverNotices?.willSync(requester)
        let body = try await context.homeserver.presence.whileSyncing(requester, as: presence, limits: context.homeserver.rateLimits) {
            try await context.homeserver.sync.sync(request)
        }
        return .json(bytes: body)
    }

    static func presence(_ name: String?) throws(MatrixError) -> PresenceState {
        guard let name else { return .online }
        guard let state = PresenceState(rawValue: name) else {
            throw .invalidParam("Query parameter 'set_presence' must be one of ['offline', 'online', 'unavailable']")
        }
        return state
    }
}
