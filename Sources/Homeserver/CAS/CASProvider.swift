// Logins by a CAS server: Synapse's `cas_config`. CAS Protocol 3.0 Specification.

import Federation
import Logging
import MatrixCore
import Persistence
import ServerConfiguration

/// Sends browsers to a CAS server, and has the tickets that they bring back validated there.
package struct CASProvider: IdentityProvider {
    private let configuration: CASConfiguration
    private let service: String
    private let http: OutboundHTTP
    private let logger: Logger

    package init(_ configuration: CASConfiguration, publicBaseURL: String, http: OutboundHTTP, logger: Logger) {
        self.configuration = configuration
        self.http = http
        self.logger = logger
        // As Synapse has it: CAS servers know their services by such addresses.
        service = "\(publicBaseURL)_matrix/client/r0/login/cas/ticket"
    }

    package var appearance: ProviderAppearance { configuration.appearance }

    package func begin(_ purpose: SignOnPurpose, query: (String) -> String?) async throws -> SignOnAnswer {
        .redirect("\(configuration.serverURL)/login?\(FormEncoding.encode([("service", service(for: purpose))]))")
    }

    /// Logs somebody in, or confirms an operation, by the ticket that their browser has brought.
    package func complete(
        _ purpose: SignOnPurpose, ticket: String, signOn: SingleSignOn, interactive: InteractiveAuthentication
    ) async throws -> SignOnAnswer {
        do {
            let response = try await validate(ticket, for: purpose)
            switch purpose {
            case .confirmation(let session):
                return try await signOn.confirm(appearance.id, response.user, session: session, in: interactive)
            case .login(let client): return try await signOn.complete(try person(response), client: client)
            }
        } catch let failure as SignOnFailure {
            logger.info("a login by CAS has failed", metadata: ["error": "\(failure.code)"])
            return failure.answer
        }
    }

    // MARK: Steps

    private func service(for purpose: SignOnPurpose) -> String {
        switch purpose {
        case .login(let client): "\(service)?\(FormEncoding.encode([("redirectUrl", client.address)]))"
        case .confirmation(let session): "\(service)?\(FormEncoding.encode([("session", session)]))"
        }
    }

    private func validate(_ ticket: String, for purpose: SignOnPurpose) async throws(SignOnFailure) -> CASResponse {
        let path = configuration.protocolVersion == 3 ? "/p3/proxyValidate" : "/proxyValidate"
        let query = FormEncoding.encode([("ticket", ticket), ("service", service(for: purpose))])
        let answer: OutboundHTTP.Response
        do { answer = try await http.send(OutboundHTTP.Request("\(configuration.serverURL)\(path)?\(query)")) } catch {
            logger.error("the CAS server cannot be asked", metadata: ["error": "\(error)"])
            throw SignOnFailure("server_error", "The authorization server could not be asked.", status: 401)
        }
        guard answer.status == 200 else {
            throw SignOnFailure("server_error", "The authorization server responded with status \(answer.status).", status: 401)
        }
        return try CASResponse(answer.body, numericPrefix: configuration.numericPrefix)
    }

    private func person(_ response: CASResponse) throws(SignOnFailure) -> SignOnPerson {
        guard AttributeRequirement.areMet(configuration.requirements, by: response.attributes) else {
            throw SignOnFailure("unauthorised", "You are not authorised to log in here.")
        }
        let displayName = configuration.displayNameAttribute.flatMap { response.attributes[$0]?.first }
        let localpart = MappedLocalpart.localpart(of: response.user)
        // Accounts of before there was a table of who is who are found by their names.
        return SignOnPerson(
            provider: ProviderSession(provider: appearance.id, session: nil), subject: response.user, mayTakeExistingAccount: true,
            isRegistrationEnabled: configuration.isRegistrationEnabled
        ) { failures throws(SignOnFailure) in
            guard failures == 0 else { throw SignOnFailure("mapping_error", "The name \(localpart) is taken") }
            return SignOnAttributes(localpart: localpart, displayName: displayName)
        }
    }
}

/// What a CAS server says of a ticket. CAS Protocol §2.5.2, §2.6.2.
package struct CASResponse: Sendable, Equatable {
    package let user: String
    package let attributes: [String: [String]]

    /// - Parameter numericPrefix: what goes before a name of digits only.
    package init(_ body: [UInt8], numericPrefix: String?) throws(SignOnFailure) {
        guard let root = XMLElement.document(body), root.name == "serviceResponse", let outcome = root.children.first else {
            throw SignOnFailure("missing_service_response", "root of CAS response is not serviceResponse", status: 401)
        }
        guard outcome.name == "authenticationSuccess" else {
            throw SignOnFailure("unsucessful_response", "Unsuccessful CAS response", status: 401)
        }
        let user = outcome.children.last { $0.name == "user" }.map { Self.trimmed($0.text) } ?? ""
        guard !user.isEmpty else { throw SignOnFailure("no_user", "CAS response does not contain user", status: 401) }
        let isNumeric = user.utf8.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
        self.user = isNumeric ? (numericPrefix ?? "") + user : user
        var attributes: [String: [String]] = [:]
        for element in outcome.children.filter({ $0.name == "attributes" }).flatMap(\.children) {
            attributes[element.name, default: []].append(element.text)
        }
        self.attributes = attributes
    }

    private static func trimmed(_ text: String) -> String {
        var text = text.drop { $0.isWhitespace }
        while text.last?.isWhitespace == true { text = text.dropLast() }
        return String(text)
    }
}
