// Following threads. MSC4306 and MSC4308.

import Homeserver
import MatrixCore
import Persistence

enum ThreadSubscriptionRoutes {
    private static let one = "/_matrix/client/unstable/io.element.msc4306/rooms/{roomId}/thread/{threadRootId}/subscription"

    static let table: [Route] = [
        Route(.get, one, show),
        Route(.put, one, subscribe),
        Route(.delete, one, unsubscribe),
        Route(.get, "/_matrix/client/unstable/io.element.msc4308/thread_subscriptions", list),
    ]

    /// The most subscriptions of one answer, and how many where the client does not say.
    private static let limits = (most: 512, usual: 100)

    /// As with Synapse, there are no such endpoints where the operator does not want them.
    private static func service(_ context: APIContext) throws(MatrixError) -> ThreadSubscriptionService {
        guard let service = context.homeserver.threadSubscriptions else { throw .unrecognized }
        return service
    }

    private static func show(_ context: APIContext) async throws -> APIResponse {
        guard let isAutomatic = try await service(context).isAutomatic(key(context)) else {
            throw MatrixError.notFound("Not subscribed.")
        }
        return .object { $0.member("automatic", isAutomatic) }
    }

    private static func subscribe(_ context: APIContext) async throws -> APIResponse {
        let service = try service(context)
        let body = try context.body()
        var cause: EventID?
        if try body.optionalString("automatic") != nil { cause = try body.requiredIdentifier("automatic") }
        try await service.subscribe(key(context), because: cause)
        return .empty
    }

    private static func unsubscribe(_ context: APIContext) async throws -> APIResponse {
        try await service(context).unsubscribe(key(context))
        return .empty
    }

    /// The newest first in time, told as maps; `end` continues with the older ones.
    private static func list(_ context: APIContext) async throws -> APIResponse {
        let service = try service(context)
        guard context.query("dir") == "b" else { throw MatrixError.invalidParam("dir must be b") }
        let wanted = try context.queryInt("limit") ?? Int64(limits.usual)
        guard wanted > 0 else { throw MatrixError.invalidParam("limit must be greater than 0") }
        let limit = Int(min(wanted, Int64(limits.most)))
        let newest = context.homeserver.journal.position
        let from = min(try token("from", context) ?? newest, newest)
        let rows = try await service.changes(
            of: try context.requester.user, after: try token("to", context) ?? .zero, upTo: from, limit: limit)
        return .object { body in
            ThreadSubscriptionContent.write(rows, to: &body)
            if rows.count == limit, let last = rows.last { body.member("end", SyncToken(last.position.predecessor).text) }
        }
    }

    /// A sync token, as this endpoint gives out itself; or a position of sliding sync, which ends in one.
    private static func token(_ name: String, _ context: APIContext) throws(MatrixError) -> StreamPosition? {
        guard let text = context.query(name) else { return nil }
        do {
            return try SyncToken(parsing: String(text.split(separator: "/").last ?? "")).position
        } catch {
            throw .invalidParam("`\(name)` is not a valid token")
        }
    }

    private static func key(_ context: APIContext) throws -> ThreadSubscriptionKey {
        ThreadSubscriptionKey(
            user: try context.requester.user, room: try context.roomID("roomId"), root: try context.eventID("threadRootId"))
    }
}
