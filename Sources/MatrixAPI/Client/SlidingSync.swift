// Simplified sliding sync. MSC4186, under the name that Synapse and today's clients use.

import Homeserver
import MatrixCore

enum SlidingSyncRoutes {
    static let table: [Route] = [
        .client(.post, "/org.matrix.simplified_msc3575/sync", versions: ["unstable"], bodyLimit: 1 << 20, deed: .sync, sync)
    ]

    @Sendable private static func sync(_ context: APIContext) async throws -> APIResponse {
        let requester = try context.requester
        let timeout = try context.queryInt("timeout") ?? 0
        guard timeout >= 0 else { throw MatrixError.invalidParam("Query parameter timeout must not be negative") }
        let presence = try SyncRoutes.presence(context.query("set_presence"))
        var request = SlidingSyncRequest(user: requester.user, device: requester.device)
        request.timeout = .milliseconds(timeout)
        request.position = try context.query("pos").map { text throws(MatrixError) in try SlidingSyncPosition(parsing: text) }
        try request.read(try context.body(), context.homeserver.slidingConnections.requiredStates)

        await context.homeserver.serverNotices?.willSync(requester)
        let asked = request
        let body = try await context.homeserver.presence.whileSyncing(requester, as: presence, limits: context.homeserver.rateLimits) {
            try await context.homeserver.slidingSync.sync(asked)
        }
        return .json(bytes: body)
    }
}
