// The caller's account: who it is, its password, its end. Client-Server API §Account management.

import Homeserver
import MatrixCore

enum AccountRoutes {
    static let table: [Route] = [
        .client(.get, "/account/whoami", whoami),
        .client(.post, "/account/password", access: .optionalUser, setPassword),
        .client(.post, "/account/deactivate", deactivate),
        // MSC2000.
        .client(.get, "/password_policy", access: .open, passwordPolicy),
        // MSC3720.
        .client(.post, "/org.matrix.msc3720/account_status", versions: ["unstable"], accountStatus),
    ]

    private static func whoami(_ context: APIContext) throws -> APIResponse {
        let requester = try context.requester
        return .object { body in
            body.member("user_id", requester.user)
            body.member("is_guest", requester.isGuest)
            if let device = requester.device { body.member("device_id", device) }
        }
    }

    // MARK: The password

    /// A new password: for those who are logged in, by their old one; for those who are not, by a mail to their address or a code to their number.
    private static func setPassword(_ context: APIContext) async throws -> APIResponse {
        let (body, homeserver) = (try context.body(), context.homeserver)
        let password = try body.optionalString("new_password")
        _ = try body.optionalBool("logout_devices")
        if let password { try homeserver.passwordChange.policy.check(password) }
        return try await answeringChallenges {
            let session: InteractiveAuthSession?
            do {
                session = try await provenSession(body, context)
            } catch let challenge as InteractiveAuthRequired {
                try await homeserver.interactiveAuthentication.keep(password, of: challenge, hashedBy: homeserver.passwords)
                throw challenge
            }
            guard let session else { throw MatrixError.internalError }
            let hash: String?
            if let password { hash = try await homeserver.passwords.hash(password) } else { hash = session.passwordHash }
            guard let hash else { throw MatrixError.missingParam("Missing params: new_password") }
            let requester = context.optionalRequester
            try await homeserver.passwordChange.set(
                hash, of: try await owner(session, context), endsOtherSessions: session.parameters["logout_devices"]?.bool ?? true,
                keeping: requester?.device)
            // What was shown by mail is good for one password.
            if requester == nil { try await homeserver.interactiveAuthentication.end(session) }
            return .empty
        }
    }

    /// What a new password must be like, for clients that say so before one is chosen.
    private static func passwordPolicy(_ context: APIContext) -> APIResponse {
        let policy = context.homeserver.passwordChange.policy
        return .object { body in
            guard policy.isEnabled else { return }
            body.member("m.minimum_length", policy.minimumLength)
            body.member("m.require_digit", policy.requiresDigit)
            body.member("m.require_symbol", policy.requiresSymbol)
            body.member("m.require_lowercase", policy.requiresLowercase)
            body.member("m.require_uppercase", policy.requiresUppercase)
        }
    }

    private static func provenSession(_ body: JSON, _ context: APIContext) async throws -> InteractiveAuthSession? {
        if let requester = context.optionalRequester {
            guard !requester.isGuest else { throw MatrixError.guestForbidden }
            return try await context.authenticateInteractively(body)
        }
        let homeserver = context.homeserver
        let stages =
            (homeserver.emailValidation == nil ? [] : [EmailIdentityStage.type])
            + (homeserver.phoneValidation == nil ? [] : [PhoneStage.type])
        guard !stages.isEmpty else { throw MatrixError.missingToken }
        return try await homeserver.interactiveAuthentication.authenticate(
            context.interactiveOperation, body: body, flows: stages.map { [$0] }, secrets: ["new_password"],
            from: context.request.remoteAddress)
    }

    /// Whose password it is: the requester's, or of the account with what was shown first.
    private static func owner(_ session: InteractiveAuthSession, _ context: APIContext) async throws -> UserID {
        if let requester = context.optionalRequester { return requester.user }
        guard let proven = session.provenThirdPartyIDs.first,
            let user = try await context.homeserver.thirdPartyIdentifiers.user(proven.medium, proven.address)
        else { throw MatrixError.notFound("Address not found") }
        return user
    }

    // MARK: The end

    private static func deactivate(_ context: APIContext) async throws -> APIResponse {
        let (requester, body) = (try context.requester, try context.optionalBody())
        let erases = try body.optionalBool("erase") ?? false
        let identityServer = try body.optionalString("id_server")
        return try await answeringChallenges {
            // An application service ends the accounts of its users.
            if requester.service == nil { try await context.authenticateInteractively(body) }
            let isForgotten = try await context.homeserver.deactivation.deactivate(
                requester.user, erases: erases, identityServer: identityServer)
            return .object { $0.member("id_server_unbind_result", isForgotten ? "success" : "no-support") }
        }
    }

    // MARK: The accounts of others

    /// As many are asked for in one request.
    private static let statusLimit = 1000

    /// MSC3720, where the operator has switched it on. What other servers have to say of their users is not asked.
    private static func accountStatus(_ context: APIContext) async throws -> APIResponse {
        let homeserver = context.homeserver
        guard homeserver.configuration.tellsAccountStatus else { throw MatrixError.unrecognized }
        let names = try context.body().requiredStrings("user_ids")
        guard names.count <= statusLimit else { throw MatrixError.invalidParam("At most \(statusLimit) users at once") }
        var users: Set<UserID> = []
        for name in names {
            do { users.insert(try UserID(parsing: name)) } catch { throw MatrixError.invalidParam("Not a valid Matrix user ID: \(name)") }
        }
        let own = users.filter { $0.server == homeserver.serverName }
        let deactivations = try await homeserver.accounts.deactivations(of: Array(own))
        return .object { body in
            body.member(
                "account_statuses",
                object: { statuses in
                    for user in own.sorted() {
                        statuses.member(
                            user.string,
                            object: { status in
                                let isDeactivated = deactivations[user]
                                status.member("exists", isDeactivated != nil)
                                if let isDeactivated { status.member("deactivated", isDeactivated) }
                            })
                    }
                })
            body.member("failures", users.subtracting(own).sorted())
        }
    }
}
