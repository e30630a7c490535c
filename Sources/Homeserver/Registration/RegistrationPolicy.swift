// Who may make an account, as a value.

import MatrixCore
import ServerConfiguration

/// What the configuration says about registration by clients.
package struct RegistrationPolicy: Sendable {
    /// `enable_registration`.
    package var isEnabled = false
    /// `enable_registration_without_verification`: the dummy stage is enough.
    package var isOpenWithoutVerification = false
    /// `inhibit_user_in_use_error`: do not tell before the end that a name is taken.
    package var hidesTakenNames = false
    /// `allow_guest_access`.
    package var allowsGuests = false
    package var passwords = PasswordPolicy()

    package init(isEnabled: Bool = false, isOpenWithoutVerification: Bool = false, hidesTakenNames: Bool = false) {
        self.isEnabled = isEnabled
        self.isOpenWithoutVerification = isOpenWithoutVerification
        self.hidesTakenNames = hidesTakenNames
    }

    package init(_ configuration: ServerConfiguration) {
        self.init(
            isEnabled: configuration.enableRegistration,
            isOpenWithoutVerification: configuration.enableRegistrationWithoutVerification,
            hidesTakenNames: configuration.inhibitUserInUseError)
        passwords = configuration.passwordPolicy
        allowsGuests = configuration.allowGuestAccess
    }

    /// The flows of user-interactive authentication that lead to an account; none where registration is closed.
    package var flows: [InteractiveAuthSession.Flow] {
        isEnabled && isOpenWithoutVerification ? [["m.login.dummy"]] : []
    }
}
