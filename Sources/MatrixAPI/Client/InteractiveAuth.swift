// User-interactive authentication of endpoints. Client-Server API §User-Interactive Authentication API.

import Homeserver
import MatrixCore

extension APIContext {
    /// What a session of user-interactive authentication is bound to: this endpoint, and who calls it.
    package var interactiveOperation: InteractiveAuthSession.Operation {
        InteractiveAuthSession.Operation(method: request.method.name, path: request.path, user: optionalRequester?.user)
    }

    /// Asks the requester for their password, or for whatever `flows` say, before an operation goes on.
    ///
    /// - Throws: `InteractiveAuthRequired` until it is given, see `answeringChallenges`; `M_FORBIDDEN` for somebody else's password.
    @discardableResult
    package func authenticateInteractively(
        _ body: JSON, flows: [InteractiveAuthSession.Flow] = [["m.login.password"]]
    ) async throws -> InteractiveAuthSession {
        let user = try requester.user
        let login = homeserver.login
        let session = try await homeserver.interactiveAuthentication.authenticate(
            interactiveOperation, body: body, flows: flows, secrets: ["password", "new_password"]
        ) { stage, auth in
            guard stage == "m.login.password" else { throw MatrixError.unknown("Unknown stage", status: 400) }
            return try await login.verifyStage(auth)
        }
        guard session.provenUser == user else { throw MatrixError.forbidden("Invalid auth") }
        return session
    }
}

/// Runs a handler, and answers 401 with the stages where it needs further authentication.
package func answeringChallenges(_ handler: () async throws -> APIResponse) async throws -> APIResponse {
    do {
        return try await handler()
    } catch let challenge as InteractiveAuthRequired {
        return .json(status: 401, bytes: challenge.body)
    }
}
