// What other servers ask about people, names of rooms and the room directory. Server-Server API §Querying for information, §Public Room
// Directory.

import Homeserver
import MatrixCore
import Persistence
import Rooms

enum FederationQueryRoutes {
    static let table: [Route] = [
        .federation(.get, "/query/profile", profile),
        .federation(.get, "/query/directory", directory),
        .federation(.get, "/publicRooms", listRooms),
        .federation(.post, "/publicRooms", searchRooms),
    ]

    private static func profile(_ context: APIContext) async throws -> APIResponse {
        let homeserver = context.homeserver
        guard homeserver.configuration.federation.allowsProfileLookup else {
            throw MatrixError.forbidden("Profile lookup over federation is disabled on this homeserver")
        }
        let text = try context.requiredQuery("user_id")
        guard let user = UserID(valid: text) else { throw MatrixError.invalidParam("\(text) is not a user ID") }
        guard user.belongs(to: homeserver.serverName) else { throw MatrixError.unknown("User is not hosted on this homeserver") }
        guard let field = context.query("field").map({ ByteString($0) }) else {
            return .json(bytes: try await homeserver.profiles.profile(of: user))
        }
        let value = try await homeserver.profiles.value(of: field, of: user)
        return .object { if let value { $0.member(field.string, raw: value) } }
    }

    private static func directory(_ context: APIContext) async throws -> APIResponse {
        let text = try context.requiredQuery("room_alias")
        guard let alias = RoomAlias(valid: text) else { throw MatrixError.invalidParam("\(text) is not an alias of a room") }
        guard alias.belongs(to: context.homeserver.serverName) else {
            throw MatrixError.unknown("Room Alias is not hosted on this homeserver")
        }
        let found = try await context.homeserver.directory.resolve(alias)
        return .object { body in
            body.member("room_id", found.room)
            body.member("servers", found.servers)
        }
    }

    // MARK: The room directory

    private static func listRooms(_ context: APIContext) async throws -> APIResponse {
        try await page(RoomListRequest(limit: context.queryInt("limit"), since: context.query("since")), context)
    }

    private static func searchRooms(_ context: APIContext) async throws -> APIResponse {
        try await page(RoomListRequest(context.body()), context)
    }

    private static func page(_ request: RoomListRequest, _ context: APIContext) async throws -> APIResponse {
        guard context.homeserver.configuration.allowPublicRoomsOverFederation else {
            throw MatrixError.forbidden("Federation denied with \(try context.origin).")
        }
        var request = request
        request.query.isForOtherServers = true
        return RoomDirectoryRoutes.response(try await context.homeserver.roomDirectory.page(request))
    }
}
