// The options about ways to log in.

import ServerConfiguration
import Testing

@Suite struct LoginOptionsTests {
    @Test("nothing but passwords where nothing is said")
    func defaults() throws {
        let login = try settings("").login
        #expect(!login.existingSession.isEnabled && login.existingSession.requiresAuthentication)
        #expect(login.existingSession.tokenTimeout == .seconds(300) && login.jwt == nil)
    }

    @Test("login_via_existing_session")
    func existingSession() throws {
        let login = try settings("login_via_existing_session: {enabled: true, require_ui_auth: false, token_timeout: 2m}").login
        #expect(login.existingSession.isEnabled && !login.existingSession.requiresAuthentication)
        #expect(login.existingSession.tokenTimeout == .seconds(120))
    }

    @Test("jwt_config")
    func jwt() throws {
        let jwt = try #require(
            try settings(
                """
                jwt_config:
                  enabled: true
                  secret: shared
                  algorithm: HS256
                  subject_claim: uid
                  display_name_claim: name
                  issuer: https://issuer.example
                  audiences: [one, two]
                """
            ).login.jwt)
        #expect(jwt.algorithm == .hs256 && jwt.secret == "shared" && jwt.subjectClaim == "uid" && jwt.displayNameClaim == "name")
        #expect(jwt.issuer == "https://issuer.example" && jwt.audiences == ["one", "two"])
        #expect(try settings("jwt_config: {enabled: false, secret: x, algorithm: RS256}").login.jwt == nil)
    }

    @Test(
        "what cannot be meant is an error",
        arguments: [
            "login_via_existing_session: true", "login_via_existing_session: {token_timeout: soon}", "jwt_config: yes",
            "jwt_config: {enabled: true, algorithm: HS256}", "jwt_config: {enabled: true, secret: x}",
            "jwt_config: {enabled: true, secret: x, algorithm: none}", "jwt_config: {enabled: perhaps, secret: x, algorithm: HS256}",
            "jwt_config: {enabled: true, secret: x, algorithm: HS256, audiences: one}",
        ])
    func errors(text: String) throws {
        let result = try read(text)
        #expect(result.configuration == nil && result.errors.count == 1)
    }

    @Test("a name inside that nobody knows is warned of with the nearest one")
    func unknownName() throws {
        let result = try read("jwt_config: {enabled: true, secret: x, algorithm: HS256, subject_clam: uid}")
        #expect(result.warnings.map(\.message) == ["is not a known option; did you mean subject_claim?"])
    }
}
