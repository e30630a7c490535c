// The parts of accounts that the configuration chooses: which stages there are, and whether mails are sent.

import Federation
import Logging
import Persistence
import ServerConfiguration

extension Homeserver {
    /// The stages of user-interactive authentication that the configuration allows.
    static func stages(
        _ configuration: ServerConfiguration, login: LoginService, tokens: RegistrationTokens, validation: EmailValidation?,
        phones: PhoneValidation?, rateLimits: RateLimiter, logger: Logger
    ) -> [any InteractiveAuthStage] {
        var stages: [any InteractiveAuthStage] = [DummyStage(), PasswordStage(login: login), SingleSignOnStage()]
        let registration = configuration.registration
        if registration.requiresToken || registration.takesTokenForThirdPartyID {
            stages.append(RegistrationTokenStage(tokens: tokens, rateLimits: rateLimits))
        }
        if let validation { stages.append(EmailIdentityStage(validation: validation)) }
        if let phones { stages.append(PhoneStage(validation: phones)) }
        if let consent = configuration.consent { stages.append(TermsStage(consent, publicBaseURL: configuration.publicBaseURL)) }
        // The service is the operator's choice: it may be in a private network.
        let http = OutboundHTTP(configuration.outbound.trustingOperator)
        if let captcha = RecaptchaStage(configuration.captcha, http: http, logger: logger) { stages.append(captcha) }
        return stages
    }

    static func mailer(_ configuration: ServerConfiguration, templates: TemplateLibrary, logger: Logger) -> AccountMailer? {
        guard let email = configuration.email else { return nil }
        let transport = SMTPTransport(
            email, serverName: configuration.serverName, verifiesCertificates: !configuration.outbound.acceptsAnyCertificate)
        return AccountMailer(
            email, serverName: configuration.serverName, publicBaseURL: configuration.publicBaseURL, templates: templates,
            transport: transport, logger: logger)
    }

    static func emailValidation(
        _ configuration: ServerConfiguration, database: any Database, mailer: AccountMailer?
    ) -> EmailValidation? {
        guard let mailer, let email = configuration.email else { return nil }
        return EmailValidation(database: database, mailer: mailer, tokenLifetime: email.tokenLifetime)
    }

    static func serverNotices(
        _ configuration: ServerConfiguration, groundwork: Groundwork, tags: TagService, consent: ConsentService?, usage: UsageLimits,
        logger: Logger
    ) -> ServerNotices? {
        let rooms = NoticeRooms(
            configuration.serverNotices, rooms: groundwork.rooms, events: groundwork.events, creation: groundwork.roomCreation,
            membership: groundwork.membership, tags: tags)
        return rooms.map { rooms in
            ServerNotices(
                rooms: rooms,
                consent: ConsentNotices(configuration.consent, consent: consent, rooms: rooms, database: groundwork.database),
                usage: UsageLimitNotices(configuration.usage, usage: usage, rooms: rooms), logger: logger)
        }
    }

    static func phoneValidation(
        _ configuration: ServerConfiguration, database: any Database, rateLimits: RateLimiter, logger: Logger
    ) -> PhoneValidation? {
        guard let server = configuration.registration.phoneDelegate else { return nil }
        return PhoneValidation(
            server: server, http: OutboundHTTP(configuration.outbound.trustingOperator), database: database, rateLimits: rateLimits,
            logger: logger)
    }
}
