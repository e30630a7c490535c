// Synapse's `/_synapse/admin/v1/registration_tokens`: the tokens that let people register.

import Homeserver
import MatrixCore
import Persistence

enum RegistrationTokenAdminRoutes {
    private static let path = "/_synapse/admin/v1/registration_tokens"

    static let table: [Route] = [
        Route(.get, path, access: .admin, list),
        Route(.post, path + "/new", access: .admin, create),
        Route(.get, path + "/{token}", access: .admin, show),
        Route(.put, path + "/{token}", access: .admin, change),
        Route(.delete, path + "/{token}", access: .admin, remove),
    ]

    private static func list(_ context: APIContext) async throws -> APIResponse {
        let tokens = try await context.homeserver.registrationTokens.tokens(isValid: try context.queryBool("valid"))
        return .object { body in
            body.member("registration_tokens", array: { list in for token in tokens { list.object { write(token, to: &$0) } } })
        }
    }

    private static func create(_ context: APIContext) async throws -> APIResponse {
        let body = try context.optionalBody()
        let token = try body["token"].map { value throws(MatrixError) -> String in
            guard let text = value.string else { throw .invalidParam("token must be a string") }
            guard RegistrationTokens.isWellFormed(text) else {
                throw .invalidParam(
                    "token must have 1 to \(RegistrationTokens.lengthLimit) characters of A-Z, a-z, 0-9, '.', '_', '~' and '-'")
            }
            return text
        }
        var length = RegistrationTokens.defaultLength
        if let value = body["length"] {
            guard let number = value.int, (1...Int64(RegistrationTokens.lengthLimit)).contains(number) else {
                throw MatrixError.invalidParam("length must be an integer from 1 to \(RegistrationTokens.lengthLimit)")
            }
            length = Int(number)
        }
        let row = try await context.homeserver.registrationTokens.create(
            token, length: length, usesAllowed: try uses(in: body) ?? nil, expiry: try expiry(in: body) ?? nil)
        return .object { write(row, to: &$0) }
    }

    private static func show(_ context: APIContext) async throws -> APIResponse {
        let row = try await context.homeserver.registrationTokens.token(try context.parameter("token"))
        return try answer(row)
    }

    private static func change(_ context: APIContext) async throws -> APIResponse {
        let body = try context.body()
        var change = RegistrationTokens.Change()
        change.usesAllowed = try uses(in: body)
        change.expiry = try expiry(in: body)
        return try answer(try await context.homeserver.registrationTokens.change(try context.parameter("token"), change))
    }

    private static func remove(_ context: APIContext) async throws -> APIResponse {
        guard try await context.homeserver.registrationTokens.delete(try context.parameter("token")) else { throw unknown }
        return .empty
    }

    // MARK: Steps

    /// What the body says of a limit: nil where it says nothing, nil inside where there is to be none.
    private static func uses(in body: JSON) throws(MatrixError) -> Int64?? {
        guard let value = body["uses_allowed"] else { return nil }
        if value.isNull { return .some(nil) }
        guard let number = value.int, number >= 0 else { throw .invalidParam("uses_allowed must be a non-negative integer or null") }
        return .some(number)
    }

    private static func expiry(in body: JSON) throws(MatrixError) -> Timestamp?? {
        guard let value = body["expiry_time"] else { return nil }
        if value.isNull { return .some(nil) }
        guard let time = value.int else { throw .invalidParam("expiry_time must be an integer or null") }
        guard time >= Timestamp.now.milliseconds else { throw .invalidParam("expiry_time must not be in the past") }
        return .some(Timestamp(milliseconds: time))
    }

    private static func answer(_ row: RegistrationTokenRow?) throws(MatrixError) -> APIResponse {
        guard let row else { throw unknown }
        return .object { write(row, to: &$0) }
    }

    private static func write(_ row: RegistrationTokenRow, to body: inout JSONWriter) {
        body.member("token", row.token)
        if let uses = row.usesAllowed { body.member("uses_allowed", uses) } else { body.member("uses_allowed", JSONValue.null) }
        body.member("pending", row.pending)
        body.member("completed", row.completed)
        if let expiry = row.expiry { body.member("expiry_time", expiry) } else { body.member("expiry_time", JSONValue.null) }
    }

    private static var unknown: MatrixError { .notFound("No such registration token") }
}
