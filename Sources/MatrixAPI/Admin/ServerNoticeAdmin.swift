// Synapse's `/_synapse/admin/v1/send_server_notice`: what an administrator has the server tell a user.

import Homeserver
import MatrixCore

enum ServerNoticeAdminRoutes {
    private static let path = "/_synapse/admin/v1/send_server_notice"

    static let table: [Route] = [
        Route(.post, path, access: .admin) { try await send($0, transactionID: nil) },
        // The same transaction of an administrator tells a user once.
        Route(.put, path + "/{txnId}", access: .admin) { context in
            try await send(context, transactionID: "\(try context.requester.user) \(try context.parameter("txnId"))")
        },
    ]

    private static func send(_ context: APIContext, transactionID: String?) async throws -> APIResponse {
        let (body, homeserver) = (try context.body(), context.homeserver)
        guard let notices = homeserver.serverNotices else {
            throw MatrixError.unknown("Server notices are not enabled on this server", status: 400)
        }
        let user: UserID = try body.requiredIdentifier("user_id")
        guard let content = try body.optionalObject("content") else { throw MatrixError.missingParam("Missing params: content") }
        let type = ByteString(try body.optionalString("type") ?? "m.room.message")
        guard type != "m.room.member" else { throw MatrixError.invalidParam("A notice is no membership") }
        guard user.belongs(to: homeserver.serverName) else {
            throw MatrixError.unknown("Server notices can only be sent to local users", status: 400)
        }
        guard try await homeserver.accounts.exists(user) else { throw MatrixError.notFound("User not found") }
        let event = try await notices.rooms.send(
            JSONObject(content), type: type, stateKey: try body.optionalString("state_key").map { ByteString($0) }, to: user,
            transactionID: transactionID)
        return .object { $0.member("event_id", event) }
    }
}
