// The published room directory. Client-Server API §Listing rooms; Application Service API §Room lists.

import Federation
import Homeserver
import MatrixCore
import Persistence
import Rooms

enum RoomDirectoryRoutes {
    static let table: [Route] = [
        .client(.get, "/publicRooms", legacy: true, access: .optionalUser, list),
        .client(.post, "/publicRooms", legacy: true, search),
        .client(.get, "/directory/list/room/{roomId}", legacy: true, access: .open, visibility),
        .client(.put, "/directory/list/room/{roomId}", legacy: true, deed: .publish, setVisibility),
        .client(.put, "/directory/list/appservice/{networkId}/{roomId}", legacy: true, deed: .publish, setNetworkVisibility),
        .client(.delete, "/directory/list/appservice/{networkId}/{roomId}", legacy: true, setNetworkVisibility),
    ]

    // MARK: Listing

    private static func list(_ context: APIContext) async throws -> APIResponse {
        if !context.homeserver.configuration.allowPublicRoomsWithoutAuth { _ = try context.requester }
        if let server = try otherServer(context) {
            var query = PublicRoomsQuery()
            query.limit = try limit(context.queryInt("limit"))
            query.since = context.query("since")
            return try await page(query, of: server, context)
        }
        let request = try RoomListRequest(limit: context.queryInt("limit"), since: context.query("since"))
        return response(try await context.homeserver.roomDirectory.page(request))
    }

    private static func search(_ context: APIContext) async throws -> APIResponse {
        let body = try context.body()
        let request = try RoomListRequest(body, ownTokens: otherServer(context) == nil)
        guard let server = try otherServer(context) else { return response(try await context.homeserver.roomDirectory.page(request)) }
        var query = PublicRoomsQuery()
        query.limit = try limit(body.optionalInt("limit"))
        query.since = try body.optionalString("since")
        query.filter = try body.optionalObject("filter").map { JSONObject($0) }
        query.includesAllNetworks = try body.optionalBool("include_all_networks") ?? false
        query.network = try body.optionalString("third_party_instance_id")
        return try await page(query, of: server, context)
    }

    /// The server whose list is asked for; nil: this one. Others' lists are fetched for users only.
    private static func otherServer(_ context: APIContext) throws(MatrixError) -> ServerName? {
        guard let text = context.query("server"), !text.isEmpty else { return nil }
        let server: ServerName
        do { server = try ServerName(parsing: text) } catch { throw .invalidParam("Invalid server name: \(text)") }
        guard server != context.homeserver.serverName else { return nil }
        _ = try context.requester
        return server
    }

    /// 0 stands for no limit of the client's.
    private static func limit(_ limit: Int64?) throws(MatrixError) -> Int64? {
        guard let limit, limit != 0 else { return nil }
        guard limit > 0 else { throw .invalidParam("limit must not be negative") }
        return min(limit, Int64(RoomListRequest.pageLimit))
    }

    private static func page(_ query: PublicRoomsQuery, of server: ServerName, _ context: APIContext) async throws -> APIResponse {
        let page = try await context.homeserver.remoteRoomDirectory.page(query, of: server)
        return .object(capacity: 256 + page.rooms.count * 512) { body in
            body.member("chunk", array: { chunk in for room in page.rooms { chunk.json(room) } })
            if let total = page.total { body.member("total_room_count_estimate", total) }
            if let next = page.nextBatch { body.member("next_batch", next) }
            if let previous = page.prevBatch { body.member("prev_batch", previous) }
        }
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
        let room = try context.roomID("roomId")
        guard let service = try context.requester.service else {
            throw MatrixError.forbidden("Only appservices can edit the appservice published room list")
        }
        let text = context.request.method == .delete ? "private" : try context.body().requiredString("visibility")
        guard let visibility = RoomDirectoryService.Visibility(rawValue: text) else {
            throw MatrixError.badJSON("visibility must be public or private")
        }
        try await context.homeserver.roomDirectory.setPublished(room, visibility, by: service, network: try context.parameter("networkId"))
        return .empty
    }
}
