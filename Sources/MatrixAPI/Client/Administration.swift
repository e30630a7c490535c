// What administrators ask about users and do to them. Client-Server API §Server Administration.

import Homeserver
import MatrixCore
import Persistence

enum AdministrationRoutes {
    static let table: [Route] = [
        .client(.get, "/admin/whois/{userId}", legacy: true, whois),
        .client(.get, "/admin/lock/{userId}", versions: ["v1"], access: .admin, isLocked),
        .client(.put, "/admin/lock/{userId}", versions: ["v1"], access: .admin, setLocked),
        .client(.get, "/admin/suspend/{userId}", versions: ["v1"], access: .admin, isSuspended),
        .client(.put, "/admin/suspend/{userId}", versions: ["v1"], access: .admin, setSuspended),
        // Synapse's.
        Route(.get, "/_synapse/admin/v1/whois/{userId}", access: .admin, whois),
        Route(.put, "/_synapse/admin/v1/suspend/{userId}", access: .admin, suspend),
    ]

    // MARK: Sessions

    /// From where a user's devices were used. Everyone may ask about themselves.
    private static func whois(_ context: APIContext) async throws -> APIResponse {
        let (requester, user) = (try context.requester, try context.userID("userId"))
        guard requester.isAdmin || requester.user == user else { throw MatrixError.forbidden("You are not a server admin") }
        guard user.belongs(to: context.homeserver.serverName) else { throw MatrixError.unknown("Can only whois a local user", status: 400) }
        let rows = try await context.homeserver.devices.addresses(of: user)
        return .object { body in
            body.member("user_id", user)
            body.member(
                "devices",
                object: { devices in
                    for (device, rows) in rows {
                        devices.member(device.string, object: { write(rows, to: &$0) })
                    }
                })
        }
    }

    private static func write(_ rows: [UserAddressRow], to device: inout JSONWriter) {
        device.member(
            "sessions",
            array: { sessions in
                sessions.object { session in
                    session.member(
                        "connections",
                        array: { connections in
                            for row in rows {
                                connections.object { connection in
                                    connection.member("ip", row.address)
                                    connection.member("last_seen", row.lastSeen)
                                    connection.member("user_agent", row.userAgent)
                                }
                            }
                        })
                }
            })
    }

    // MARK: Moderation

    private static func isLocked(_ context: APIContext) async throws -> APIResponse {
        let account = try await context.homeserver.moderation.subject(try context.userID("userId"), of: try context.requester)
        return .object { $0.member("locked", account.isLocked) }
    }

    private static func setLocked(_ context: APIContext) async throws -> APIResponse {
        let isLocked = try context.body().requiredBool("locked")
        try await context.homeserver.moderation.setLocked(isLocked, try context.userID("userId"), by: try context.requester)
        return .object { $0.member("locked", isLocked) }
    }

    private static func isSuspended(_ context: APIContext) async throws -> APIResponse {
        let account = try await context.homeserver.moderation.subject(try context.userID("userId"), of: try context.requester)
        return .object { $0.member("suspended", account.isSuspended) }
    }

    private static func setSuspended(_ context: APIContext) async throws -> APIResponse {
        let isSuspended = try context.body().requiredBool("suspended")
        try await context.homeserver.moderation.setSuspended(isSuspended, try context.userID("userId"), by: try context.requester)
        return .object { $0.member("suspended", isSuspended) }
    }

    private static func suspend(_ context: APIContext) async throws -> APIResponse {
        let (isSuspended, user) = (try context.body().requiredBool("suspend"), try context.userID("userId"))
        try await context.homeserver.moderation.setSuspended(isSuspended, user, by: try context.requester)
        return .object { $0.member("user_\(user)_suspended", isSuspended) }
    }
}
