// Who may make an account and by which proof, as a value.

import MatrixCore
import ServerConfiguration

/// What the configuration says about registration by clients.
package struct RegistrationPolicy: Sendable {
    /// `enable_registration`.
    package var isEnabled = false
    /// `inhibit_user_in_use_error`: do not tell before the end that a name is taken.
    package var hidesTakenNames = false
    /// `allow_guest_access`.
    package var allowsGuests = false
    /// `allow_underscore_prefixed_registration`.
    package var allowsUnderscore = false
    package var passwords = PasswordPolicy()
    package var options = RegistrationOptions()
    package var requiresCaptcha = false
    /// Whether an e-mail address can be shown to be somebody's.
    package var verifiesEmail = false
    /// Whether a telephone number can be.
    package var verifiesPhone = false
    /// The terms that are agreed to at registration; nil: none are.
    package var termsAtRegistration: String?
    /// Whether there are terms to agree to at all, at whatever time.
    package var hasTerms = false
    /// How long an account is valid; nil: for ever.
    package var validity: Duration?

    package init(isEnabled: Bool = false, hidesTakenNames: Bool = false) {
        self.isEnabled = isEnabled
        self.hidesTakenNames = hidesTakenNames
    }

    package init(_ configuration: ServerConfiguration) {
        self.init(isEnabled: configuration.enableRegistration, hidesTakenNames: configuration.inhibitUserInUseError)
        passwords = configuration.passwordPolicy
        allowsGuests = configuration.allowGuestAccess
        options = configuration.registration
        allowsUnderscore = configuration.registration.allowsUnderscore
        requiresCaptcha = configuration.captcha.isRequired
        verifiesEmail = configuration.email != nil
        verifiesPhone = configuration.registration.phoneDelegate != nil
        hasTerms = configuration.consent != nil
        if let consent = configuration.consent, consent.isAskedAtRegistration { termsAtRegistration = consent.version }
        if configuration.accountValidity.isEnabled { validity = configuration.accountValidity.period }
    }

    /// The flows of user-interactive authentication that lead to an account; none where registration is closed.
    package var flows: [InteractiveAuthSession.Flow] {
        guard isEnabled else { return [] }
        var flows: [InteractiveAuthSession.Flow] = []
        // A dummy stage, so that who has solved the captcha and is about to show an address is not done yet.
        let showsPhone = verifiesPhone && !options.excludesPhoneNumbers
        let (needsEmail, needsPhone) = (options.requiredMedia.contains(.email), options.requiredMedia.contains(.msisdn) && showsPhone)
        if !needsEmail, !needsPhone { flows.append([DummyStage.type]) }
        if verifiesEmail, !needsPhone { flows.append([EmailIdentityStage.type]) }
        if showsPhone, !needsEmail { flows.append([PhoneStage.type]) }
        if showsPhone, verifiesEmail { flows.append([PhoneStage.type, EmailIdentityStage.type]) }
        if options.takesTokenForThirdPartyID { flows.append([RegistrationTokenStage.type]) }
        let common =
            (options.requiresToken ? [RegistrationTokenStage.type] : []) + (requiresCaptcha ? [RecaptchaStage.type] : [])
            + (termsAtRegistration == nil ? [] : [TermsStage.type])
        return flows.map { flow in common.filter { !flow.contains($0) } + flow }
    }
}
