// What `password_config.policy` asks of a new password.

import ServerConfiguration
import Testing

@Suite struct PasswordPolicyTests {
    private static let strict: PasswordPolicy = {
        var policy = PasswordPolicy()
        policy.isEnabled = true
        policy.minimumLength = 6
        policy.requiresDigit = true
        policy.requiresSymbol = true
        policy.requiresUppercase = true
        policy.requiresLowercase = true
        return policy
    }()

    @Test(
        "a password is refused for the first thing it lacks",
        arguments: [
            ("aB1!", "M_PASSWORD_TOO_SHORT"), ("abcdef", "M_PASSWORD_NO_DIGIT"), ("abcde1", "M_PASSWORD_NO_SYMBOL"),
            ("abcd1!", "M_PASSWORD_NO_UPPERCASE"), ("ABCD1!", "M_PASSWORD_NO_LOWERCASE"), ("aBcd1!", nil),
            // A character is a character, whatever its length in bytes; one outside ASCII counts as a symbol.
            ("aB1üüü", nil), ("aB1ü", "M_PASSWORD_TOO_SHORT"),
        ] as [(String, String?)])
    func refusals(password: String, errcode: String?) {
        #expect(Self.strict.refusal(of: password)?.errcode == errcode)
    }

    @Test func aPolicyThatIsNotEnabledAsksForNothing() {
        var policy = Self.strict
        policy.isEnabled = false
        #expect(policy.refusal(of: "") == nil)
    }
}
