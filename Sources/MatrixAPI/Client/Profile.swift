// Names and pictures. Client-Server API §Profiles.

import Homeserver
import MatrixCore

enum ProfileRoutes {
    static let table: [Route] = [
        .client(.get, "/profile/{userId}", legacy: true, access: .optionalUser, profile),
        .client(.get, "/profile/{userId}/{keyName}", legacy: true, access: .optionalUser, field),
        .client(.put, "/profile/{userId}/{keyName}", legacy: true, deed: .changeProfile, setField),
        .client(.delete, "/profile/{userId}/{keyName}", deed: .changeProfile, removeField),
        // MSC4133, before it was part of the specification.
        .client(.get, "/uk.tcpip.msc4133/profile/{userId}/{keyName}", versions: ["unstable"], access: .optionalUser, field),
        .client(.put, "/uk.tcpip.msc4133/profile/{userId}/{keyName}", versions: ["unstable"], deed: .changeProfile, setField),
        .client(.delete, "/uk.tcpip.msc4133/profile/{userId}/{keyName}", versions: ["unstable"], deed: .changeProfile, removeField),
    ]

    private static func profile(_ context: APIContext) async throws -> APIResponse {
        let user = try context.userID("userId")
        try await checkMayRead(user, context)
        return .json(bytes: try await context.homeserver.profiles.profile(of: user))
    }

    private static func field(_ context: APIContext) async throws -> APIResponse {
        let user = try context.userID("userId")
        try await checkMayRead(user, context)
        let field = try ProfileField.name(context.parameter("keyName"))
        let value = try await context.homeserver.profiles.value(of: field, of: user)
        // Clients ask for the picture of everyone they meet: that there is none is no error, as with Synapse.
        return .object { if let value { $0.member(field.string, raw: value) } }
    }

    private static func setField(_ context: APIContext) async throws -> APIResponse {
        let field = try ProfileField.name(context.parameter("keyName"))
        let body = try context.body()
        guard let value = body[field] else { throw MatrixError.missingParam("Missing key '\(field)'") }
        let requester = try changer(of: field, context)
        try await context.homeserver.profiles.set(field, to: value, of: context.userID("userId"), by: requester)
        return .empty
    }

    private static func removeField(_ context: APIContext) async throws -> APIResponse {
        let field = try ProfileField.name(context.parameter("keyName"))
        let requester = try changer(of: field, context)
        try await context.homeserver.profiles.remove(field, of: context.userID("userId"), by: requester)
        return .empty
    }

    /// Who changes a field, if they may.
    private static func changer(of field: ByteString, _ context: APIContext) throws(MatrixError) -> Requester {
        let requester = try context.requester
        // §Guest access: guests have a name, and nothing else.
        guard !requester.isGuest || field == ProfileField.displayName else { throw .guestForbidden }
        // It becomes an event in each of the user's rooms, and counts like one.
        try context.homeserver.rateLimits.check(.message, of: requester.user.text)
        return requester
    }

    /// `require_auth_for_profile_requests` and `limit_profile_requests_to_users_who_share_rooms`.
    private static func checkMayRead(_ user: UserID, _ context: APIContext) async throws {
        let configuration = context.homeserver.configuration
        if configuration.requireAuthForProfileRequests { _ = try context.requester }
        guard configuration.limitProfileRequestsToUsersWhoShareRooms, let reader = context.optionalRequester?.user, reader != user else {
            return
        }
        guard try await !context.homeserver.sharedRooms.companions(of: reader, among: [user]).isEmpty else {
            throw MatrixError.forbidden("Profile isn't available")
        }
    }
}
