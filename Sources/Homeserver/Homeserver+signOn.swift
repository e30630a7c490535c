// The ways to log in that the configuration chooses.

import Federation
import Logging
import MatrixCore
import Persistence
import ServerConfiguration

extension OutboundConfiguration {
    /// The rules for addresses that the operator has chosen: they may well be in a private network.
    var trustingOperator: OutboundConfiguration {
        var rules = self
        rules.blockedRanges = []
        return rules
    }
}

/// Single sign-on with all its providers, put together.
package struct SignOnServices: Sendable {
    package let signOn: SingleSignOn
    package let openID: OpenIDConnect
    package let cas: CASProvider?

    /// - Throws: where a template or a key of the configuration cannot be used.
    init(
        _ configuration: ServerConfiguration, database: any Database, accounts: AccountService, registration: RegistrationService,
        profiles: ProfileService, media: MediaRepository?, loginTokens: LoginTokens, sessions: SessionService,
        interactive: InteractiveAuthentication, logger: Logger
    ) throws {
        let http = OutboundHTTP(configuration.outbound.trustingOperator)
        let box = SealedBox(secret: configuration.macaroonSecretKey, purpose: "single sign-on")
        let baseURL = configuration.publicBaseURL
        let openIDProviders = try configuration.login.openID.map {
            try OpenIDProvider($0, publicBaseURL: baseURL, http: http, box: box, logger: logger)
        }
        cas = configuration.login.cas.map { CASProvider($0, publicBaseURL: baseURL, http: http, logger: logger) }
        let providers: [any IdentityProvider] = [cas].compactMap { $0 } + openIDProviders
        let pictures = media.map {
            ProviderPictures(
                database: database, serverName: configuration.serverName, media: $0, profiles: profiles,
                outbound: configuration.outbound, logger: logger)
        }
        signOn = SingleSignOn(
            configuration, providers: providers, database: database, accounts: accounts, registration: registration, profiles: profiles,
            pictures: pictures, loginTokens: loginTokens, sessions: sessions, logger: logger)
        openID = OpenIDConnect(
            openIDProviders, signOn: signOn, interactive: interactive, database: database, box: box, logger: logger)
    }
}
