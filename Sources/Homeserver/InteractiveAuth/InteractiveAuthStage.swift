// What a stage of user-interactive authentication is. Client-Server API §Authentication types.

import MatrixCore
import Persistence

/// A way to prove something. Each stands in a file of its own in `Stages`; `Homeserver` says which there are.
package protocol InteractiveAuthStage: Sendable {
    /// `m.login.…`
    static var type: String { get }
    /// Whether it may be done although no flow asks for it: true where it proves nothing about an account.
    var isVoluntary: Bool { get }
    /// What clients are told of the stage, in `params`.
    var parameters: JSONObject? { get }

    /// Checks the credentials of a request.
    ///
    /// - Throws: `MatrixError`; one with a status of 4xx is told in a challenge, and the client may try again.
    func verify(_ submission: StageSubmission) async throws -> StageOutcome
}

extension InteractiveAuthStage {
    package var type: String { Self.type }
    package var isVoluntary: Bool { true }
    package var parameters: JSONObject? { nil }
}

/// What a request presents for a stage.
package struct StageSubmission: Sendable {
    /// The `auth` object.
    package let auth: JSON
    package let session: InteractiveAuthSession
    /// Where the request comes from.
    package let address: String

    package init(auth: JSON, session: InteractiveAuthSession, address: String) {
        self.auth = auth
        self.session = session
        self.address = address
    }
}

/// What a stage has found, and what is to be done when that is stored.
package struct StageOutcome: Sendable {
    package var result: StageResult
    /// Run in the transaction that notes the stage as done. A thrown `MatrixError` undoes both.
    package var alongside: (@Sendable (any SQLConnection) throws -> Void)?

    package init(_ result: StageResult = StageResult(), alongside: (@Sendable (any SQLConnection) throws -> Void)? = nil) {
        self.result = result
        self.alongside = alongside
    }
}

/// An address that somebody has shown to be theirs.
package struct ProvenThirdPartyID: Sendable, Hashable {
    package let medium: String
    /// In canonical form.
    package let address: String
    package let validated: Timestamp

    package init(medium: String, address: String, validated: Timestamp) {
        self.medium = medium
        self.address = address
        self.validated = validated
    }
}

/// What a stage has found: whose credentials were right, which address was shown, by which token.
package struct StageResult: Sendable, Hashable {
    package var user: UserID?
    package var thirdPartyID: ProvenThirdPartyID?
    /// The registration token that is held for the session.
    package var token: String?

    package init(user: UserID? = nil, thirdPartyID: ProvenThirdPartyID? = nil, token: String? = nil) {
        self.user = user
        self.thirdPartyID = thirdPartyID
        self.token = token
    }

    /// As it is stored; the token has a column of its own.
    var json: [UInt8] {
        var object: JSONObject = [:]
        object["user"] = user.map { .string($0.string) }
        if let thirdPartyID {
            object["medium"] = .string(thirdPartyID.medium)
            object["address"] = .string(thirdPartyID.address)
            object["validated_at"] = .int(thirdPartyID.validated.milliseconds)
        }
        return JSONValue.object(object).canonicalBytes
    }

    init(json: [UInt8]) throws {
        let object = try JSONDocument(parsing: json).root
        user = object["user"]?.string.map { UserID(trusted: $0) }
        if let medium = object["medium"]?.string, let address = object["address"]?.string, let validated = object["validated_at"]?.int {
            thirdPartyID = ProvenThirdPartyID(medium: medium, address: address, validated: Timestamp(milliseconds: validated))
        }
    }
}
