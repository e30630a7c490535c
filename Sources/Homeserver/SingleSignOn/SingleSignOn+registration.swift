// The pages between somebody's first login and their account: which name they want, and what of theirs is taken over.

import Federation
import MatrixCore
import Persistence

extension SingleSignOn {
    /// What somebody has chosen on the page about their account.
    package struct Choice: Sendable {
        package let localpart: String
        package let usesDisplayName: Bool
        package let usesPicture: Bool
        package let emails: [String]

        package init(localpart: String, usesDisplayName: Bool, usesPicture: Bool = true, emails: [String]) {
            self.localpart = localpart
            self.usesDisplayName = usesDisplayName
            self.usesPicture = usesPicture
            self.emails = emails
        }
    }

    /// The name of the cookie by which a registration is found.
    package static let registrationCookie = SignOnRegistrations.cookieName

    /// The page on which a name is chosen.
    package func accountDetails(_ cookie: String?) async throws -> SignOnAnswer {
        details(try await registrations.registration(cookie))
    }

    /// Whether a name is free. Only those are told who have a registration under way: others could try out whom there is.
    package func isAvailable(_ localpart: String, _ cookie: String?) async throws -> Bool {
        do {
            _ = try await registrations.registration(cookie)
        } catch let failure as SignOnFailure {
            throw MatrixError.unknown(failure.message, status: 400)
        }
        try Localpart.check(localpart, server: accounts.serverName)
        let user = UserID(localpart: ByteString(localpart), server: accounts.serverName)
        try self.registration.services.check(user)
        return try await !accounts.isTaken(user)
    }

    /// Takes a choice. A name that cannot be had is asked for again.
    package func choose(_ choice: Choice, _ cookie: String?) async throws -> SignOnAnswer {
        var registration = try await registrations.registration(cookie)
        registration.localpart = choice.localpart
        registration.isConfirmed = true
        registration.usesDisplayName = choice.usesDisplayName
        registration.usesPicture = choice.usesPicture
        registration.usedEmails = registration.emails.filter { email in choice.emails.contains { ByteString($0) == ByteString(email) } }
        do {
            guard try await isAvailable(choice.localpart, cookie) else { return details(registration, error: "This name is taken.") }
        } catch let error as MatrixError where error.errcode == "M_INVALID_USERNAME" || error.errcode == "M_EXCLUSIVE" {
            return details(registration, error: error.message)
        }
        try await registrations.update(registration, cookie ?? "")
        return .redirect(nextStep(of: registration) ?? "/_synapse/client/sso_register")
    }

    /// The page on which somebody agrees to the terms.
    package func terms(_ cookie: String?) async throws -> SignOnAnswer {
        let registration = try await registrations.registration(cookie)
        guard let localpart = registration.localpart else { throw Self.noName }
        guard let version = termsVersion else { return .redirect("/_synapse/client/sso_register") }
        return .page(
            "sso_new_user_consent.html",
            [
                "user_id": .string(UserID(localpart: ByteString(localpart), server: accounts.serverName).string),
                "user_profile": ["display_name": registration.displayName.map { .string($0) } ?? .null],
                "consent_version": .string(version), "terms_url": .string("/_matrix/consent?v=\(PercentEncoding.encode(version))"),
            ])
    }

    /// Notes which version of the terms somebody agrees to. Another one than that in force is asked for again.
    package func agree(toTerms version: String, _ cookie: String?) async throws -> SignOnAnswer {
        var registration = try await registrations.registration(cookie)
        registration.termsVersion = version
        try await registrations.update(registration, cookie ?? "")
        return .redirect(nextStep(of: registration) ?? "/_synapse/client/sso_register")
    }

    /// Makes the account, when everything is said.
    package func register(_ cookie: String?) async throws -> SignOnAnswer {
        let registration = try await registrations.registration(cookie)
        if let next = nextStep(of: registration) { return .redirect(next) }
        var answer = try await register(registration)
        let secret = cookie ?? ""
        try await database.write { try SignOnRegistrationStore.delete(TokenHash(secret).bytes, on: $0) }
        answer.cookies.append(SignOnRegistrations.cookie("").forgotten)
        return answer
    }

    static let noName = SignOnFailure("no_user", "No user name has been selected.")

    private func details(_ registration: SignOnRegistration, error: String? = nil) -> SignOnAnswer {
        var values: TemplateValues = [
            "user_attributes": [
                "localpart": .string(registration.localpart ?? ""),
                "display_name": registration.displayName.map { .string($0) } ?? .null,
                "emails": .array(registration.emails.map { .string($0) }),
                "avatar_url": registration.picture.map { .string($0) } ?? .null,
            ]
        ]
        values["idp"] = provider(registration.provider.provider)?.appearance.templateValue
        values["error"] = error.map { .string($0) }
        return .page("sso_auth_account_details.html", values)
    }
}
