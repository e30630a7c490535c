// Client-Server API §Phone number/MSISDN-based (identity / homeserver).

import MatrixCore
import Persistence

/// A telephone number that somebody has shown to be theirs, by the code that was sent to it.
package struct PhoneStage: InteractiveAuthStage {
    package static let type = "m.login.msisdn"

    private let validation: PhoneValidation

    package init(validation: PhoneValidation) {
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
            guard try PhoneValidation.consume(session, on: connection) else { throw ThirdPartyCredentials.notProven }
        }
    }
}
