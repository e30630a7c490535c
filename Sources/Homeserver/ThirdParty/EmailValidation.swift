// Has people show that an e-mail address is theirs: a link is sent to it, and whoever opens it has it.
// Client-Server API §Adding Account Administrative Contact Information; Identity Service API §Email associations.

import MatrixCore
import Persistence

/// Sends links, and knows which of them were opened. A session tells one attempt from others; only who made up its client secret can use it.
package struct EmailValidation: Sendable {
    /// What a client asks for.
    package struct Request: Sendable {
        package var address: EmailAddress
        package var secret: ClientSecret
        /// Only a greater number than before has another mail sent.
        package var sendAttempt: Int64
        package var nextLink: NextLink?

        package init(address: EmailAddress, secret: ClientSecret, sendAttempt: Int64, nextLink: NextLink? = nil) {
            self.address = address
            self.secret = secret
            self.sendAttempt = sendAttempt
            self.nextLink = nextLink
        }
    }

    /// Why a link does not prove anything.
    package enum Refusal: Error, Sendable {
        case unknown
        case expired

        /// The same for what never was and for what belongs to somebody else.
        package var reason: String {
            switch self {
            case .unknown: "The link is not known, or has expired"
            case .expired: "The link has expired; ask for a new one"
            }
        }
    }

    /// How long a session is kept, in milliseconds: for some time after its links have expired.
    private static let sessionLifetime: Int64 = 48 * 3600 * 1000

    private let database: any Database
    private let mailer: AccountMailer
    private let tokenLifetime: Duration

    package init(database: any Database, mailer: AccountMailer, tokenLifetime: Duration) {
        self.database = database
        self.mailer = mailer
        self.tokenLifetime = tokenLifetime
    }

    /// Who gets a mail, and whether the answer waits for it.
    package enum Delivery: Sendable {
        /// A failure is told.
        case awaited
        /// The answer must not tell by its time or its text whether a mail was sent.
        case unobserved
        /// As before, and there is nobody to send to.
        case none
        /// As before, and who has the address is told that it is taken.
        case alreadyInUse
    }

    /// Begins or goes on with a session.
    ///
    /// - Returns: the session's id.
    /// - Throws: `M_UNKNOWN` (500) when the mail cannot be sent.
    package func begin(_ request: Request, for purpose: ProofPurpose, delivery: Delivery) async throws -> String {
        let now = Timestamp.now
        let (token, expires) = (SessionToken.randomLetters(32), now.advanced(byMilliseconds: tokenLifetime.milliseconds))
        let candidate = ThirdPartySessionRow(
            id: SessionToken.randomLetters(24), purpose: purpose.rawValue, medium: EmailAddress.medium, address: request.address.text,
            clientSecretHash: request.secret.hash, sendAttempt: request.sendAttempt, created: now)
        let tokenHash = SHA256Hash.hash(Array(token.utf8))
        // The same is written whether or not there is anybody to write to.
        let begun: (id: String, previousAttempt: Int64?)? = try await database.write { connection in
            let open = try ThirdPartySessionStore.open(
                candidate.medium, candidate.address, purpose: candidate.purpose, secretHash: candidate.clientSecretHash, on: connection)
            if let open, open.sendAttempt >= request.sendAttempt { return (open.id, nil) }
            var row = candidate
            if let open { row.id = open.id }
            try ThirdPartySessionStore.put(row, on: connection)
            try ThirdPartySessionStore.insertToken(
                tokenHash, of: row.id, nextLink: request.nextLink?.naming(session: row.id), expires: expires, on: connection)
            return (row.id, open?.sendAttempt ?? request.sendAttempt - 1)
        }
        guard let (id, previousAttempt) = begun else { throw MatrixError.internalError }
        guard let previousAttempt else { return id }
        let link = AccountMailer.Link(token: token, secret: request.secret.text, session: id)
        switch delivery {
        case .awaited:
            do {
                try await mailer.send(link, to: request.address, for: purpose)
            } catch {
                // The client tries again with the same number.
                var row = candidate
                (row.id, row.sendAttempt) = (id, previousAttempt)
                let undone = row
                try await database.write { try ThirdPartySessionStore.put(undone, on: $0) }
                throw MatrixError.unknown("An error was encountered when sending the email", status: 500)
            }
        case .unobserved: mailer.post(link, to: request.address, for: purpose)
        case .alreadyInUse: mailer.postAlreadyInUse(to: request.address)
        case .none: break
        }
        return id
    }

    /// Notes that a link was opened.
    ///
    /// - Parameter purpose: what the place is for to which the link led.
    /// - Returns: where the person is to be led.
    /// - Throws: `Refusal`.
    package func submit(
        session id: String, secret: ClientSecret, token: String, for purpose: ProofPurpose
    ) async throws -> String? {
        let (secretHash, tokenHash) = (secret.hash, SHA256Hash.hash(Array(token.utf8)))
        guard Self.isStorable(id) else { throw Refusal.unknown }
        return try await database.write { connection in
            guard let session = try ThirdPartySessionStore.session(id, on: connection),
                let (nextLink, expires) = try ThirdPartySessionStore.token(tokenHash, of: id, on: connection),
                session.purpose == purpose.rawValue, PasswordHasher.isEqual(session.clientSecretHash, secretHash)
            else { throw Refusal.unknown }
            if session.validated == nil {
                guard Timestamp.now < expires else { throw Refusal.expired }
                try ThirdPartySessionStore.setValidated(id, at: .now, on: connection)
            }
            return nextLink
        }
    }

    /// What a session has shown; nil where there is no such session, it is for something else, or its link was not opened.
    package func validated(_ id: String, secret: ClientSecret, for purpose: ProofPurpose) async throws -> ProvenThirdPartyID? {
        guard Self.isStorable(id) else { return nil }
        let row = try await database.read { try ThirdPartySessionStore.session(id, on: $0) }
        guard let row, row.purpose == purpose.rawValue, PasswordHasher.isEqual(row.clientSecretHash, secret.hash),
            let validated = row.validated
        else { return nil }
        return ProvenThirdPartyID(medium: row.medium, address: row.address, validated: validated)
    }

    /// Removes sessions that are too old.
    package func sweep() async throws {
        let edge = Timestamp.now.advanced(byMilliseconds: -Self.sessionLifetime - tokenLifetime.milliseconds)
        try await database.write { try ThirdPartySessionStore.deleteSessions(of: EmailAddress.medium, createdBefore: edge, on: $0) }
    }

    private static func isStorable(_ id: String) -> Bool { id.utf8.count <= 255 && !id.utf8.contains(0) }
}
