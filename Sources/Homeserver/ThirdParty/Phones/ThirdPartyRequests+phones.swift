// Which telephone numbers may be shown for what: the rules around `…/msisdn/requestToken`, as there are for mail.

import MatrixCore
import Persistence

extension ThirdPartyRequests {
    /// Sends a code for a registration with the number.
    ///
    /// - Returns: the session's id.
    /// - Throws: `M_FORBIDDEN` where registration is closed; `M_THREEPID_DENIED`, `M_LIMIT_EXCEEDED`, what the identity server says;
    ///   `M_THREEPID_IN_USE`, unless that is not told.
    package func beginRegistration(_ request: PhoneValidation.Request, from address: String) async throws -> String {
        guard let phones else { throw MatrixError.unknown("Registration by phone number is not supported on this homeserver", status: 400) }
        guard isRegistrationEnabled else { throw MatrixError.forbidden("Registration is disabled on this homeserver") }
        try check(request.number, from: address)
        if try await isTaken(request.number) { return try await pretend(.threePIDInUse) }
        return try await phones.begin(request, for: .registration)
    }

    /// Sends a code by which the number can be added to an account.
    ///
    /// - Throws: `M_FORBIDDEN` where nobody may, `M_THREEPID_MEDIUM_NOT_SUPPORTED`; else as above.
    package func beginAddition(_ request: PhoneValidation.Request, from address: String) async throws -> String {
        try checkChangesAreAllowed()
        guard let phones else {
            throw MatrixError.threePIDMediumNotSupported("Adding phone numbers to user account is not supported by this homeserver")
        }
        try check(request.number, from: address)
        if try await isTaken(request.number) { return try await pretend(.threePIDInUse) }
        return try await phones.begin(request, for: .addition)
    }

    /// Sends a code by which the account with the number gets a new password.
    ///
    /// - Throws: `M_THREEPID_MEDIUM_NOT_SUPPORTED`, `M_LIMIT_EXCEEDED`, what the identity server says; `M_THREEPID_NOT_FOUND`, unless that
    ///   is not told.
    package func beginPasswordReset(_ request: PhoneValidation.Request, from address: String) async throws -> String {
        guard let phones else {
            throw MatrixError.threePIDMediumNotSupported("Password resets by phone number are not supported by this homeserver")
        }
        try checkRate(of: request.number.digits, from: address)
        guard try await isTaken(request.number) else { return try await pretend(.threePIDNotFound) }
        return try await phones.begin(request, for: .passwordReset)
    }

    // MARK: Steps

    private func check(_ number: PhoneNumber, from address: String) throws(MatrixError) {
        guard options.allows(number.digits, of: PhoneNumber.medium) else { throw .threePIDDenied }
        try checkRate(of: number.digits, from: address)
    }

    private func isTaken(_ number: PhoneNumber) async throws -> Bool {
        try await database.read { try ThirdPartyStore.user(PhoneNumber.medium, number.digits, on: $0) } != nil
    }

    /// No code is sent. Who may not know why waits for about as long as the identity server takes, and gets a session of nothing.
    private func pretend(_ error: MatrixError) async throws -> String {
        guard options.hidesThirdPartyIDs else { throw error }
        try await Task.sleep(for: .milliseconds(Int.random(in: 100...1000)))
        return SessionToken.randomLetters(16)
    }
}
