// Client-Server API §Password-based.

import MatrixCore

/// Whoever knows the password of an account is its owner.
package struct PasswordStage: InteractiveAuthStage {
    package static let type = "m.login.password"
    /// It would tell whether a password is right to who is not asked for one.
    package let isVoluntary = false

    private let login: LoginService

    package init(login: LoginService) {
        self.login = login
    }

    package func verify(_ submission: StageSubmission) async throws -> StageOutcome {
        StageOutcome(StageResult(user: try await login.verifyStage(submission.auth)))
    }
}
