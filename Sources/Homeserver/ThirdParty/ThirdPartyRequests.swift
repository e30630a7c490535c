// Which addresses may be shown for what: the rules around `…/requestToken`. Client-Server API §Adding Account Administrative Contact
// Information, §Password management, §Account registration.

import MatrixCore
import Persistence
import ServerConfiguration

/// Decides about requests for messages by which addresses are validated, and has them sent.
package struct ThirdPartyRequests: Sendable {
    let database: any Database
    /// nil: this server sends no mail.
    private let validation: EmailValidation?
    /// nil: nobody validates telephone numbers.
    let phones: PhoneValidation?
    private let rateLimits: RateLimiter
    let options: RegistrationOptions
    let isRegistrationEnabled: Bool

    package init(
        database: any Database, validation: EmailValidation?, phones: PhoneValidation? = nil, rateLimits: RateLimiter,
        options: RegistrationOptions, isRegistrationEnabled: Bool
    ) {
        self.database = database
        self.validation = validation
        self.phones = phones
        self.rateLimits = rateLimits
        self.options = options
        self.isRegistrationEnabled = isRegistrationEnabled
    }

    /// Reads a link that a client gives along.
    ///
    /// - Throws: `M_INVALID_PARAM`.
    package func nextLink(_ url: String?) throws(MatrixError) -> NextLink? {
        guard let url else { return nil }
        return try NextLink(url, allowedHosts: options.nextLinkHosts)
    }

    /// Sends a link for a registration with the address.
    ///
    /// - Returns: the session's id.
    /// - Throws: `M_FORBIDDEN` where registration is closed, `M_THREEPID_DENIED`, `M_LIMIT_EXCEEDED`; `M_THREEPID_IN_USE`, unless that is
    ///   not told.
    package func beginRegistration(_ request: EmailValidation.Request, from address: String) async throws -> String {
        guard let validation else { throw Self.noMail("Email-based registration has been disabled on this server") }
        guard isRegistrationEnabled else { throw MatrixError.forbidden("Registration is disabled on this homeserver") }
        try checkAllowed(request.address)
        try checkRate(of: request.address.text, from: address)
        let isTaken = try await owner(of: request.address) != nil
        if isTaken, !options.hidesThirdPartyIDs { throw MatrixError.threePIDInUse }
        return try await validation.begin(
            request, for: .registration, delivery: isTaken ? .alreadyInUse : options.hidesThirdPartyIDs ? .unobserved : .awaited)
    }

    /// Sends a link by which the account with the address gets a new password.
    ///
    /// - Throws: `M_LIMIT_EXCEEDED`; `M_THREEPID_NOT_FOUND`, unless that is not told.
    package func beginPasswordReset(_ request: EmailValidation.Request, from address: String) async throws -> String {
        guard let validation else { throw Self.noMail("Email-based password resets have been disabled on this server") }
        try checkRate(of: request.address.text, from: address)
        let isKnown = try await owner(of: request.address) != nil
        if !isKnown, !options.hidesThirdPartyIDs { throw MatrixError.threePIDNotFound }
        return try await validation.begin(
            request, for: .passwordReset, delivery: !isKnown ? .none : options.hidesThirdPartyIDs ? .unobserved : .awaited)
    }

    /// Sends a link by which the address can be added to an account.
    ///
    /// - Throws: `M_FORBIDDEN` where nobody may, `M_THREEPID_MEDIUM_NOT_SUPPORTED`, `M_THREEPID_DENIED`, `M_LIMIT_EXCEEDED`;
    ///   `M_THREEPID_IN_USE`, unless that is not told.
    package func beginAddition(_ request: EmailValidation.Request, from address: String) async throws -> String {
        try checkChangesAreAllowed()
        guard let validation else {
            throw MatrixError.threePIDMediumNotSupported("Adding an email to your account is disabled on this server")
        }
        try checkAllowed(request.address)
        try checkRate(of: request.address.text, from: address)
        let isTaken = try await owner(of: request.address) != nil
        if isTaken, !options.hidesThirdPartyIDs { throw MatrixError.threePIDInUse }
        return try await validation.begin(
            request, for: .addition, delivery: isTaken ? .none : options.hidesThirdPartyIDs ? .unobserved : .awaited)
    }

    /// `enable_3pid_changes`.
    package func checkChangesAreAllowed() throws(MatrixError) {
        guard options.allowsThirdPartyChanges else {
            throw MatrixError(status: 400, errcode: "M_FORBIDDEN", message: "3PID changes are disabled on this server")
        }
    }

    // MARK: Steps

    private func checkAllowed(_ address: EmailAddress) throws(MatrixError) {
        guard options.allows(address.text, of: EmailAddress.medium) else { throw .threePIDDenied }
    }

    /// `rc_3pid_validation`, for who asks and for who would get the message.
    func checkRate(of address: String, from remote: String) throws(MatrixError) {
        try rateLimits.check(.thirdPartyValidation, of: ByteString("from \(remote)"))
        try rateLimits.check(.thirdPartyValidation, of: ByteString("to \(address)"))
    }

    private func owner(of address: EmailAddress) async throws -> UserID? {
        try await database.read { try ThirdPartyStore.user(EmailAddress.medium, address.text, on: $0) }
    }

    private static func noMail(_ message: String) -> MatrixError { .unknown(message, status: 400) }
}
