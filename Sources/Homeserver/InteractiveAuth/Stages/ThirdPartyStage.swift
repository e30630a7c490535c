// Client-Server API §Email-based (identity / homeserver), §Phone number/MSISDN-based (identity / homeserver).

import MatrixCore
import Persistence

/// An address that somebody has shown to be theirs, by the link that was sent to it.
package typealias EmailIdentityStage = ThirdPartyStage<EmailValidation>
/// A telephone number that somebody has shown to be theirs, by the code that was sent to it.
package typealias PhoneStage = ThirdPartyStage<PhoneValidation>

/// How something is shown to be somebody's that can be written to.
package protocol ThirdPartyValidation: Sendable {
    /// `m.login.…`
    static var stageType: String { get }

    /// What a session has shown; nil where there is no such session, it is for something else, or it has shown nothing yet.
    func validated(_ session: String, secret: ClientSecret, for purpose: ProofPurpose) async throws -> ProvenThirdPartyID?

    /// Uses a session up; false if it was not there, because somebody else has used it.
    static func consume(_ session: String, on connection: any SQLConnection) throws -> Bool
}

extension EmailValidation: ThirdPartyValidation {
    package static let stageType = "m.login.email.identity"

    package static func consume(_ session: String, on connection: any SQLConnection) throws -> Bool {
        try ThirdPartySessionStore.consume(session, on: connection)
    }
}

extension PhoneValidation: ThirdPartyValidation {
    package static let stageType = "m.login.msisdn"
}

/// Takes what a session of a validation has shown.
package struct ThirdPartyStage<Validation: ThirdPartyValidation>: InteractiveAuthStage {
    package static var type: String { Validation.stageType }

    private let validation: Validation

    package init(validation: Validation) {
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
            guard try Validation.consume(session, on: connection) else { throw ThirdPartyCredentials.notProven }
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
