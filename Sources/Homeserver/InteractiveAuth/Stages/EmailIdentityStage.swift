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
        let credentials = try ThirdPartyCredentials(auth: submission.auth)
        let (session, purpose) = (credentials.session, ProofPurpose(of: submission.session))
        guard let proven = try await validation.validated(session, secret: credentials.secret, for: purpose) else {
            throw ThirdPartyCredentials.notProven
        }
        return StageOutcome(StageResult(thirdPartyID: proven)) { connection in
            // One proof is good for one session.
            guard try ThirdPartySessionStore.consume(session, on: connection) else { throw ThirdPartyCredentials.notProven }
        }
    }
}

/// What a stage is given that asks for an address or a number: the session in which it was shown. Client-Server API §Authentication types.
struct ThirdPartyCredentials {
    let session: String
    let secret: ClientSecret

    /// - Throws: `M_MISSING_PARAM`, `M_INVALID_PARAM`.
    init(auth: JSON) throws(MatrixError) {
        guard let credentials = auth["threepid_creds"] ?? auth["threepidCreds"], credentials.isObject,
            let session = credentials["sid"]?.string, let secret = credentials["client_secret"]?.string
        else { throw .missingParam("Missing threepid_creds") }
        self.session = session
        self.secret = try ClientSecret(secret)
    }

    static let notProven = MatrixError.unauthorized("Unable to get validated threepid")
}
