// Client-Server API §Listing notifications.

import Homeserver
import MatrixCore
import Persistence
import Rooms

enum NotificationRoutes {
    static let table: [Route] = [
        .client(.get, "/notifications", notifications)
    ]

    private static let defaultLimit: Int64 = 50

    private static func notifications(_ context: APIContext) async throws -> APIResponse {
        let requester = try context.requester
        let before = try context.query("from").map(position)
        let limit = try context.queryInt("limit") ?? defaultLimit
        guard limit > 0 else { throw MatrixError.invalidParam("Query parameter limit must be positive") }
        let page = try await context.homeserver.notifications.page(
            of: requester.user, before: before, limit: Int(min(limit, Int64(NotificationService.pageLimit))),
            onlyHighlights: context.query("only") == "highlight")
        let viewer = EventViewer(user: requester.user, device: requester.device)
        let now = Timestamp.now
        return .json(capacity: 1024 * page.notifications.count + 64) { writer in
            writer.object { writer in
                writer.member(
                    "notifications",
                    array: { writer in
                        for notification in page.notifications { write(notification, for: viewer, now: now, to: &writer) }
                    })
                if let next = page.next { writer.member("next_token", String(next.value)) }
            }
        }
    }

    /// A token is the number that stands in `next_token`.
    private static func position(_ token: String) throws(MatrixError) -> StreamPosition {
        guard let value = Int64(token), value >= 0, String(value) == token else {
            throw .invalidParam("Query parameter \"from\" contains unrecognised token")
        }
        return StreamPosition(value)
    }

    private static func write(
        _ notification: NotificationService.Notification, for viewer: EventViewer, now: Timestamp, to writer: inout JSONWriter
    ) {
        writer.object { writer in
            writer.member("room_id", notification.event.roomID)
            writer.member("profile_tag", "")
            writer.member("actions", .array(notification.actions))
            writer.member("read", notification.isRead)
            writer.member("ts", notification.event.timestamp)
            writer.key("event")
            notification.event.write(to: &writer, includeRoomID: false, for: viewer, now: now)
        }
    }
}
