// Making rooms. Client-Server API §Creation.

import Homeserver
import MatrixCore
import Rooms

enum RoomCreationRoutes {
    static let table: [Route] = [
        .client(.post, "/createRoom", legacy: true, bodyLimit: 1 << 20, create)
    ]

    private static func create(_ context: APIContext) async throws -> APIResponse {
        let requester = try context.requester
        guard !requester.isGuest else { throw MatrixError.guestForbidden }
        let request = try CreateRoomRequest(try context.body())
        let limits = context.homeserver.rateLimits
        try limits.check(.roomCreation, of: requester.user.text)
        if !request.invites.isEmpty {
            try limits.check(.invitesPerIssuer, of: requester.user.text, cost: request.invites.count)
        }
        let id = try await context.homeserver.roomCreation.create(request, by: requester.user, device: requester.device)
        return .object { $0.member("room_id", id) }
    }
}
