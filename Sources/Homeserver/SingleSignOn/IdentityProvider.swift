// Those who say who somebody is, and what they say. Client-Server API §SSO client login/authentication.

import MatrixCore
import Persistence
import ServerConfiguration

/// A service at which people show who they are. Each kind has a folder of its own.
package protocol IdentityProvider: Sendable {
    var appearance: ProviderAppearance { get }

    /// Where a browser goes so that its user shows who they are.
    ///
    /// - Parameter query: the parameters of the request by which the client began.
    /// - Throws: `SignOnFailure`.
    func begin(_ purpose: SignOnPurpose, query: (String) -> String?) async throws -> SignOnAnswer
}

/// What somebody shows who they are for.
package enum SignOnPurpose: Sendable, Hashable {
    /// To be logged in; the client gets a token.
    case login(client: ClientRedirect)
    /// To confirm an operation: the session of user-interactive authentication.
    case confirmation(session: String)
}

/// Somebody who has shown who they are, as the provider tells it.
package struct SignOnPerson: Sendable {
    package let provider: ProviderSession
    /// Unique at the provider, and for ever.
    package let subject: String
    /// An account of the same name that is here already is theirs.
    package let mayTakeExistingAccount: Bool
    package let isRegistrationEnabled: Bool
    /// Members that the answer of the login has besides.
    package let extraAttributes: JSONObject
    /// What an account of theirs would be like, when so many names before were taken.
    package let attributes: @Sendable (_ failures: Int) throws(SignOnFailure) -> SignOnAttributes

    package init(
        provider: ProviderSession, subject: String, mayTakeExistingAccount: Bool, isRegistrationEnabled: Bool,
        extraAttributes: JSONObject = [:], attributes: @escaping @Sendable (_ failures: Int) throws(SignOnFailure) -> SignOnAttributes
    ) {
        self.provider = provider
        self.subject = subject
        self.mayTakeExistingAccount = mayTakeExistingAccount
        self.isRegistrationEnabled = isRegistrationEnabled
        self.extraAttributes = extraAttributes
        self.attributes = attributes
    }
}

/// What an account is made from.
package struct SignOnAttributes: Sendable, Equatable {
    /// nil: the user chooses.
    package var localpart: String?
    /// The user may choose another localpart.
    package var confirmsLocalpart = false
    package var displayName: String?
    package var emails: [String] = []
    /// Where the person's picture is.
    package var picture: String?

    package init(localpart: String?, confirmsLocalpart: Bool = false, displayName: String? = nil, emails: [String] = []) {
        self.localpart = localpart
        self.confirmsLocalpart = confirmsLocalpart
        self.displayName = displayName
        self.emails = emails
    }
}

extension AttributeRequirement {
    /// Whether the attributes of somebody are as required.
    package static func areMet(_ requirements: [AttributeRequirement], by attributes: [String: [String]]) -> Bool {
        requirements.allSatisfy { requirement in
            guard let values = attributes[requirement.attribute] else { return false }
            let wanted = requirement.values.map { ByteString($0) }
            return wanted.isEmpty || values.contains { wanted.contains(ByteString($0)) }
        }
    }
}
