// Agreement to the operator's terms: Synapse's `user_consent` and its page `/_matrix/consent`.

import Crypto
import Federation
import MatrixCore
import Persistence
import ServerConfiguration

/// Shows the terms, and knows who has agreed to them.
package struct ConsentService: Sendable {
    private let options: ConsentOptions
    private let secret: String?
    private let serverName: ServerName
    private let publicBaseURL: String
    private let templates: TemplateLibrary
    private let database: any Database
    private let sessions: SessionService
    private let autoJoin: AutoJoin?

    /// Of the folders for languages, the one that is used.
    private static let language = "en"

    /// - Returns: nil where there are no terms.
    /// - Throws: `TemplateError` where the folder has no page for the version that is in force.
    package init?(
        _ configuration: ServerConfiguration, database: any Database, sessions: SessionService, autoJoin: AutoJoin?
    ) throws(TemplateError) {
        guard let options = configuration.consent else { return nil }
        self.options = options
        secret = configuration.formSecret.flatMap { $0.isEmpty ? nil : $0 }
        serverName = configuration.serverName
        publicBaseURL = configuration.publicBaseURL
        let folder = "\(options.templateDirectory)/\(Self.language)"
        templates = try TemplateLibrary(
            directories: [folder], builtIn: [:], values: ["server_name": .string(configuration.serverName.string)])
        self.database = database
        self.sessions = sessions
        self.autoJoin = autoJoin
        guard templates.contains(Self.page(options.version)) else {
            throw TemplateError(folder, "there is no \(Self.page(options.version)) for the version of user_consent")
        }
    }

    /// `block_events_error`.
    package var blocksEvents: Bool { options.blockingError != nil }

    /// The version that is in force.
    package var version: String { options.version }

    /// - Throws: `M_CONSENT_NOT_GIVEN` for those who have not agreed.
    func check(_ requester: Requester) throws(MatrixError) {
        guard let message = options.blockingError, requester.consentVersion != options.version else { return }
        let uri = uri(for: requester.user)
        throw .consentNotGiven(PercentTemplate.fill(message, ["consent_uri": uri]), consentURI: uri)
    }

    /// The page where a user can agree; the link proves who they are.
    package func uri(for user: UserID) -> String {
        let name = user.localpart.string
        return "\(publicBaseURL)_matrix/consent?u=\(PercentEncoding.encode(name))&h=\(mac(of: name))"
    }

    // MARK: The page

    /// The page with the terms.
    ///
    /// - Parameters:
    ///   - name: a localpart or a whole id; nil for who only reads.
    ///   - mac: what the user's link has along with the name.
    /// - Throws: `M_FORBIDDEN` for a link that is not right, `M_NOT_FOUND`.
    package func page(version: String?, name: String?, mac: String?) async throws -> String {
        let version = version ?? options.version
        var values: TemplateValues = [
            "version": .string(version), "user": .string(name ?? ""), "userhmac": .string(mac ?? ""), "has_consented": false,
            "public_version": .bool(name == nil),
        ]
        if let name {
            let user = try user(name, mac: mac)
            guard let account = try await database.read({ try AccountStore.account(user, on: $0) }) else {
                throw MatrixError.notFound("Unknown user")
            }
            values["has_consented"] = .bool(account.consentVersion == version)
        }
        return try render(Self.page(version), values, missing: "Unknown policy version")
    }

    /// Notes that a user agrees to a version of the terms.
    ///
    /// - Returns: a page that says so.
    package func agree(version: String, name: String, mac: String?) async throws -> String {
        let user = try user(name, mac: mac)
        guard templates.contains(Self.page(version)) else { throw MatrixError.notFound("Unknown policy version") }
        let account = try await database.write { connection in
            guard try AccountStore.setConsent(version, of: user, at: .now, on: connection) else {
                throw MatrixError.notFound("Unknown user")
            }
            return try AccountStore.account(user, on: connection)
        }
        sessions.forget(user)
        if options.isAskedAtRegistration { await autoJoin?.join(user, isGuest: account?.isGuest ?? false) }
        return try render("success.html", ["user": .string(name), "version": .string(version)], missing: "success.html not found")
    }

    // MARK: Steps

    private func render(_ template: String, _ values: TemplateValues, missing: String) throws -> String {
        guard templates.contains(template) else { throw MatrixError.notFound(missing) }
        return try templates.render(template, values)
    }

    private static func page(_ version: String) -> String { "\(version).html" }

    private func user(_ name: String, mac given: String?) throws(MatrixError) -> UserID {
        guard secret != nil, let given, PasswordHasher.isEqual(Array(mac(of: name).utf8), Array(given.utf8)) else {
            throw .forbidden("HMAC incorrect")
        }
        let text = name.hasPrefix("@") ? name : "@\(name):\(serverName)"
        guard let user = UserID(valid: text) else { throw .notFound("Unknown user") }
        return user
    }

    private func mac(of name: String) -> String {
        let key = SymmetricKey(data: Array((secret ?? "").utf8))
        let digits = Array("0123456789abcdef".utf8)
        let code = HMAC<SHA256>.authenticationCode(for: Array(name.utf8), using: key)
        return String(decoding: code.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
    }
}
