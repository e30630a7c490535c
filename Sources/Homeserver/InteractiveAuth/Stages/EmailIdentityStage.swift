// Client-Server API §Email-based (identity / homeserver).

import MatrixCore
import Persistence

/// An address that somebody has shown to be theirs, by the link that was sent to it.
package struct EmailIdentityStage: InteractiveAuthStage {
    package static let type = "m.login.email.identity"

    private let validation: EmailValidation

    package init(validation: EmailValidation) {
        self.validation = validation
    }

    package func verify(_ submission: StageSubmission) async throws -> StageOutcome {
        guard let credentials = submission.auth["threepid_creds"] ?? submission.auth["threepidCreds"], credentials.isObject,
            let session = credentials["sid"]?.string, let secret = credentials["client_secret"]?.string
        else { throw MatrixError.missingParam("Missing threepid_creds") }
        let proven = try await validation.validated(session, secret: try ClientSecret(secret), for: Self.purpose(of: submission.session))
        guard let proven else { throw MatrixError.unauthorized("Unable to get validated threepid") }
        return StageOutcome(StageResult(thirdPartyID: proven)) { connection in
            // One proof is good for one session.
            guard try ThirdPartySessionStore.consume(session, on: connection) else {
                throw MatrixError.unauthorized("Unable to get validated threepid")
            }
        }
    }

    /// What a proof must have been given for: a link that says "register" resets no password.
    package static func purpose(of session: InteractiveAuthSession) -> EmailValidation.Purpose {
        session.operation.path.hasSuffix("/register") ? .registration : .passwordReset
    }
}
