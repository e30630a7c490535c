// Reading the state of rooms, and who is in them. Client-Server API §Getting events for a room.

import Homeserver
import MatrixCore
import Persistence
import Rooms

enum RoomStateRoutes {
    static let table: [Route] = [
        .client(.get, "/rooms/{roomId}/state", legacy: true, state),
        .client(.get, "/rooms/{roomId}/state/{eventType}", legacy: true, stateEvent),
        .client(.get, "/rooms/{roomId}/state/{eventType}/{stateKey}", legacy: true, stateEvent),
        .client(.get, "/rooms/{roomId}/members", legacy: true, members),
        .client(.get, "/rooms/{roomId}/joined_members", legacy: true, joinedMembers),
        .client(.get, "/joined_rooms", legacy: true, joinedRooms),
    ]

    // MARK: State

    private static func state(_ context: APIContext) async throws -> APIResponse {
        let history = context.homeserver.history
        let events = try await history.state(of: history.complete(try await context.roomView))
        let now = Timestamp.now
        return .json(capacity: events.count * 700) { writer in
            writer.array { writer in
                for event in events { event.write(to: &writer, includeRoomID: true, for: nil, now: now) }
            }
        }
    }

    private static func stateEvent(_ context: APIContext) async throws -> APIResponse {
        let type = ByteString(try context.parameter("eventType"))
        let stateKey = ByteString((try? context.parameter("stateKey")) ?? "")
        let history = context.homeserver.history
        let key = StateKey(type: type, stateKey: stateKey)
        var view = try await context.roomView
        // Somebody may be a member of whom nothing is known yet.
        if type == StateKey.memberType, view.snapshot.entry(key) == nil { view = try await history.complete(view) }
        guard let event = try await history.state(key, of: view) else { throw MatrixError.notFound("Event not found.") }
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
        let selection = MemberSelection(
            wanted: try membership("membership", context), unwanted: try membership("not_membership", context))
        let at = try context.positionQuery("at")
        let history = context.homeserver.history
        let members = try await history.memberList(of: history.complete(try await context.roomView), at: at, selection)
        return .object(capacity: members.writtenSize + 16) { writer in
            writer.key("chunk")
            members.write(to: &writer, now: .now)
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
        let view = try await context.roomView
        guard case .member = view.standing else {
            throw MatrixError.forbidden("User \(view.viewer) not in room \(view.snapshot.roomID)")
        }
        let history = context.homeserver.history
        let events = try await history.members(of: history.complete(view), at: nil) { $0 == .join }
        return try .object(capacity: events.count * 120) { writer in
            try writer.member(
                "joined",
                object: { writer in
                    for event in events {
                        guard let user = event.stateKey else { continue }
                        let content = try event.content()
                        writer.member(
                            user.string,
                            object: { profile in
                                // Both are always there: clients look for them.
                                profile.member("display_name", content?["displayname"]?.string ?? "")
                                profile.member("avatar_url", content?["avatar_url"]?.string ?? "")
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
}
