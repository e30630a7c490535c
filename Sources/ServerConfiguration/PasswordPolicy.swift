// `password_config.policy`: what a new password must be like.

/// The rules of Client-Server API §Password management, as Synapse's options name them.
package struct PasswordPolicy: Sendable, Equatable {
    package var isEnabled = false
    /// In characters.
    package var minimumLength = 0
    package var requiresDigit = false
    /// A character other than an ASCII letter or digit.
    package var requiresSymbol = false
    package var requiresUppercase = false
    package var requiresLowercase = false

    package init() {}

    /// What a password lacks: the specification's error code and a sentence; nil where it is good.
    package func refusal(of password: String) -> (errcode: String, message: String)? {
        guard isEnabled else { return nil }
        let scalars = password.unicodeScalars
        guard scalars.count >= minimumLength else {
            return ("M_PASSWORD_TOO_SHORT", "The password must be at least \(minimumLength) characters long")
        }
        let requirements: [(isRequired: Bool, errcode: String, what: String, isMet: (Unicode.Scalar) -> Bool)] = [
            (requiresDigit, "M_PASSWORD_NO_DIGIT", "digit", { ("0"..."9").contains($0) }),
            (requiresSymbol, "M_PASSWORD_NO_SYMBOL", "symbol", { !Self.isLetterOrDigit($0) }),
            (requiresUppercase, "M_PASSWORD_NO_UPPERCASE", "uppercase letter", { ("A"..."Z").contains($0) }),
            (requiresLowercase, "M_PASSWORD_NO_LOWERCASE", "lowercase letter", { ("a"..."z").contains($0) }),
        ]
        for requirement in requirements where requirement.isRequired && !scalars.contains(where: requirement.isMet) {
            return (requirement.errcode, "The password must include at least one \(requirement.what)")
        }
        return nil
    }

    private static func isLetterOrDigit(_ scalar: Unicode.Scalar) -> Bool {
        ("a"..."z").contains(scalar) || ("A"..."Z").contains(scalar) || ("0"..."9").contains(scalar)
    }
}
