// What it is good for that somebody has shown an address or a number to be theirs.

/// A proof that was given for one thing does nothing else.
package enum ProofPurpose: String, Sendable {
    /// A new account gets the address.
    case registration
    /// An account gets the address besides what it has.
    case addition
    /// The account with the address gets a new password.
    case passwordReset

    /// What a proof must have been given for to be a stage of a session: a link that says "register" resets no password.
    package init(of session: InteractiveAuthSession) {
        self = session.operation.path.hasSuffix("/register") ? .registration : .passwordReset
    }
}
