// Tells identity servers whose an address is, and has them forget it. Identity Service API §Establishing associations, §Removing an
// association.

import Federation
import Logging
import MatrixCore
import Persistence

/// An address that was shown to an identity server, by that server's session.
package struct IdentityAssociation: Sendable {
    package var server: String
    package var accessToken: String
    package var session: String
    package var secret: ClientSecret

    package init(server: String, accessToken: String, session: String, secret: ClientSecret) {
        self.server = server
        self.accessToken = accessToken
        self.session = session
        self.secret = secret
    }
}

package struct IdentityAssociations: Sendable {
    private let http: OutboundHTTP
    private let serverName: ServerName
    private let signingKey: SigningKey
    private let logger: Logger

    /// - Parameter signingKey: this server's word that a user wants to be forgotten is a signature.
    package init(http: OutboundHTTP, serverName: ServerName, signingKey: SigningKey, logger: Logger) {
        self.http = http
        self.serverName = serverName
        self.signingKey = signingKey
        self.logger = logger
    }

    /// - Returns: what is bound, for the time when it is to be forgotten.
    /// - Throws: what the identity server says; `M_UNKNOWN` (502) when it does not answer.
    package func bind(_ association: IdentityAssociation, to user: UserID) async throws -> ThirdPartyStore.Binding {
        let base = try Self.base(association.server)
        guard association.accessToken.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
            throw MatrixError.invalidParam("Invalid id_access_token parameter")
        }
        let body: JSONObject = [
            "sid": .string(association.session), "client_secret": .string(association.secret.text), "mxid": .string(user.string),
        ]
        let answer = try await post(
            base + "/3pid/bind", body.canonicalBytes, authorization: "Bearer \(association.accessToken)", server: association.server)
        guard answer.status == 200 else {
            let error = answer.json.flatMap { json in
                json["errcode"]?.string.map { MatrixError(status: 400, errcode: $0, message: json["error"]?.string ?? "") }
            }
            throw error ?? MatrixError.unknown("The identity server refused", status: 502)
        }
        guard let medium = answer.json?["medium"]?.string, let address = answer.json?["address"]?.string else {
            throw MatrixError.unknown("The identity server's answer makes no sense", status: 502)
        }
        return ThirdPartyStore.Binding(
            medium: medium, address: ThirdPartyIdentifiers.canonical(medium, address), server: association.server)
    }

    /// - Returns: false where the identity server cannot forget.
    /// - Throws: `M_UNKNOWN` (500) when it does not answer or fails.
    package func unbind(_ binding: ThirdPartyStore.Binding, from user: UserID) async throws -> Bool {
        let base = try Self.base(binding.server)
        let content: JSONObject = [
            "mxid": .string(user.string),
            "threepid": ["medium": .string(binding.medium), "address": .string(binding.address)],
        ]
        let answer = try await post(
            base + "/3pid/unbind", content.canonicalBytes, authorization: try signature(of: content.canonicalBytes, for: binding.server),
            server: binding.server)
        switch answer.status {
        case 200: return true
        case 400, 404, 501: return false
        default:
            logger.warning("an identity server did not forget an address", metadata: ["server": "\(binding.server)"])
            throw MatrixError.unknown("Failed to contact identity server", status: 500)
        }
    }

    // MARK: Steps

    /// As between homeservers, but for the name of the destination, which identity servers look for elsewhere.
    private func signature(of content: [UInt8], for server: String) throws -> String {
        var writer = JSONWriter()
        writer.object { writer in
            writer.member("content", raw: content)
            writer.member("destination_is", server)
            writer.member("method", "POST")
            writer.member("origin", serverName)
            writer.member("uri", "/_matrix/identity/v2/3pid/unbind")
        }
        let signature = try signingKey.sign(writer.bytes)
        return "X-Matrix origin=\"\(serverName)\",destination=\"\(server)\",key=\"\(signingKey.keyID)\",sig=\"\(signature)\""
    }

    private func post(
        _ url: String, _ body: [UInt8], authorization: String, server: String
    ) async throws -> OutboundHTTP.Response {
        var request = OutboundHTTP.Request(url)
        request.method = "POST"
        request.headers = [("Content-Type", "application/json"), ("Authorization", authorization)]
        request.body = body
        do throws(OutboundFailure) {
            return try await http.send(request)
        } catch {
            logger.info("an identity server does not answer", metadata: ["server": "\(server)", "error": "\(error)"])
            throw MatrixError.unknown("Timed out contacting identity server", status: 500)
        }
    }

    /// A host with perhaps a port and a path, as Synapse takes it.
    private static func base(_ server: String) throws(MatrixError) -> String {
        let host = server.prefix { $0 != "/" }
        let path = server.dropFirst(host.count)
        let isPath = path.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
                UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "/"), UInt8(ascii: "."):
                true
            default: false
            }
        }
        guard ServerName(valid: String(host)) != nil, isPath, server.utf8.count <= 255, !path.contains("..") else {
            throw .invalidParam("id_server must be a valid hostname with optional port and path components")
        }
        return "https://\(server)/_matrix/identity/v2"
    }
}
