// Logins by a token that somebody else has issued: Synapse's `jwt_config`, type `org.matrix.login.jwt`.

import MatrixCore
import ServerConfiguration

/// Believes tokens that are signed with the configured key. Whoever comes with one for the first time gets an account.
package struct JWTLogin: LoginMethod {
    /// The configured key is none for the configured algorithm.
    package struct UnusableKey: Error, CustomStringConvertible {
        let algorithm: JWTAlgorithm

        package var description: String {
            "jwt_config.secret: expected a public key in PEM for \(algorithm.rawValue), RSA keys of 2048 bits or more"
        }
    }

    private let configuration: JWTConfiguration
    private let key: JSONWebKey
    private let accounts: AccountService
    private let registration: RegistrationService

    /// - Throws: `UnusableKey`.
    package init(_ configuration: JWTConfiguration, accounts: AccountService, registration: RegistrationService) throws {
        self.configuration = configuration
        self.accounts = accounts
        self.registration = registration
        key = try Self.key(of: configuration)
    }

    static func key(of configuration: JWTConfiguration) throws(UnusableKey) -> JSONWebKey {
        do {
            return try JSONWebKey(configuration.secret, for: configuration.algorithm)
        } catch {
            throw UnusableKey(algorithm: configuration.algorithm)
        }
    }

    package let type = "org.matrix.login.jwt"

    package func identify(_ submission: JSON) async throws -> LoginIdentity {
        guard let token = submission["token"], !token.isNull else { throw MatrixError.forbidden("Token field for JWT is missing") }
        guard let text = token.string else { throw MatrixError.forbidden("JWT validation failed: The token is no text") }
        let claims: JSONWebClaims
        do throws(JSONWebTokenError) {
            claims = try check(text)
        } catch .badSignature {
            throw MatrixError.forbidden("JWT validation failed: Signature verification failed")
        } catch {
            throw MatrixError.forbidden("JWT validation failed: \(error)")
        }
        guard let subject = claims[configuration.subjectClaim].flatMap(Self.text) else { throw MatrixError.forbidden("Invalid JWT") }
        let displayName = configuration.displayNameClaim.flatMap { claims[$0]?.string }
        let user = UserID(localpart: ByteString(subject), server: accounts.serverName)
        if let account = try await accounts.accountIgnoringCase(user) { return LoginIdentity(user: account.user) }
        return LoginIdentity(user: try await registration.register(externalName: subject, displayName: displayName))
    }

    private func check(_ text: String) throws(JSONWebTokenError) -> JSONWebClaims {
        let token = try JSONWebToken(parsing: text)
        try token.verify(by: [key], algorithms: [configuration.algorithm])
        let claims = token.claims
        if let issuer = configuration.issuer { try claims.check("iss", is: issuer) }
        if let audiences = configuration.audiences, !audiences.isEmpty {
            try claims.checkAudience(among: audiences)
        } else if claims["aud"] != nil {
            // A token that is meant for others must not open this server.
            throw .invalidClaim("aud")
        }
        try claims.checkTimes(at: .now)
        return claims
    }

    /// Some issuers number their people.
    private static func text(_ claim: JSON) -> String? { claim.string ?? claim.int.map { String($0) } }
}
