// The event stream and the snapshots of the first version of the API. Client-Server API, GET /events, GET /initialSync,
// GET /rooms/{roomId}/initialSync.

import Homeserver
import MatrixCore
import Persistence
import Rooms

enum EventStreamRoutes {
    static let table: [Route] = [
        .client(.get, "/events", legacy: true, deed: .sync, events),
        .client(.get, "/initialSync", legacy: true, deed: .sync, initialSync),
        .client(.get, "/rooms/{roomId}/initialSync", legacy: true, roomInitialSync),
    ]

    /// How long a request waits that does not say, in milliseconds.
    private static let defaultTimeout: Int64 = 30_000

    // MARK: The stream

    private static func events(_ context: APIContext) async throws -> APIResponse {
        let requester = try context.requester
        let room = try room(context)
        guard room != nil || !requester.isGuest else { throw MatrixError.unknown("Guest users must specify room_id param") }
        let timeout = try context.queryInt("timeout") ?? defaultTimeout
        guard timeout >= 0 else { throw MatrixError.invalidParam("Query parameter timeout must not be negative") }
        let request = EventStreamRequest(
            user: requester.user, from: try context.positionQuery("from"), room: room,
            timeout: .milliseconds(min(timeout, 3_600_000)), limit: try context.limitQuery(default: 10))
        await context.homeserver.serverNotices?.willSync(requester)
        // Guests only look in.
        let state: PresenceState = requester.isGuest ? .offline : .online
        let answer = try await context.homeserver.presence.whileSyncing(requester, as: state, limits: context.homeserver.rateLimits) {
            try await context.homeserver.eventStream.events(request)
        }
        let viewer = try context.viewer, now = Timestamp.now
        return .object(capacity: 256 + answer.items.count * 700) { writer in
            writer.member("start", SyncToken(answer.start).text)
            writer.member("end", SyncToken(answer.end).text)
            writer.member("chunk", array: { writer in for item in answer.items { write(item, to: &writer, for: viewer, now: now) } })
        }
    }

    private static func room(_ context: APIContext) throws -> RoomID? {
        guard let text = context.query("room_id") else { return nil }
        do { return try RoomID(parsing: text) } catch { throw MatrixError.invalidParam("room_id: \(text) is not a valid RoomID") }
    }

    private static func write(_ item: EventStreamAnswer.Item, to writer: inout JSONWriter, for viewer: EventViewer, now: Timestamp) {
        switch item {
        case .event(let event): event.inFirstFormat.write(to: &writer, for: viewer, now: now)
        case .typing(let room, let users):
            writer.object { event in
                event.member("type", "m.typing")
                event.member("room_id", room)
                event.member("content", object: { $0.member("user_ids", users) })
            }
        case .receipts(let room, let content): write(receipts: content, of: room, to: &writer)
        case .presence(let user, let presence): write(presence, of: user, to: &writer, now: now)
        case .accountData(let item): write(item, to: &writer, namesRoom: true)
        }
    }

    private static func write(receipts content: [UInt8], of room: RoomID, to writer: inout JSONWriter) {
        writer.object { event in
            event.member("type", "m.receipt")
            event.member("room_id", room)
            event.member("content", raw: content)
        }
    }

    private static func write(_ presence: UserPresence, of user: UserID, to writer: inout JSONWriter, now: Timestamp) {
        writer.object { event in
            event.member("type", "m.presence")
            event.member("sender", user)
            event.member(
                "content",
                object: { content in
                    content.member("user_id", user)
                    presence.write(to: &content, now: now)
                })
        }
    }

    // MARK: Snapshots

    private static func roomInitialSync(_ context: APIContext) async throws -> APIResponse {
        let limit = try context.limitQuery(default: 10)
        let (room, ephemeral) = try await context.homeserver.eventStream.snapshot(
            of: try context.roomID("roomId"), for: try context.requester.user, limit: limit)
        let viewer = try context.viewer, now = Timestamp.now
        return .object(capacity: capacity(of: room)) { writer in
            write(room, to: &writer, for: viewer, now: now)
            writer.member(
                "presence",
                array: { list in for (user, presence) in ephemeral.presences { write(presence, of: user, to: &list, now: now) } })
            writer.member(
                "receipts", array: { list in if let content = ephemeral.receipts { write(receipts: content, of: room.room, to: &list) } })
        }
    }

    private static func initialSync(_ context: APIContext) async throws -> APIResponse {
        let limit = try context.limitQuery(default: 10)
        let answer = try await context.homeserver.eventStream.snapshot(
            for: try context.requester.user, limit: limit, includesLeft: context.query("archived") == "true")
        let viewer = try context.viewer, now = Timestamp.now
        return .object(capacity: answer.rooms.reduce(1024) { $0 + capacity(of: $1) }) { writer in
            writer.member("end", SyncToken(answer.end).text)
            writer.member(
                "rooms",
                array: { list in
                    for room in answer.rooms {
                        list.object { writer in
                            writer.member("visibility", room.isPublic ? "public" : "private")
                            write(room, to: &writer, for: viewer, now: now)
                        }
                    }
                })
            writer.member(
                "presence", array: { list in for (user, presence) in answer.presences { write(presence, of: user, to: &list, now: now) } })
            writer.member(
                "receipts", array: { list in for (room, content) in answer.receipts { write(receipts: content, of: room, to: &list) } })
            writer.member("account_data", array: { write(answer.accountData, to: &$0) })
        }
    }

    private static func capacity(of room: RoomInitialSync) -> Int {
        512 + ((room.content?.messages.count ?? 0) + (room.content?.state.count ?? 0)) * 700
    }

    /// Writes the members of a room.
    private static func write(_ room: RoomInitialSync, to writer: inout JSONWriter, for viewer: EventViewer, now: Timestamp) {
        writer.member("room_id", room.room)
        if let membership = room.membership { writer.member("membership", membership.rawValue) }
        if let invite = room.invite {
            writer.member("inviter", invite.sender)
            writer.key("invite")
            invite.inFirstFormat.write(to: &writer, includeRoomID: true, for: viewer, now: now)
        }
        if let content = room.content {
            writer.member(
                "messages",
                object: { messages in
                    messages.member("start", SyncToken(content.start).text)
                    messages.member("end", SyncToken(content.end).text)
                    messages.member("chunk", content.messages.map(\.inFirstFormat), for: viewer, now: now)
                })
            writer.member("state", content.state.map(\.inFirstFormat), for: viewer, now: now)
        }
        writer.member("account_data", array: { write(room.accountData, to: &$0) })
    }

    private static func write(_ items: [AccountDataItem], to list: inout JSONWriter) {
        for item in items { write(item, to: &list) }
    }

    private static func write(_ item: AccountDataItem, to list: inout JSONWriter, namesRoom: Bool = false) {
        list.object { data in
            data.member("type", item.type)
            data.member("content", raw: item.content)
            if namesRoom, let room = item.room { data.member("room_id", room) }
        }
    }
}
