// Somebody whose account is about to be made: what the provider has told, and what they have chosen since.

import MatrixCore
import Persistence

/// A registration by single sign-on, between the pages that lead to it.
package struct SignOnRegistration: Sendable, Equatable {
    package let provider: ProviderSession
    package let subject: String
    package let client: ClientRedirect
    package let extraAttributes: JSONObject
    /// What the provider suggests.
    package let displayName: String?
    package let emails: [String]
    package let picture: String?

    /// nil: not yet chosen.
    package var localpart: String?
    /// False where the localpart is only a suggestion.
    package var isConfirmed = true
    package var usesDisplayName = true
    package var usesPicture = true
    package var usedEmails: [String]
    /// The version of the terms that were agreed to.
    package var termsVersion: String?

    package init(_ person: SignOnPerson, _ attributes: SignOnAttributes, client: ClientRedirect) {
        provider = person.provider
        subject = person.subject
        extraAttributes = person.extraAttributes
        self.client = client
        displayName = attributes.displayName
        emails = attributes.emails
        picture = attributes.picture
        usedEmails = attributes.emails
        localpart = attributes.localpart
        isConfirmed = !attributes.confirmsLocalpart
    }

    // MARK: As it is stored

    init?(_ row: SignOnRegistrationRow) throws {
        let content = try JSONDocument(parsing: row.content).root
        guard let subject = content["subject"]?.string, let client = content["client"]?.string.flatMap({ ClientRedirect($0) }) else {
            return nil
        }
        provider = row.provider
        self.subject = subject
        self.client = client
        extraAttributes = content["extra"].map { JSONObject($0) } ?? [:]
        displayName = content["display_name"]?.string
        emails = content["emails"]?.elements.compactMap(\.string) ?? []
        picture = content["picture"]?.string
        usesPicture = content["uses_picture"]?.bool ?? true
        localpart = content["localpart"]?.string
        isConfirmed = content["confirmed"]?.bool ?? true
        usesDisplayName = content["uses_display_name"]?.bool ?? true
        usedEmails = content["used_emails"]?.elements.compactMap(\.string) ?? []
        termsVersion = content["terms"]?.string
    }

    var content: [UInt8] {
        var content: JSONObject = [
            "subject": .string(subject), "client": .string(client.address), "extra": .object(extraAttributes),
            "emails": .array(emails.map { .string($0) }), "used_emails": .array(usedEmails.map { .string($0) }),
            "uses_display_name": .bool(usesDisplayName), "uses_picture": .bool(usesPicture), "confirmed": .bool(isConfirmed),
        ]
        content["picture"] = picture.map { .string($0) }
        content["display_name"] = displayName.map { .string($0) }
        content["localpart"] = localpart.map { .string($0) }
        content["terms"] = termsVersion.map { .string($0) }
        return content.canonicalBytes
    }
}

/// Keeps registrations in the database; the browser has the secret that finds one.
struct SignOnRegistrations: Sendable {
    /// How long somebody may take, in milliseconds.
    private static let lifetime: Int64 = 15 * 60 * 1000
    static let cookieName = "username_mapping_session"

    let database: any Database

    /// - Returns: the cookie that stands for it.
    func begin(_ registration: SignOnRegistration) async throws -> SignOnCookie {
        let secret = SessionToken.randomLetters(32), now = Timestamp.now
        let hash = TokenHash(secret).bytes
        let row = SignOnRegistrationRow(
            expiry: now.advanced(byMilliseconds: Self.lifetime), provider: registration.provider, content: registration.content)
        try await database.write { try SignOnRegistrationStore.insert(hash, row, at: now, on: $0) }
        return Self.cookie(secret)
    }

    /// - Throws: `SignOnFailure` where there is none, or it has taken too long.
    func registration(_ secret: String?) async throws -> SignOnRegistration {
        guard let secret else { throw SignOnFailure("bad_session", "missing session_id") }
        let hash = TokenHash(secret).bytes
        guard let row = try await database.read({ try SignOnRegistrationStore.registration(hash, on: $0) }), row.expiry > .now,
            let registration = try SignOnRegistration(row)
        else { throw SignOnFailure("bad_session", "unknown session") }
        return registration
    }

    func update(_ registration: SignOnRegistration, _ secret: String) async throws {
        let (hash, content) = (TokenHash(secret).bytes, registration.content)
        try await database.write { try SignOnRegistrationStore.setContent(content, of: hash, on: $0) }
    }

    static func cookie(_ secret: String) -> SignOnCookie {
        SignOnCookie(name: cookieName, value: secret, path: "_synapse/client", lifetime: .milliseconds(lifetime))
    }
}
