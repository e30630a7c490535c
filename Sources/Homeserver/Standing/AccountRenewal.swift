// Accounts that go on when their owners open a link in a mail: Synapse's `account_validity.renew_at`.

import Federation
import Logging
import MatrixCore
import Persistence
import ServerConfiguration

/// Tells people in time that their accounts end, and has those go on whose owners wish it.
///
/// The link carries all that is needed, sealed: whose account it is, and when that ends. It is good for that end only: an account that goes on
/// has another one.
package struct AccountRenewal: Sendable {
    package enum Outcome: Sendable, Equatable {
        case renewed(until: Timestamp)
        /// The link was opened before, or the account was renewed otherwise.
        case alreadyRenewed(until: Timestamp)
        case unknownLink
    }

    private let database: any Database
    private let sessions: SessionService
    private let mailer: AccountMailer
    private let rateLimits: RateLimiter
    private let box: SealedBox
    private let publicBaseURL: String
    private let serverName: ServerName
    private let period: Duration
    /// How long before their end people are told.
    private let notice: Duration
    private let subject: String
    private let logger: Logger

    /// How many accounts are looked for at once.
    private static let batchLimit = 100
    /// How long a link can be opened after the end of the account, or after the mail where that is later, in milliseconds.
    private static let grace: Int64 = 365 * 86_400_000

    /// - Returns: nil where accounts do not end, or nobody is told.
    package init?(
        _ configuration: ServerConfiguration, database: any Database, sessions: SessionService, mailer: AccountMailer?,
        rateLimits: RateLimiter, logger: Logger
    ) {
        let options = configuration.accountValidity
        guard options.isEnabled, let notice = options.notice, let mailer, configuration.login.authenticationService == nil else {
            return nil
        }
        self.database = database
        self.sessions = sessions
        self.mailer = mailer
        self.rateLimits = rateLimits
        self.logger = logger
        box = SealedBox(secret: configuration.macaroonSecretKey, purpose: "account renewal")
        publicBaseURL = configuration.publicBaseURL
        serverName = configuration.serverName
        period = options.period
        // Who has just been renewed is not told at once.
        self.notice = min(notice, options.period)
        subject = options.mailSubject
    }

    // MARK: Telling

    /// Writes to all whose accounts end soon and who were not written to yet; who could not be is written to the next time. When the mail
    /// server takes none of many mails, the rest is left for then as well.
    package func tellThoseWhoseAccountsEnd() async throws {
        let horizon = Timestamp.now.advanced(byMilliseconds: notice.milliseconds)
        var last: AccountEnd?
        while !Task.isCancelled {
            let accounts = try await database.read { [last] in
                try AccountExpiryStore.untold(after: last, until: horizon, limit: Self.batchLimit, on: $0)
            }
            guard let newest = accounts.last else { return }
            var (sent, failed) = (0, 0)
            for account in accounts {
                do { sent += try await write(to: account.user, about: account.end) } catch let failure as MailFailure {
                    failed += 1
                    logger.warning("somebody was not told that their account ends", metadata: ["error": "\(failure)"])
                }
            }
            if sent == 0, failed > 0 { return }
            last = newest
        }
    }

    /// Writes to somebody whose account was given another end, where that is one of which its owner would have been told before.
    package func tell(_ user: UserID, of end: Timestamp) async throws {
        guard end <= Timestamp.now.advanced(byMilliseconds: notice.milliseconds) else { return }
        do {
            _ = try await write(to: user, about: end)
        } catch let failure as MailFailure {
            logger.warning("somebody was not told that their account ends", metadata: ["error": "\(failure)"])
        }
    }

    /// Writes to somebody who asks for a link; it may be who has an account that has ended.
    ///
    /// - Throws: `M_UNKNOWN_TOKEN` and others for a token of nobody's; `M_UNKNOWN` (400) for an account that does not end;
    ///   `M_LIMIT_EXCEEDED`; `M_UNKNOWN` (500) when the mail cannot be sent.
    package func send(toHolderOf token: String) async throws {
        let user = try await sessions.holder(of: token)
        try rateLimits.check(.thirdPartyValidation, of: ByteString("renewal of \(user)"))
        let end = try await database.read { try AccountStore.account(user, on: $0) }?.expiration
        guard let end else { throw MatrixError.unknown("User has no expiration time: \(user)", status: 400) }
        do {
            _ = try await write(to: user, about: end)
        } catch is MailFailure {
            throw MatrixError.unknown("An error was encountered when sending the email", status: 500)
        }
    }

    /// Writes to each address of an account, and notes that its owner was told once one of them was reached: who is told by one address is
    /// not told again for another that never takes a mail.
    ///
    /// - Returns: how many mails were sent.
    /// - Throws: `MailFailure` where all failed.
    private func write(to user: UserID, about end: Timestamp) async throws -> Int {
        let (addresses, name) = try await database.read { connection in
            let rows = try ThirdPartyStore.identifiers(of: user, on: connection).filter { $0.medium == EmailAddress.medium }
            let name = try ProfileStore.field(ProfileField.displayName, of: user, on: connection)
            return (rows.map(\.address), try name.flatMap { try JSONDocument(parsing: $0).root.string })
        }
        let token = try box.seal(
            ["user": .string(user.string), "end": .int(end.milliseconds)],
            until: max(end, .now).advanced(byMilliseconds: Self.grace))
        let link = "\(publicBaseURL)_matrix/client/unstable/account_validity/renew?token=\(PercentEncoding.encode(token))"
        var (sent, failure) = (0, MailFailure?.none)
        for address in addresses.compactMap({ try? EmailAddress($0) }) {
            do {
                try await mailer.sendExpiry(of: name ?? user.string, at: end, link: link, subject: subject, to: address)
                sent += 1
            } catch let error as MailFailure {
                failure = error
            }
        }
        if sent > 0 {
            try await database.write { try AccountExpiryStore.setTold(end, of: user, on: $0) }
        } else if let failure {
            throw failure
        }
        return sent
    }

    // MARK: Renewing

    /// Has an account go on, by its link.
    package func renew(by token: String) async throws -> Outcome {
        let now = Timestamp.now
        guard let content = box.open(token, at: now), let end = content["end"]?.int,
            let user = content["user"]?.string.flatMap({ UserID(valid: $0) })
        else { return .unknownLink }
        let next = now.advanced(byMilliseconds: period.milliseconds)
        let outcome = try await database.write { connection -> Outcome in
            if try AccountExpiryStore.replace(Timestamp(milliseconds: end), by: next, of: user, on: connection) {
                return .renewed(until: next)
            }
            guard let current = try AccountStore.account(user, on: connection)?.expiration else { return .unknownLink }
            return .alreadyRenewed(until: current)
        }
        sessions.forget(user)
        return outcome
    }
}
