// Events that relate to others, and threads. Client-Server API §Relationships API, §Querying threads in a room.

import Homeserver
import MatrixCore
import Persistence
import Rooms

enum RelationRoutes {
    static let table: [Route] = [
        .client(.get, "/rooms/{roomId}/relations/{eventId}", versions: ["v1", "unstable"], relations),
        .client(.get, "/rooms/{roomId}/relations/{eventId}/{relType}", versions: ["v1", "unstable"], relations),
        .client(.get, "/rooms/{roomId}/relations/{eventId}/{relType}/{eventType}", versions: ["v1", "unstable"], relations),
        .client(.get, "/rooms/{roomId}/threads", versions: ["v1"], threads),
    ]

    private static func relations(_ context: APIContext) async throws -> APIResponse {
        var request = RelationsRequest(parent: try context.eventID("eventId"), limit: try context.limitQuery(default: 5))
        request.relType = try type("relType", context)
        request.eventType = try type("eventType", context)
        guard let direction = RoomHistory.Direction(rawValue: context.query("dir") ?? "b") else {
            throw MatrixError.invalidParam("Query parameter dir must be one of [\"b\", \"f\"]")
        }
        request.direction = direction
        request.from = try context.positionQuery("from")
        request.to = try context.positionQuery("to")
        request.recurses = try context.queryBool("recurse") ?? context.queryBool("org.matrix.msc3981.recurse") ?? false

        let page = try await context.homeserver.history.relations(request, in: try await context.roomView)
        let viewer = try context.viewer, now = Timestamp.now
        return .object(capacity: 256 + page.events.count * 700) { writer in
            writer.member("chunk", page.events, for: viewer, now: now)
            if let next = page.next { writer.member("next_batch", SyncToken(next).text) }
            if let from = request.from { writer.member("prev_batch", SyncToken(from).text) }
            if request.recurses { writer.member("recursion_depth", RelationStore.recursionDepth) }
        }
    }

    /// A parameter of the path that not every form of it has.
    private static func type(_ name: String, _ context: APIContext) throws -> ByteString? {
        guard context.hasParameter(name) else { return nil }
        let text = try context.parameter(name)
        guard !text.utf8.contains(0) else { throw MatrixError.invalidParam("\(name) must not hold U+0000") }
        return ByteString(text)
    }

    private static func threads(_ context: APIContext) async throws -> APIResponse {
        let include = context.query("include") ?? "all"
        guard include == "all" || include == "participated" else {
            throw MatrixError.invalidParam("Query parameter include must be one of [\"all\", \"participated\"]")
        }
        let limit = try context.limitQuery(default: 5)
        let from = try context.positionQuery("from")
        let page = try await context.homeserver.history.threads(
            in: try await context.roomView, participatedOnly: include == "participated", before: from, limit: limit)
        let viewer = try context.viewer, now = Timestamp.now
        return .object(capacity: 256 + page.events.count * 1400) { writer in
            writer.member("chunk", page.events, for: viewer, now: now)
            if let next = page.next { writer.member("next_batch", SyncToken(next).text) }
        }
    }
}
