// Reading what was said in rooms. Client-Server API §Getting events for a room.

import Homeserver
import MatrixCore
import Persistence
import Rooms

enum RoomHistoryRoutes {
    static let table: [Route] = [
        .client(.get, "/rooms/{roomId}/messages", legacy: true, messages),
        .client(.get, "/rooms/{roomId}/event/{eventId}", legacy: true, event),
        .client(.get, "/rooms/{roomId}/context/{eventId}", legacy: true, surroundings),
        .client(.get, "/events/{eventId}", legacy: true, eventOfAnyRoom),
        .client(.get, "/rooms/{roomId}/timestamp_to_event", versions: ["v1"], timestampToEvent),
        Route(
            .get, "/_matrix/client/unstable/org.matrix.msc3030/rooms/{roomId}/timestamp_to_event", timestampToEvent),
    ]

    // MARK: Pages

    private static func messages(_ context: APIContext) async throws -> APIResponse {
        guard let direction = RoomHistory.Direction(rawValue: try context.requiredQuery("dir")) else {
            throw MatrixError.invalidParam("Query parameter dir must be one of [\"b\", \"f\"]")
        }
        let from = try context.positionQuery("from"), to = try context.positionQuery("to")
        let limit = try context.limitQuery(default: 10)
        let filter = try context.roomEventFilter

        let history = context.homeserver.history
        let view = try await context.roomView
        let start = from ?? (direction == .backwards ? view.end : .zero)
        let page = try await history.page(of: view, direction, from: start, to: to, limit: limit, filter: filter)
        let state = filter.lazyLoadMembers ? try await history.senders(of: page.events, in: view) : []

        let viewer = try context.viewer, now = Timestamp.now
        return .object(capacity: 256 + (page.events.count + state.count) * 700) { writer in
            writer.member("start", SyncToken(start).text)
            if let next = page.next { writer.member("end", SyncToken(next).text) }
            writer.member("chunk", page.events, for: viewer, now: now)
            if !state.isEmpty { writer.member("state", state, for: viewer, now: now) }
        }
    }

    private static func surroundings(_ context: APIContext) async throws -> APIResponse {
        let limit = try context.limitQuery(default: 10)
        let filter = try context.roomEventFilter
        let view = try await context.roomView
        let found = try await context.homeserver.history.surroundings(
            of: try context.eventID("eventId"), in: view, limit: limit, filter: filter)
        let viewer = try context.viewer, now = Timestamp.now
        return .object(capacity: 1024 + (found.before.count + found.after.count + found.state.count) * 700) { writer in
            writer.member("start", SyncToken(found.start).text)
            writer.member("end", SyncToken(found.end).text)
            writer.key("event")
            found.event.write(to: &writer, for: viewer, now: now)
            writer.member("events_before", found.before, for: viewer, now: now)
            writer.member("events_after", found.after, for: viewer, now: now)
            writer.member("state", found.state, for: viewer, now: now)
        }
    }

    // MARK: Single events

    /// An event that the user may not see is told like one that is not there.
    private static func event(_ context: APIContext) async throws -> APIResponse {
        guard let id = try? context.eventID("eventId") else { throw MatrixError.notFound("Event not found.") }
        let view: RoomView
        do {
            view = try await context.roomView
        } catch let error as MatrixError where error.status == 403 {
            throw MatrixError.notFound("Event not found.")
        }
        return try await answer(id, in: view, context)
    }

    /// The oldest form of the same, without the room.
    private static func eventOfAnyRoom(_ context: APIContext) async throws -> APIResponse {
        let requester = try context.requester
        guard let id = try? context.eventID("eventId"), let event = try await context.homeserver.events.event(id) else {
            throw MatrixError.notFound("Event not found.")
        }
        return try await answer(id, in: try await context.roomView(of: event.roomID, for: requester), context)
    }

    private static func answer(_ id: EventID, in view: RoomView, _ context: APIContext) async throws -> APIResponse {
        let event = try await context.homeserver.history.viewedEvent(id, in: view)
        let viewer = try context.viewer
        return .json(capacity: 1024) { event.write(to: &$0, for: viewer, now: .now) }
    }

    private static func timestampToEvent(_ context: APIContext) async throws -> APIResponse {
        guard let time = try context.queryInt("ts") else { throw MatrixError.missingParam("Missing query parameter ts") }
        guard time >= 0 else { throw MatrixError.invalidParam("Query parameter ts must be a positive integer.") }
        guard let direction = RoomHistory.Direction(rawValue: context.query("dir") ?? "f") else {
            throw MatrixError.invalidParam("Query parameter dir must be one of [\"f\", \"b\"]")
        }
        let event = try await context.homeserver.history.event(
            nearest: Timestamp(milliseconds: time), direction, in: try await context.roomView)
        return .object { writer in
            writer.member("event_id", event.id)
            writer.member("origin_server_ts", event.timestamp)
        }
    }
}
