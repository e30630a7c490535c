// The third-party identifiers of the caller's account. Client-Server API §Adding Account Administrative Contact Information.

import Homeserver
import MatrixCore

enum ThirdPartyIdentifierRoutes {
    static let table: [Route] = [
        .client(.get, "/account/3pid", list),
        .client(.post, "/account/3pid", addAsBefore),
        .client(.post, "/account/3pid/add", add),
        .client(.post, "/account/3pid/bind", bind),
        .client(.post, "/account/3pid/unbind", unbind),
        .client(.post, "/account/3pid/delete", remove),
    ]

    private static func list(_ context: APIContext) async throws -> APIResponse {
        let rows = try await context.homeserver.thirdPartyIdentifiers.identifiers(of: try context.requester.user)
        return .object { body in
            body.member(
                "threepids",
                array: { list in
                    for row in rows {
                        list.object { entry in
                            entry.member("medium", row.medium)
                            entry.member("address", row.address)
                            entry.member("validated_at", row.validated)
                            entry.member("added_at", row.added)
                        }
                    }
                })
        }
    }

    private static func add(_ context: APIContext) async throws -> APIResponse {
        let (requester, body, homeserver) = (try context.requester, try context.body(), context.homeserver)
        try homeserver.thirdPartyRequests.checkChangesAreAllowed()
        let (session, secret) = (try body.requiredString("sid"), try ClientSecret(try body.requiredString("client_secret")))
        return try await answeringChallenges {
            try await context.authenticateInteractively(body)
            try await homeserver.thirdPartyIdentifiers.add(session: session, secret: secret, to: requester.user)
            return .empty
        }
    }

    /// The older form, without another proof of who asks.
    private static func addAsBefore(_ context: APIContext) async throws -> APIResponse {
        let (requester, body, homeserver) = (try context.requester, try context.body(), context.homeserver)
        try homeserver.thirdPartyRequests.checkChangesAreAllowed()
        guard let credentials = try body.optionalObject("three_pid_creds") ?? body.optionalObject("threePidCreds") else {
            throw MatrixError.missingParam("Missing param three_pid_creds")
        }
        try await homeserver.thirdPartyIdentifiers.add(
            session: try credentials.requiredString("sid"), secret: try ClientSecret(try credentials.requiredString("client_secret")),
            to: requester.user)
        return .empty
    }

    private static func remove(_ context: APIContext) async throws -> APIResponse {
        try context.homeserver.thirdPartyRequests.checkChangesAreAllowed()
        let (requester, body) = (try context.requester, try context.body())
        // A suspended user may add to how they can be reached, and not take away from it.
        if requester.isSuspended { throw MatrixError.userSuspended }
        let isForgotten = try await context.homeserver.thirdPartyIdentifiers.remove(
            try medium(body), try body.requiredString("address"), from: requester.user, at: try body.optionalString("id_server"))
        return answer(isForgotten)
    }

    // MARK: Identity servers

    private static func bind(_ context: APIContext) async throws -> APIResponse {
        let body = try context.body()
        let association = IdentityAssociation(
            server: try body.requiredString("id_server"), accessToken: try body.requiredString("id_access_token"),
            session: try body.requiredString("sid"), secret: try ClientSecret(try body.requiredString("client_secret")))
        try await context.homeserver.thirdPartyIdentifiers.bind(association, to: try context.requester.user)
        return .empty
    }

    private static func unbind(_ context: APIContext) async throws -> APIResponse {
        let body = try context.body()
        let isForgotten = try await context.homeserver.thirdPartyIdentifiers.unbind(
            try medium(body), try body.requiredString("address"), from: try context.requester.user,
            at: try body.optionalString("id_server"))
        return answer(isForgotten)
    }

    private static func medium(_ body: JSON) throws(MatrixError) -> String {
        let medium = try body.requiredString("medium")
        guard medium == "email" || medium == "msisdn" else { throw .invalidParam("medium must be email or msisdn") }
        return medium
    }

    private static func answer(_ isForgotten: Bool) -> APIResponse {
        .object { $0.member("id_server_unbind_result", isForgotten ? "success" : "no-support") }
    }
}
