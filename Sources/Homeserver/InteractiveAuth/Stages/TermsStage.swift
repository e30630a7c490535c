// Client-Server API §Terms of service at registration.

import MatrixCore
import ServerConfiguration

/// The client says that the user has agreed to the terms.
package struct TermsStage: InteractiveAuthStage {
    package static let type = "m.login.terms"
    package let parameters: JSONObject?

    /// - Parameter publicBaseURL: with a slash at its end.
    package init(_ consent: ConsentOptions, publicBaseURL: String) {
        parameters = [
            "policies": [
                "privacy_policy": [
                    "version": .string(consent.version),
                    "en": ["name": .string(consent.policyName), "url": .string("\(publicBaseURL)_matrix/consent?v=\(consent.version)")],
                ]
            ]
        ]
    }

    package func verify(_ submission: StageSubmission) async throws -> StageOutcome { StageOutcome() }
}
