// What came before events that a server knows. Server-Server API §Backfilling and retrieving missing events.

import Federation
import Homeserver
import MatrixCore

enum BackfillRoutes {
    static let table: [Route] = [
        .federation(.get, "/backfill/{roomId}", backfill),
        .federation(.post, "/get_missing_events/{roomId}", missingEvents),
    ]

    /// So many events are started from at most.
    private static let startLimit = 100

    private static func backfill(_ context: APIContext) async throws -> APIResponse {
        let start = try events(context.queryAll("v"), named: "v")
        guard !start.isEmpty else { throw MatrixError.missingParam("Missing query parameter v") }
        guard let limit = try context.queryInt("limit") else { throw MatrixError.missingParam("Missing query parameter limit") }
        guard limit > 0 else { throw MatrixError.invalidParam("Query parameter limit must be positive") }
        let served = context.homeserver.federatedRooms.served
        return context.transaction(
            try await served.events(
                upTo: start, in: context.servedRoom, limit: Int(min(limit, Int64(ServedRooms.backfillLimit)))))
    }

    private static func missingEvents(_ context: APIContext) async throws -> APIResponse {
        let body = try context.body()
        let limit = try body.optionalInt("limit") ?? 10
        guard limit >= 0 else { throw MatrixError.invalidParam("limit must not be negative") }
        let request = MissingEventsRequest(
            earliest: try (body.optionalStrings("earliest_events") ?? []).map { EventID(trusted: $0) },
            latest: try events(body.optionalStrings("latest_events") ?? [], named: "latest_events"),
            limit: Int(min(limit, Int64(ServedRooms.missingEventsLimit))), minimumDepth: try body.optionalInt("min_depth") ?? 0)
        let events = try await context.homeserver.federatedRooms.served.missingEvents(request, in: context.servedRoom)
        return .object(capacity: events.reduce(64) { $0 + $1.count + 1 }) { body in
            body.member("events", array: { list in for event in events { list.raw(event) } })
        }
    }

    /// What is no event ID names no event.
    private static func events(_ ids: [String], named name: String) throws(MatrixError) -> [EventID] {
        guard ids.count <= startLimit else { throw .invalidParam("\(name): not more than \(startLimit) events at once") }
        return ids.compactMap { EventID(valid: $0) }
    }
}
