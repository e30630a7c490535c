// User-interactive authentication of endpoints. Client-Server API §User-Interactive Authentication API.

import Homeserver
import MatrixCore

extension APIContext {
    /// What a session of user-interactive authentication is bound to: this endpoint, and who calls it.
    package var interactiveOperation: InteractiveAuthSession.Operation {
        InteractiveAuthSession.Operation(method: request.method.name, path: request.path, user: optionalRequester?.user)
    }

    /// Has the requester show who they are before an operation goes on.
    ///
    /// - Parameter mayBeRecent: whether it is enough that they have done so lately: not for what cannot be undone.
    /// - Returns: the session; nil where a recent proof was enough.
    /// - Throws: `InteractiveAuthRequired` until it is given, see `answeringChallenges`; `M_FORBIDDEN` for somebody else's proof.
    @discardableResult
    package func authenticateInteractively(_ body: JSON, mayBeRecent: Bool = false) async throws -> InteractiveAuthSession? {
        try await homeserver.reauthentication.confirm(
            try requester, interactiveOperation, body: body, mayBeRecent: mayBeRecent, from: request.remoteAddress)
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
