// Rooms as they look from outside. Client-Server API §Room summaries, §Spaces, §Mutual rooms.

import Homeserver
import MatrixCore
import Rooms

enum RoomSummaryRoutes {
    static let table: [Route] = [
        Route(
            .get,
            templates: [
                "/_matrix/client/v1/room_summary/{roomIdOrAlias}", "/_matrix/client/unstable/im.nheko.summary/summary/{roomIdOrAlias}",
                "/_matrix/client/unstable/im.nheko.summary/rooms/{roomIdOrAlias}/summary",
            ], access: .optionalUser, summary),
        .client(.get, "/rooms/{roomId}/hierarchy", versions: ["v1"], hierarchy),
        .client(.get, "/mutual_rooms", versions: ["v1", "unstable"], mutualRooms),
        .client(.get, "/uk.half-shot.msc2666/user/mutual_rooms", versions: ["unstable"], mutualRooms),
    ]

    private static func summary(_ context: APIContext) async throws -> APIResponse {
        let room: RoomID
        var servers: [ServerName] = []
        switch try context.roomIDOrAlias("roomIdOrAlias") {
        case .room(let id): room = id
        case .alias(let alias): (room, servers) = try await context.homeserver.directory.resolve(alias)
        }
        let user = context.optionalRequester?.user
        let summary = try await context.homeserver.roomSummaries.summary(of: room, via: via(room, context) + servers, for: user)
        return .object(capacity: 1024) { body in
            let addMembership = { (body: inout JSONWriter) in
                if let membership = summary.membership { body.member("membership", membership.rawValue) }
            }
            switch summary.room {
            case .local(let appearance):
                appearance.write(to: &body)
                addMembership(&body)
            case .remote(let room):
                room.write(to: &body)
                addMembership(&body)
            }
        }
    }

    /// Who may be asked after a room: those that the client names, and the one that made the room's id.
    private static func via(_ room: RoomID, _ context: APIContext) -> [ServerName] {
        context.queryAll("via").prefix(serverLimit).compactMap { ServerName(valid: $0) } + [room.server].compactMap { $0 }
    }

    private static let serverLimit = 50

    private static func hierarchy(_ context: APIContext) async throws -> APIResponse {
        let requester = try context.requester
        var request = SpaceHierarchyRequest(room: try context.roomID("roomId"))
        request.suggestedOnly = try context.queryBool("suggested_only") ?? false
        request.maxDepth = try context.queryInt("max_depth")
        guard request.maxDepth ?? 0 >= 0 else { throw MatrixError.invalidParam("max_depth must not be negative") }
        let limit = try context.queryInt("limit")
        guard limit ?? 1 > 0 else { throw MatrixError.invalidParam("limit must be greater than zero") }
        try context.homeserver.rateLimits.check(.roomHierarchy, of: requester.user.text)
        let page = try await context.homeserver.spaces.page(
            request, limit: limit.map { Int($0) }, from: context.query("from"), via: via(request.room, context),
            for: requester.user)
        return .object(capacity: 256 + page.rooms.count * 1024) { body in
            body.member(
                "rooms",
                array: { rooms in
                    for room in page.rooms { rooms.object { write(room, to: &$0) } }
                })
            if let next = page.nextBatch { body.member("next_batch", next) }
        }
    }

    private static func write(_ room: SpaceHierarchyService.Entry, to entry: inout JSONWriter) {
        switch room {
        case .local(let room): room.appearance.write(to: &entry)
        case .remote(let room, _): room.write(to: &entry)
        }
        entry.member("children_state", array: { list in for child in room.children { list.raw(child) } })
    }

    private static func mutualRooms(_ context: APIContext) async throws -> APIResponse {
        let user = try context.requester.user
        let users = context.queryAll("user_id")
        guard let text = users.first else { throw MatrixError.missingParam("Missing query parameter user_id") }
        guard users.count == 1 else { throw MatrixError.invalidParam("Duplicate user_id query parameter") }
        guard let other = UserID(valid: text), other.isCompliant else { throw MatrixError.invalidParam("Invalid user_id query parameter") }
        // The names with `token` are those from before the specification had them.
        let rooms = try await context.homeserver.roomSummaries.mutualRooms(
            of: user, and: other, from: context.query("from") ?? context.query("batch_token"))
        return .object { body in
            body.member("joined", rooms.rooms)
            body.member("count", rooms.total)
            if let next = rooms.nextBatch {
                body.member("next_batch", next)
                body.member("next_batch_token", next)
            }
        }
    }
}
