// Making and replacing rooms. Client-Server API §Creation, §Room upgrades.

import Homeserver
import MatrixCore
import Rooms

enum RoomCreationRoutes {
    static let table: [Route] = [
        .client(.post, "/createRoom", legacy: true, bodyLimit: 1 << 20, deed: .createRoom, create),
        .client(.post, "/rooms/{roomId}/upgrade", deed: .createRoom, upgrade),
    ]

    private static func create(_ context: APIContext) async throws -> APIResponse {
        let (request, requester) = (try CreateRoomRequest(try context.body()), try context.requester)
        if let name = request.aliasName, let alias = RoomAlias(valid: "#\(name):\(context.homeserver.serverName)") {
            try context.homeserver.applicationServices.check(alias, for: requester)
        }
        let id = try await context.homeserver.roomCreations.create(request, by: requester)
        return .object { $0.member("room_id", id) }
    }

    private static func upgrade(_ context: APIContext) async throws -> APIResponse {
        let requester = try context.requester
        guard !requester.isGuest else { throw MatrixError.guestForbidden }
        let body = try context.body()
        guard let version = RoomVersion.named(try body.requiredString("new_version")) else { throw MatrixError.unsupportedRoomVersion }
        var creators: [UserID] = []
        if version.creatorsHaveInfinitePower {
            creators = try CreateRoomRequest.additionalCreators(try body.optionalArray("additional_creators").map { JSONValue($0) })
        }
        let id = try await context.homeserver.roomUpgrades.replace(
            try context.roomID("roomId"), by: version, additionalCreators: creators, for: requester)
        return .object { $0.member("replacement_room", id) }
    }
}
