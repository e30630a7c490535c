// Registration by shared secret: Synapse's `/_synapse/admin/v1/register`, which `register_new_matrix_user` calls.

import Homeserver
import MatrixCore

enum RegisterAdminRoutes {
    static let table: [Route] = [
        Route(.get, "/_synapse/admin/v1/register", access: .open, nonce),
        Route(.post, "/_synapse/admin/v1/register", access: .open, register),
    ]

    /// The user types that Synapse knows; others would need its `user_types` option.
    private static let userTypes = ["support", "bot"]
    /// Characters of a name or password.
    private static let parameterLimit = 512

    private static func nonce(_ context: APIContext) -> APIResponse {
        let nonce = context.homeserver.sharedSecretRegistration.makeNonce()
        return .object { $0.member("nonce", nonce) }
    }

    private static func register(_ context: APIContext) async throws -> APIResponse {
        let shared = context.homeserver.sharedSecretRegistration
        try shared.checkEnabled()
        let body = try context.body()
        guard let nonce = body["nonce"] else { throw MatrixError.badJSON("nonce must be specified") }
        try shared.consume(nonce: nonce.string ?? "")

        let username = try text("username", in: body)
        let password = try text("password", in: body)
        let userType = try body.optionalString("user_type")
        if let userType, !userTypes.contains(userType) { throw MatrixError.unknown("Invalid user type", status: 400) }
        guard let mac = body["mac"]?.string else { throw MatrixError.badJSON("mac must be specified") }
        let isAdmin = isTrue(body["admin"])
        let displayName = try body.optionalString("displayname")
        try RegistrationRoutes.checkDevice(in: body)

        try shared.check(
            SharedSecretRegistration.Request(
                nonce: nonce.string ?? "", username: username, password: password, isAdmin: isAdmin, userType: userType),
            mac: mac)
        let user = try await context.homeserver.registration.register(
            name: username, password: password, displayName: displayName, isAdmin: isAdmin, userType: userType)
        return try await RegistrationRoutes.answer(to: user, parameters: JSONObject(body), context)
    }

    private static func text(_ key: String, in body: JSON) throws(MatrixError) -> String {
        guard let value = body[key] else { throw .badJSON("\(key) must be specified") }
        guard let text = value.string, text.unicodeScalars.count <= parameterLimit, !text.utf8.contains(0) else {
            throw .unknown("Invalid \(key)", status: 400)
        }
        return text
    }

    /// Old tools send `admin` as something else than a boolean: what Python takes for true is true.
    private static func isTrue(_ value: JSON?) -> Bool {
        guard let value else { return false }
        return switch value.kind {
        case .null: false
        case .bool: value.bool == true
        case .string: value.string?.isEmpty == false
        case .array, .object: value.count > 0
        default: value.double != 0
        }
    }
}
