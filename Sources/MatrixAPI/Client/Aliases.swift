// Names of rooms. Client-Server API §Room aliases.

import Homeserver
import MatrixCore
import Rooms

enum AliasRoutes {
    static let table: [Route] = [
        .client(.get, "/directory/room/{roomAlias}", legacy: true, access: .open, resolve),
        .client(.put, "/directory/room/{roomAlias}", legacy: true, deed: .publish, create),
        .client(.delete, "/directory/room/{roomAlias}", legacy: true, delete),
        .client(.get, "/rooms/{roomId}/aliases", aliases),
        .client(.get, "/org.matrix.msc2432/rooms/{roomId}/aliases", versions: ["unstable"], aliases),
    ]

    private static func resolve(_ context: APIContext) async throws -> APIResponse {
        let (room, servers) = try await context.homeserver.directory.resolve(try context.roomAlias("roomAlias"))
        return .object { writer in
            writer.member("room_id", room)
            writer.member("servers", servers)
        }
    }

    private static func create(_ context: APIContext) async throws -> APIResponse {
        let requester = try member(context)
        let room: RoomID = try context.body().requiredIdentifier("room_id")
        let alias = try context.roomAlias("roomAlias")
        try context.homeserver.applicationServices.check(alias, for: requester)
        // An application service names rooms that it is not in.
        try await context.homeserver.directory.create(
            alias, for: room, by: requester.user, isAdmin: requester.isAdmin || requester.service != nil)
        return .empty
    }

    private static func delete(_ context: APIContext) async throws -> APIResponse {
        let (requester, alias) = (try member(context), try context.roomAlias("roomAlias"))
        if requester.service != nil { try context.homeserver.applicationServices.check(alias, for: requester) }
        try await context.homeserver.directory.delete(
            alias, by: requester.user, device: requester.device, isAdmin: requester.isAdmin || requester.service != nil)
        return .empty
    }

    private static func aliases(_ context: APIContext) async throws -> APIResponse {
        let requester = try context.requester
        let aliases = try await context.homeserver.directory.aliases(
            of: try context.roomID("roomId"), for: requester.user, isAdmin: requester.isAdmin)
        return .object { $0.member("aliases", aliases) }
    }

    private static func member(_ context: APIContext) throws(MatrixError) -> Requester {
        let requester = try context.requester
        guard !requester.isGuest else { throw .guestForbidden }
        return requester
    }
}
