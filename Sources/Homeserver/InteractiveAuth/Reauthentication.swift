// Whether those who are logged in are who they say, before something that matters. Client-Server API §User-Interactive Authentication API.

import MatrixCore
import Persistence

/// Asks users for a proof of who they are, unless they have given one lately.
package struct Reauthentication: Sendable {
    private let database: any Database
    private let interactive: InteractiveAuthentication
    private let login: LoginService
    private let signOn: SingleSignOn?
    /// `ui_auth.session_timeout`.
    private let timeout: Duration

    package init(
        database: any Database, interactive: InteractiveAuthentication, login: LoginService, signOn: SingleSignOn? = nil, timeout: Duration
    ) {
        self.database = database
        self.interactive = interactive
        self.login = login
        self.signOn = signOn
        self.timeout = timeout
    }

    /// Leads one request of the requester's through the stages.
    ///
    /// - Parameter mayBeRecent: whether a proof of a while ago is enough: not for what cannot be undone.
    /// - Returns: the session; nil where a recent proof was enough.
    /// - Throws: `InteractiveAuthRequired` until the proof is given; `M_FORBIDDEN` for somebody else's.
    package func confirm(
        _ requester: Requester, _ operation: InteractiveAuthSession.Operation, body: JSON, mayBeRecent: Bool, from address: String
    ) async throws -> InteractiveAuthSession? {
        if mayBeRecent, try await hasRecentProof(requester) { return nil }
        let session = try await interactive.authenticate(
            operation, body: body, flows: try await flows(for: requester.user), secrets: ["password", "new_password"], from: address)
        guard session.provenUser == requester.user else { throw MatrixError.forbidden("Invalid auth") }
        try await database.write { try SessionStore.setValidated(accessToken: requester.tokenID, at: .now, on: $0) }
        return session
    }

    /// What a user can prove who they are by: one stage is enough.
    private func flows(for user: UserID) async throws -> [InteractiveAuthSession.Flow] {
        let isKnownToProvider = try await signOn?.canConfirm(user) ?? false
        return try await (login.reauthenticationStages(for: user) + (isKnownToProvider ? [SingleSignOnStage.type] : [])).map { [$0] }
    }

    private func hasRecentProof(_ requester: Requester) async throws -> Bool {
        guard timeout > .zero else { return false }
        let last = try await database.read { try SessionStore.lastValidated(accessToken: requester.tokenID, on: $0) }
        guard let last else { return false }
        return Timestamp.now.milliseconds - last.milliseconds < timeout.milliseconds
    }
}
