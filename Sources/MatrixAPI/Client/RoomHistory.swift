// Reading rooms. Client-Server API §Getting events for a room, §Room membership.

import Homeserver
import MatrixCore
import Persistence
import Rooms

enum RoomHistoryRoutes {
    static let table: [Route] = [
        .client(.get, "/rooms/{roomId}/messages", legacy: true, messages),
        .client(.get, "/rooms/{roomId}/event/{eventId}", legacy: true, event),
        .client(.get, "/rooms/{roomId}/state", legacy: true, state),
        .client(.get, "/rooms/{roomId}/state/{eventType}", legacy: true, stateEvent),
        .client(.get, "/rooms/{roomId}/state/{eventType}/{stateKey}", legacy: true, stateEvent),
        .client(.get, "/rooms/{roomId}/members", legacy: true, members),
        .client(.get, "/rooms/{roomId}/joined_members", legacy: true, joinedMembers),
        .client(.get, "/joined_rooms", joinedRooms),
    ]

    // MARK: Events

    private static func messages(_ context: APIContext) async throws -> APIResponse {
        let requester = try context.requester
        guard let direction = RoomHistory.Direction(rawValue: try context.requiredQuery("dir")) else {
            throw MatrixError.invalidParam("Query parameter dir must be one of [\"b\", \"f\"]")
        }
        let from = try token("from", context), to = try token("to", context)
        let limit = try context.queryInt("limit") ?? 10
        guard limit >= 0 else { throw MatrixError.invalidParam("Query parameter limit must be a positive integer.") }
        let filter = try roomEventFilter(context)

        let history = context.homeserver.history
        let view = try await history.view(of: try context.roomID("roomId"), for: requester.user)
        let start = from ?? (direction == .backwards ? view.end : .zero)
        let page = try await history.page(
            of: view, direction, from: start, to: to, limit: Int(min(limit, Int64(RoomHistory.pageLimit))), filter: filter)
        let state = filter.lazyLoadMembers ? try await senders(of: page.events, in: view, history) : []

        let viewer = EventViewer(user: requester.user, device: requester.device), now = Timestamp.now
        return .object(capacity: 256 + (page.events.count + state.count) * 700) { writer in
            writer.member("start", SyncToken(start).text)
            if let next = page.next { writer.member("end", SyncToken(next).text) }
            writer.member("chunk", array: { write(page.events, to: &$0, for: viewer, now: now) })
            if !state.isEmpty { writer.member("state", array: { write(state, to: &$0, for: viewer, now: now) }) }
        }
    }

    /// The member events of those who sent `events`, for clients that load members lazily.
    private static func senders(of events: [TimelineEvent], in view: RoomView, _ history: RoomHistory) async throws -> [TimelineEvent] {
        var members: [TimelineEvent] = []
        for sender in Set(events.map(\.sender)) {
            if let member = try await history.state(.member(sender), of: view) { members.append(member) }
        }
        return members
    }

    private static func event(_ context: APIContext) async throws -> APIResponse {
        let requester = try context.requester
        let roomID = try context.roomID("roomId")
        guard let id = try? context.eventID("eventId") else { throw MatrixError.notFound("Event not found.") }
        let history = context.homeserver.history
        let event = try await history.event(id, in: try await history.view(of: roomID, for: requester.user))
        return .json(capacity: 1024) { writer in
            event.write(
                to: &writer, includeRoomID: true, for: EventViewer(user: requester.user, device: requester.device), now: .now)
        }
    }

    // MARK: State

    private static func state(_ context: APIContext) async throws -> APIResponse {
        let view = try await self.view(context)
        let events = try await context.homeserver.history.state(of: view)
        return .json(capacity: events.count * 700) { writer in
            writer.array { write(events, to: &$0, for: nil, now: .now) }
        }
    }

    private static func stateEvent(_ context: APIContext) async throws -> APIResponse {
        let type = ByteString(try context.parameter("eventType"))
        let stateKey = ByteString((try? context.parameter("stateKey")) ?? "")
        let view = try await self.view(context)
        guard let event = try await context.homeserver.history.state(StateKey(type: type, stateKey: stateKey), of: view) else {
            throw MatrixError.notFound("Event not found.")
        }
        switch context.query("format") ?? "content" {
        case "event":
            return .json { event.write(to: &$0, includeRoomID: true, for: nil, now: .now) }
        case "content":
            let content = try event.content()
            return .json { writer in writer.raw(content?.bytes ?? [UInt8]("{}".utf8)[...]) }
        case let other:
            throw MatrixError.invalidParam("Query parameter format: found \(other), expected content or event")
        }
    }

    // MARK: Members

    private static func members(_ context: APIContext) async throws -> APIResponse {
        let wanted = try membership("membership", context), unwanted = try membership("not_membership", context)
        let at = try token("at", context)
        let view = try await self.view(context)
        let events = try await context.homeserver.history.members(of: view, at: at) { membership in
            // As the specification has it, the two parameters add up.
            switch (wanted, unwanted) {
            case (nil, nil): true
            case (let wanted?, nil): membership == wanted
            case (nil, let unwanted?): membership != unwanted
            case (let wanted?, let unwanted?): membership == wanted || membership != unwanted
            }
        }
        return .object(capacity: events.count * 700) { writer in
            writer.member("chunk", array: { write(events, to: &$0, for: nil, now: .now) })
        }
    }

    private static func membership(_ name: String, _ context: APIContext) throws -> Membership? {
        guard let text = context.query(name) else { return nil }
        guard let membership = Membership(rawValue: text) else {
            throw MatrixError.invalidParam("Query parameter \(name): found \(text), expected join, invite, knock, leave or ban")
        }
        return membership
    }

    private static func joinedMembers(_ context: APIContext) async throws -> APIResponse {
        let view = try await self.view(context)
        guard case .member = view.standing else {
            throw MatrixError.forbidden("User \(view.viewer) not in room \(view.snapshot.roomID)")
        }
        let events = try await context.homeserver.history.members(of: view, at: nil) { $0 == .join }
        return try .object(capacity: events.count * 120) { writer in
            try writer.member(
                "joined",
                object: { writer in
                    for event in events {
                        guard let user = event.stateKey else { continue }
                        let content = try event.content()
                        let name = content?["displayname"]?.string, avatar = content?["avatar_url"]?.string
                        writer.member(
                            user.string,
                            object: { profile in
                                if let name { profile.member("display_name", name) }
                                if let avatar { profile.member("avatar_url", avatar) }
                            })
                    }
                })
        }
    }

    private static func joinedRooms(_ context: APIContext) async throws -> APIResponse {
        let user = try context.requester.user
        let rooms = try await context.homeserver.membership.rooms(of: user).filter { $0.membership == .join }
        return .object { writer in
            writer.member("joined_rooms", array: { array in for row in rooms { array.string(row.room.string) } })
        }
    }

    // MARK: Steps

    private static func view(_ context: APIContext) async throws -> RoomView {
        let user = try context.requester.user
        return try await context.homeserver.history.view(of: try context.roomID("roomId"), for: user)
    }

    private static func token(_ name: String, _ context: APIContext) throws -> StreamPosition? {
        guard let text = context.query(name), !text.isEmpty else { return nil }
        return try SyncToken(parsing: text).position
    }

    private static func roomEventFilter(_ context: APIContext) throws -> RoomEventFilter {
        guard let text = context.query("filter") else { return .everything }
        let document: JSONDocument
        do { document = try JSONDocument(parsing: Array(text.utf8), limits: .request) } catch { throw MatrixError(error) }
        return try RoomEventFilter(json: document.root)
    }

    private static func write(_ events: [TimelineEvent], to writer: inout JSONWriter, for viewer: EventViewer?, now: Timestamp) {
        for event in events { event.write(to: &writer, includeRoomID: true, for: viewer, now: now) }
    }
}
