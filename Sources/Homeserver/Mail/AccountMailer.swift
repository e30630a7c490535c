// The mails about accounts: what they say and where their links lead.

import Federation
import Logging
import MatrixCore
import ServerConfiguration
import ServiceLifecycle

/// Writes mails from templates and sends them, at once or in the background.
package struct AccountMailer: Service {
    /// What a mail's link carries.
    package struct Link: Sendable {
        package let token: String
        package let secret: String
        package let session: String

        package init(token: String, secret: String, session: String) {
            self.token = token
            self.secret = secret
            self.session = session
        }
    }

    /// How many mails wait to be sent in the background; further ones are lost.
    private static let queueLimit = 1000
    /// How long to wait before a mail is tried again.
    private static let pauses: [Duration] = [.seconds(2), .seconds(20), .seconds(120)]

    private let email: EmailConfiguration
    private let serverName: ServerName
    private let publicBaseURL: String
    private let templates: TemplateLibrary
    private let transport: any MailTransport
    private let logger: Logger
    private let queue: AsyncStream<MailMessage>
    private let continuation: AsyncStream<MailMessage>.Continuation

    /// - Parameter publicBaseURL: with a slash at its end.
    package init(
        _ email: EmailConfiguration, serverName: ServerName, publicBaseURL: String, templates: TemplateLibrary,
        transport: any MailTransport, logger: Logger
    ) {
        self.email = email
        self.serverName = serverName
        self.publicBaseURL = publicBaseURL
        self.templates = templates
        self.transport = transport
        self.logger = logger
        (queue, continuation) = AsyncStream.makeStream(bufferingPolicy: .bufferingOldest(Self.queueLimit))
    }

    /// Sends a mail with a link, and waits until the mail server has taken it.
    package func send(_ link: Link, to address: EmailAddress, for purpose: ProofPurpose) async throws {
        do {
            try await transport.send(try message(link, to: address, for: purpose))
        } catch {
            logger.error("a mail could not be sent", metadata: ["purpose": "\(purpose)", "error": "\(error)"])
            throw error
        }
    }

    /// Sends a mail with a link, later.
    package func post(_ link: Link, to address: EmailAddress, for purpose: ProofPurpose) {
        post { try message(link, to: address, for: purpose) }
    }

    /// Tells somebody, later, that their address has an account already.
    package func postAlreadyInUse(to address: EmailAddress) {
        post { try message("already_in_use", subject: email.subjects.emailAlreadyInUse, to: address, [:]) }
    }

    /// Tells somebody that their account ends, and by which link it goes on; waits until the mail server has taken the mail.
    ///
    /// - Parameter name: what they are called.
    package func sendExpiry(of name: String, at end: Timestamp, link: String, subject: String, to address: EmailAddress) async throws {
        let values: TemplateValues = [
            "display_name": .string(name), "expiration_ts": .int(end.milliseconds), "url": .string(link),
        ]
        try await transport.send(try message("expiry", file: "notice_expiry", subject: subject, to: address, values))
    }

    /// Sends what waits, one after the other, until the server stops.
    package func run() async throws {
        await cancelWhenGracefulShutdown {
            for await message in queue { await deliver(message) }
        }
    }

    // MARK: Steps

    private func post(_ make: () throws -> MailMessage) {
        do {
            if case .dropped = continuation.yield(try make()) { logger.error("too many mails are waiting: one was not sent") }
        } catch {
            logger.error("a mail could not be written", metadata: ["error": "\(error)"])
        }
    }

    private func deliver(_ message: MailMessage) async {
        for attempt in 0... {
            do throws(MailFailure) {
                return try await transport.send(message)
            } catch {
                guard attempt < Self.pauses.count else {
                    logger.error("a mail could not be sent", metadata: ["error": "\(error)"])
                    return
                }
                logger.warning("a mail could not be sent; trying again", metadata: ["error": "\(error)"])
                do { try await Task.sleep(for: Self.pauses[attempt]) } catch { return }
            }
        }
    }

    private func message(_ link: Link, to address: EmailAddress, for purpose: ProofPurpose) throws -> MailMessage {
        let path: String, template: String, subject: String
        switch purpose {
        case .registration:
            path = "_matrix/client/unstable/registration/email/submit_token"
            (template, subject) = ("registration", email.subjects.emailValidation)
        case .addition:
            path = "_matrix/client/unstable/add_threepid/email/submit_token"
            (template, subject) = ("add_threepid", email.subjects.emailValidation)
        case .passwordReset:
            path = "_synapse/client/password_reset/email/submit_token"
            (template, subject) = ("password_reset", email.subjects.passwordReset)
        }
        let query = [("token", link.token), ("client_secret", link.secret), ("sid", link.session)]
            .map { "\($0.0)=\(PercentEncoding.encode($0.1))" }.joined(separator: "&")
        return try message(template, subject: subject, to: address, ["link": .string("\(publicBaseURL)\(path)?\(query)")])
    }

    /// - Parameters:
    ///   - template: as the options that name its files begin.
    ///   - file: as its files are called where they do not say; nil: the same.
    private func message(
        _ template: String, file: String? = nil, subject: String, to address: EmailAddress, _ values: TemplateValues
    ) throws -> MailMessage {
        func render(_ kind: String, _ suffix: String) throws -> String {
            try templates.render(email.templateNames["\(template)_template_\(kind)"] ?? (file ?? template) + suffix, values)
        }
        return MailMessage(
            from: fill(email.sender), to: address, subject: fill(subject), text: try render("text", ".txt"),
            html: try render("html", ".html"),
            date: .now, domain: serverName.unbracketedHost)
    }

    /// `%(app)s` and `%(server_name)s`, as Python has it.
    private func fill(_ text: String) -> String {
        PercentTemplate.fill(text, ["app": email.appName, "server_name": serverName.string])
    }
}
