// What the authentication service calls: Synapse's `/_synapse/mas/…`.

import Homeserver
import MatrixCore

enum ProvisioningRoutes {
    static let table: [Route] = [
        route(.get, "query_user", queryUser),
        route(.post, "provision_user", provisionUser),
        route(.get, "is_localpart_available", isLocalpartAvailable),
        route(.post, "delete_user", deleteUser),
        route(.post, "reactivate_user", reactivateUser),
        route(.post, "set_displayname", setDisplayName),
        route(.post, "unset_displayname", unsetDisplayName),
        route(.post, "allow_cross_signing_reset", allowCrossSigningReset),
        route(.post, "upsert_device", putDevice),
        route(.post, "delete_device", deleteDevice),
        route(.post, "update_device_display_name", renameDevice),
        route(.post, "sync_devices", syncDevices, bodyLimit: 1 << 20),
    ]

    /// How long a user may replace their keys, in milliseconds.
    private static let resetDuration: Int64 = 10 * 60 * 1000

    /// A route for the service alone, which shows the secret where others have their access token.
    private static func route(
        _ method: HTTPMethod, _ name: String, _ handler: @escaping Route.Handler, bodyLimit: Int = Route.defaultBodyLimit
    ) -> Route {
        Route(method, "/_synapse/mas/\(name)", access: .open, bodyLimit: bodyLimit) { context in
            guard let service = context.homeserver.authenticationService else { throw MatrixError.unrecognized }
            guard let token = try AccessToken.of(context.request) else { throw MatrixError.missingToken }
            guard service.isService(token: token) else {
                throw MatrixError.unknown("This endpoint must only be called by MAS", status: 403)
            }
            return try await handler(context)
        }
    }

    // MARK: Accounts

    private static func queryUser(_ context: APIContext) async throws -> APIResponse {
        let account = try await context.homeserver.provisioning.account(try context.requiredQuery("localpart"))
        let profile = try await context.homeserver.profiles.nameAndAvatar(of: account.user)
        return .object { body in
            body.member("user_id", account.user)
            body.member("display_name", profile.displayName.map { .string($0) } ?? .null)
            body.member("avatar_url", profile.avatarURL.map { .string($0) } ?? .null)
            body.member("is_suspended", account.isSuspended)
            body.member("is_deactivated", account.isDeactivated)
        }
    }

    private static func provisionUser(_ context: APIContext) async throws -> APIResponse {
        let body = try context.body()
        let isNew = try await context.homeserver.provisioning.provision(
            try body.requiredString("localpart"), displayName: try change("displayname", in: body),
            avatarURL: try change("avatar_url", in: body), emails: try emails(in: body), isLocked: try body.optionalBool("locked"))
        return .json(status: isNew ? 201 : 200) { $0.object { _ in } }
    }

    private static func emails(in body: JSON) throws(MatrixError) -> [String]? {
        let emails = try body.optionalStrings("set_emails"), isUnset = try body.optionalBool("unset_emails")
        guard emails == nil || isUnset == nil else { throw .badJSON("Cannot specify both unset_emails and set_emails") }
        return emails ?? (isUnset == true ? [] : nil)
    }

    /// `set_…` and `unset_…`, of which one at most may be there.
    private static func change(_ name: String, in body: JSON) throws(MatrixError) -> AccountProvisioning.FieldChange? {
        let text = try body.optionalString("set_\(name)"), isUnset = try body.optionalBool("unset_\(name)")
        guard text == nil || isUnset == nil else { throw .badJSON("Cannot specify both unset_\(name) and set_\(name)") }
        return text.map { .set($0) } ?? (isUnset == true ? .remove : nil)
    }

    private static func isLocalpartAvailable(_ context: APIContext) async throws -> APIResponse {
        guard let localpart = context.query("localpart") else { throw MatrixError.unknown("Missing localpart", status: 400) }
        try await context.homeserver.provisioning.checkAvailable(localpart)
        return .empty
    }

    private static func deleteUser(_ context: APIContext) async throws -> APIResponse {
        let body = try context.body()
        let (localpart, erases) = (try body.requiredString("localpart"), try body.requiredBool("erase"))
        try await context.homeserver.provisioning.deactivate(localpart, erases: erases)
        return .empty
    }

    private static func reactivateUser(_ context: APIContext) async throws -> APIResponse {
        try await context.homeserver.provisioning.reactivate(try context.body().requiredString("localpart"))
        return .empty
    }

    private static func setDisplayName(_ context: APIContext) async throws -> APIResponse {
        let body = try context.body()
        let (localpart, name) = (try body.requiredString("localpart"), try body.requiredString("displayname"))
        try await context.homeserver.provisioning.setDisplayName(.set(name), of: localpart)
        return .empty
    }

    private static func unsetDisplayName(_ context: APIContext) async throws -> APIResponse {
        try await context.homeserver.provisioning.setDisplayName(.remove, of: try context.body().requiredString("localpart"))
        return .empty
    }

    private static func allowCrossSigningReset(_ context: APIContext) async throws -> APIResponse {
        let account = try await context.homeserver.provisioning.account(try context.body().requiredString("localpart"))
        // Where there are no keys yet, nothing stands in the way either.
        _ = try await context.homeserver.crossSigning.allowReplacement(of: account.user, forMilliseconds: resetDuration)
        return .empty
    }

    // MARK: Devices

    private static func putDevice(_ context: APIContext) async throws -> APIResponse {
        let body = try context.body()
        let isNew = try await context.homeserver.provisioning.putDevice(
            try body.requiredString("device_id"), of: try body.requiredString("localpart"),
            displayName: try body.optionalString("display_name"))
        return .json(status: isNew ? 201 : 200) { $0.object { _ in } }
    }

    private static func deleteDevice(_ context: APIContext) async throws -> APIResponse {
        let body = try context.body()
        let (localpart, device) = (try body.requiredString("localpart"), try body.requiredString("device_id"))
        try await context.homeserver.provisioning.deleteDevice(device, of: localpart)
        return APIResponse(status: 204, body: [])
    }

    private static func renameDevice(_ context: APIContext) async throws -> APIResponse {
        let body = try context.body()
        let (localpart, device) = (try body.requiredString("localpart"), try body.requiredString("device_id"))
        try await context.homeserver.provisioning.rename(device, of: localpart, to: try body.requiredString("display_name"))
        return .empty
    }

    private static func syncDevices(_ context: APIContext) async throws -> APIResponse {
        let body = try context.body()
        let (localpart, devices) = (try body.requiredString("localpart"), try body.requiredStrings("devices"))
        try await context.homeserver.provisioning.setDevices(devices, of: localpart)
        return .empty
    }
}
