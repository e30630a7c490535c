// Client-Server API §Token-authenticated registration.

import MatrixCore
import Persistence

/// A token of the operator's. It is held for the session, so that nobody else uses it up in the meantime.
package struct RegistrationTokenStage: InteractiveAuthStage {
    package static let type = "m.login.registration_token"

    private let tokens: RegistrationTokens
    private let rateLimits: RateLimiter

    package init(tokens: RegistrationTokens, rateLimits: RateLimiter) {
        self.tokens = tokens
        self.rateLimits = rateLimits
    }

    package func verify(_ submission: StageSubmission) async throws -> StageOutcome {
        guard let value = submission.auth["token"] else { throw MatrixError.missingParam("Missing registration token") }
        guard let token = value.string else { throw MatrixError.invalidParam("Registration token must be a string") }
        // Guessing here is no easier than by asking for the validity of tokens.
        let guesser = ByteString(submission.address)
        try rateLimits.check(.registrationTokenValidity, of: guesser, isCounted: false)
        guard try await tokens.isValid(token) else {
            rateLimits.note(.registrationTokenValidity, of: guesser)
            throw Self.refusal
        }
        return StageOutcome(StageResult(token: token)) { connection in
            guard try RegistrationTokenStore.reserve(token, at: .now, on: connection) else { throw Self.refusal }
        }
    }

    private static let refusal = MatrixError.unauthorized("Invalid registration token")
}
