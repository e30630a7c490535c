// The published room directory. Client-Server API §Listing rooms; Application Service API §Room lists.

import Homeserver
import MatrixCore
import Persistence
import Rooms

enum RoomDirectoryRoutes {
    static let table: [Route] = [
        .client(.get, "/publicRooms", legacy: true, access: .optionalUser, list),
        .client(.post, "/publicRooms", legacy: true, search),
        .client(.get, "/directory/list/room/{roomId}", legacy: true, access: .open, visibility),
        .client(.put, "/directory/list/room/{roomId}", legacy: true, setVisibility),
        .client(.put, "/directory/list/appservice/{networkId}/{roomId}", legacy: true, setNetworkVisibility),
        .client(.delete, "/directory/list/appservice/{networkId}/{roomId}", legacy: true, setNetworkVisibility),
    ]

    // MARK: Listing

    private static func list(_ context: APIContext) async throws -> APIResponse {
        if !context.homeserver.configuration.allowPublicRoomsWithoutAuth { _ = try context.requester }
        let request = try RoomListRequest(limit: context.queryInt("limit"), since: context.query("since"))
        return try await page(request, context)
    }

    private static func search(_ context: APIContext) async throws -> APIResponse {
        try await page(try RoomListRequest(try context.body()), context)
    }

    private static func page(_ request: RoomListRequest, _ context: APIContext) async throws -> APIResponse {
        if let text = context.query("server"), !text.isEmpty {
            let server: ServerName
            do { server = try ServerName(parsing: text) } catch { throw MatrixError.invalidParam("Invalid server name: \(text)") }
            // Others' lists are fetched for users only.
            if server != context.homeserver.serverName {
                _ = try context.requester
                throw MatrixError.remoteServer(server)
            }
        }
        return response(try await context.homeserver.roomDirectory.page(request))
    }

    /// A page as clients and other servers get it.
    static func response(_ page: RoomListPage) -> APIResponse {
        .object(capacity: 256 + page.rooms.count * 512) { body in
            body.member("chunk", array: { chunk in for room in page.rooms { chunk.object { write(room, to: &$0) } } })
            body.member("total_room_count_estimate", page.total)
            if let next = page.nextBatch { body.member("next_batch", next) }
            if let previous = page.prevBatch { body.member("prev_batch", previous) }
        }
    }

    private static func write(_ room: RoomSummaryRow, to writer: inout JSONWriter) {
        writer.member("room_id", room.roomID)
        for (key, text) in [
            ("name", room.name), ("topic", room.topic), ("canonical_alias", room.canonicalAlias), ("avatar_url", room.avatarURL),
            ("join_rule", room.joinRule), ("room_type", room.roomType),
        ] {
            if let text { writer.member(key, text) }
        }
        writer.member("num_joined_members", room.joinedMembers)
        writer.member("world_readable", room.worldReadable)
        writer.member("guest_can_join", room.guestCanJoin)
    }

    // MARK: Publishing

    private static func visibility(_ context: APIContext) async throws -> APIResponse {
        let visibility = try await context.homeserver.roomDirectory.visibility(of: try context.roomID("roomId"))
        return .object { $0.member("visibility", visibility.rawValue) }
    }

    private static func setVisibility(_ context: APIContext) async throws -> APIResponse {
        let requester = try context.requester
        let room = try context.roomID("roomId")
        let text = try context.optionalBody().optionalString("visibility") ?? RoomDirectoryService.Visibility.public.rawValue
        guard let visibility = RoomDirectoryService.Visibility(rawValue: text) else {
            throw MatrixError.badJSON("visibility must be public or private")
        }
        try await context.homeserver.roomDirectory.setPublished(room, visibility, by: requester)
        return .empty
    }

    /// The lists of application services are theirs alone.
    private static func setNetworkVisibility(_ context: APIContext) async throws -> APIResponse {
        _ = try context.roomID("roomId")
        throw MatrixError.forbidden("Only appservices can edit the appservice published room list")
    }
}
