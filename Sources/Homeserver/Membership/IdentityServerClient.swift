// Asks identity servers. Identity Service API §Looking up users, §Invitation storage, §Key management.

import Crypto
import Federation
import Logging
import MatrixCore
import Rooms

/// Asks identity servers over the network.
package struct IdentityServerClient: IdentityServers {
    private let http: OutboundHTTP
    private let isLookupEnabled: Bool
    private let logger: Logger

    /// - Parameter isLookupEnabled: `enable_3pid_lookup`.
    package init(http: OutboundHTTP, isLookupEnabled: Bool = true, logger: Logger) {
        self.http = http
        self.isLookupEnabled = isLookupEnabled
        self.logger = logger
    }

    package func user(of invite: ThirdPartyInvite) async throws -> UserID? {
        guard isLookupEnabled else {
            throw MatrixError.forbidden("Looking up third-party identifiers is denied from this server")
        }
        do throws(OutboundFailure) {
            return try await lookUp(invite)
        } catch {
            // As in Synapse: the invite is stored then.
            logger.info("an identity server did not look up", metadata: ["server": "\(invite.identityServer)", "error": "\(error)"])
            return nil
        }
    }

    package func store(_ invite: ThirdPartyInvite, details: JSONObject) async throws -> StoredInvite {
        var body = details
        body["medium"] = .string(invite.medium)
        body["address"] = .string(invite.address)
        do throws(OutboundFailure) {
            let answer = try await call("POST", "store-invite", body, of: invite)
            guard let stored = StoredInvite(answer, from: invite.identityServer) else { throw .failed("it does not store invites") }
            return stored
        } catch {
            logger.info("an identity server did not store", metadata: ["server": "\(invite.identityServer)", "error": "\(error)"])
            throw MatrixError.unknown("The identity server \(invite.identityServer) cannot be asked", status: 502)
        }
    }

    package func isValid(_ key: StoredInvite.Key) async throws -> Bool {
        guard let url = key.validityURL else { return true }
        do throws(OutboundFailure) {
            let separator = url.contains("?") ? "&" : "?"
            let answer = try await http.send(
                OutboundHTTP.Request(url + separator + "public_key=" + PercentEncoding.encode(key.publicKey)))
            guard answer.status == 200, let json = answer.json else { throw .failed("it does not check keys") }
            return json["valid"]?.bool == true
        } catch {
            logger.info("a key of an identity server was not checked", metadata: ["error": "\(error)"])
            throw MatrixError.unknown("Third party certificate could not be checked", status: 502)
        }
    }

    // MARK: Steps

    /// Asks for an address by its hash, where the server has hashes.
    private func lookUp(_ invite: ThirdPartyInvite) async throws(OutboundFailure) -> UserID? {
        let hashing = try await call("GET", "hash_details", nil, of: invite)
        guard let algorithms = hashing["algorithms"], let pepper = hashing["lookup_pepper"]?.string else {
            throw .failed("it has no lookup")
        }
        let algorithm: String, value: String
        if algorithms.elements.contains(where: { $0.isString("sha256") }) {
            algorithm = "sha256"
            let digest = SHA256.hash(data: Array("\(invite.address) \(invite.medium) \(pepper)".utf8))
            value = Base64.encode(Array(digest), .urlSafe)
        } else if algorithms.elements.contains(where: { $0.isString("none") }) {
            (algorithm, value) = ("none", "\(invite.address) \(invite.medium)")
        } else {
            throw .failed("it has no algorithm that this server has")
        }
        let found = try await call(
            "POST", "lookup", ["addresses": [.string(value)], "algorithm": .string(algorithm), "pepper": .string(pepper)], of: invite)
        return found["mappings"]?[value]?.string.flatMap { UserID(valid: $0) }
    }

    private func call(
        _ method: String, _ path: String, _ body: JSONObject?, of invite: ThirdPartyInvite
    ) async throws(OutboundFailure) -> JSON {
        var request = OutboundHTTP.Request("https://\(invite.identityServer)/_matrix/identity/v2/\(path)")
        request.method = method
        // A header of its own line must not come of a token.
        guard !invite.accessToken.utf8.contains(where: { $0 < 0x21 || $0 > 0x7E }) else { throw .refused("the access token is none") }
        request.headers.append(("Authorization", "Bearer \(invite.accessToken)"))
        if let body {
            request.headers.append(("Content-Type", "application/json"))
            request.body = body.canonicalBytes
        }
        let answer = try await http.send(request)
        guard answer.status == 200, let json = answer.json else { throw .failed("status \(answer.status)") }
        return json
    }
}

extension StoredInvite {
    /// The answer to `store-invite`; nil where something is missing. Older servers name one key only, and no place to check it.
    init?(_ answer: JSON, from server: ServerName) {
        guard let token = answer["token"]?.string, let displayName = answer["display_name"]?.string else { return nil }
        var keys: [Key] = []
        for entry in answer["public_keys"].map({ Array($0.elements) }) ?? [] {
            if let key = entry["public_key"]?.string { keys.append(Key(publicKey: key, validityURL: entry["key_validity_url"]?.string)) }
        }
        if let own = answer["public_key"]?.string, !keys.contains(where: { $0.publicKey == own }) {
            keys.insert(Key(publicKey: own, validityURL: "https://\(server)/_matrix/identity/v2/pubkey/isvalid"), at: 0)
        }
        guard !keys.isEmpty else { return nil }
        self.init(token: token, displayName: displayName, keys: keys)
    }
}
