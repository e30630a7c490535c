// Client-Server API §Single Sign-On.

import MatrixCore

/// Whoever the provider knows as the owner of an account is its owner. It is done on the fallback page: see `SingleSignOn.confirm`.
package struct SingleSignOnStage: InteractiveAuthStage {
    package static let type = "m.login.sso"
    package let isVoluntary = false

    package init() {}

    package func verify(_ submission: StageSubmission) async throws -> StageOutcome {
        throw MatrixError.forbidden("Single sign-on has not been completed.")
    }
}
