// Names and pictures. Client-Server API §Profiles.

import Homeserver
import MatrixCore

enum ProfileRoutes {
    static let table: [Route] = [
        .client(.get, "/profile/{userId}", legacy: true, access: .optionalUser, profile),
        .client(.get, "/profile/{userId}/{keyName}", legacy: true, access: .optionalUser, field),
        .client(.put, "/profile/{userId}/{keyName}", legacy: true, setField),
        .client(.delete, "/profile/{userId}/{keyName}", removeField),
    ]

    private static func profile(_ context: APIContext) async throws -> APIResponse {
        try checkMayRead(context)
        return .json(bytes: try await context.homeserver.profiles.profile(of: context.userID("userId")))
    }

    private static func field(_ context: APIContext) async throws -> APIResponse {
        try checkMayRead(context)
        let field = try ProfileField.name(context.parameter("keyName"))
        let value = try await context.homeserver.profiles.value(of: field, of: context.userID("userId"))
        // Clients ask for the picture of everyone they meet: that there is none is no error, as with Synapse.
        return .object { if let value { $0.member(field.string, raw: value) } }
    }

    private static func setField(_ context: APIContext) async throws -> APIResponse {
        let field = try ProfileField.name(context.parameter("keyName"))
        let body = try context.body()
        guard let value = body[field] else { throw MatrixError.missingParam("Missing key '\(field)'") }
        let requester = try context.requester
        try checkMayChange(field, requester)
        // It becomes an event in each of the user's rooms, and counts like one.
        try context.homeserver.rateLimits.check(.message, of: requester.user.text)
        try await context.homeserver.profiles.set(field, to: value, of: context.userID("userId"), by: requester)
        return .empty
    }

    private static func removeField(_ context: APIContext) async throws -> APIResponse {
        let field = try ProfileField.name(context.parameter("keyName"))
        try checkMayChange(field, try context.requester)
        try await context.homeserver.profiles.remove(field, of: context.userID("userId"), by: context.requester)
        return .empty
    }

    /// §Guest access: guests have a name, and nothing else.
    private static func checkMayChange(_ field: ByteString, _ requester: Requester) throws(MatrixError) {
        guard !requester.isGuest || field == ProfileField.displayName else { throw .guestForbidden }
    }

    private static func checkMayRead(_ context: APIContext) throws(MatrixError) {
        if context.homeserver.configuration.requireAuthForProfileRequests { _ = try context.requester }
    }
}
